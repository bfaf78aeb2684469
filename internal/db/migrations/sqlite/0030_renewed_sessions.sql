-- A proof that is added to a session renews the token of its cookie. The token before stays good,
-- without that proof, until the new one was used: a response may be lost. old_hash: of that
-- token, else empty.
ALTER TABLE sessions ADD COLUMN old_hash BLOB NOT NULL DEFAULT X'';
ALTER TABLE sessions ADD COLUMN renewals INTEGER NOT NULL DEFAULT 0;
-- With which renewal of its session a proof came; 0: with the sign-in.
ALTER TABLE proofs ADD COLUMN renewal INTEGER NOT NULL DEFAULT 0;
