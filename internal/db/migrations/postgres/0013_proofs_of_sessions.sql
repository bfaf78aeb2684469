-- A proof goes with its session.
DELETE FROM proofs WHERE session_id NOT IN (SELECT id FROM sessions);

ALTER TABLE proofs ADD FOREIGN KEY (session_id) REFERENCES sessions (id) ON DELETE CASCADE;
