-- A session holds a proof for each account and each authenticator, not one for each factor.
CREATE TABLE proofs_by_key (
    session_id       INTEGER NOT NULL REFERENCES sessions (id) ON DELETE CASCADE,
    factor           TEXT NOT NULL,
    user_id          INTEGER NOT NULL,
    account_id       INTEGER NOT NULL,
    verified_at      INTEGER NOT NULL,
    expires_at       INTEGER NOT NULL,
    amr              TEXT NOT NULL DEFAULT '',
    acr              TEXT NOT NULL DEFAULT '',
    auth_time        INTEGER NOT NULL DEFAULT 0,
    authenticator_id INTEGER NOT NULL DEFAULT 0,
    provider         TEXT NOT NULL DEFAULT '',
    is_verified      INTEGER NOT NULL DEFAULT 0,
    is_remembered    INTEGER NOT NULL DEFAULT 0,
    PRIMARY KEY (session_id, account_id, authenticator_id)
) STRICT, WITHOUT ROWID;

INSERT INTO proofs_by_key (session_id, factor, user_id, account_id, verified_at, expires_at, amr, acr, auth_time)
SELECT session_id, factor, user_id, account_id, verified_at, expires_at, amr, acr, auth_time FROM proofs;

DROP TABLE proofs;

ALTER TABLE proofs_by_key RENAME TO proofs;
