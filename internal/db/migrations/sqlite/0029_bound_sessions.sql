-- A session can be bound to a key of its device: the public key, and when the last proof of it
-- that counted was made; 0: it is not bound.
ALTER TABLE sessions ADD COLUMN bound_key BLOB NOT NULL DEFAULT X'';
ALTER TABLE sessions ADD COLUMN bound_at INTEGER NOT NULL DEFAULT 0;
