-- A proof goes with its session.
CREATE TABLE proofs_of_sessions (
    session_id  INTEGER NOT NULL REFERENCES sessions (id) ON DELETE CASCADE,
    factor      TEXT NOT NULL,
    user_id     INTEGER NOT NULL,
    account_id  INTEGER NOT NULL,
    verified_at INTEGER NOT NULL,
    expires_at  INTEGER NOT NULL,
    PRIMARY KEY (session_id, factor)
) STRICT, WITHOUT ROWID;

INSERT INTO proofs_of_sessions SELECT session_id, factor, user_id, account_id, verified_at, expires_at
    FROM proofs WHERE session_id IN (SELECT id FROM sessions);

DROP TABLE proofs;

ALTER TABLE proofs_of_sessions RENAME TO proofs;
