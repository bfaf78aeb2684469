-- A session can be bound to a key of its device: the public key, and when the last proof of it
-- that counted was made; 0: it is not bound.
ALTER TABLE sessions ADD COLUMN bound_key BYTEA NOT NULL DEFAULT '';
ALTER TABLE sessions ADD COLUMN bound_at BIGINT NOT NULL DEFAULT 0;
