-- A session holds a proof for each account and each authenticator, not one for each factor.
CREATE TABLE proofs_by_key (
    session_id       INTEGER NOT NULL REFERENCES sessions (id) ON DELETE CASCADE,
    account_id       INTEGER NOT NULL,
    authenticator_id INTEGER NOT NULL DEFAULT 0,
    factor           TEXT NOT NULL,
    provider         TEXT NOT NULL DEFAULT '',
    user_id          INTEGER NOT NULL,
    verified_at      INTEGER NOT NULL,
    expires_at       INTEGER NOT NULL,
    is_verified      INTEGER NOT NULL DEFAULT 0,
    is_remembered    INTEGER NOT NULL DEFAULT 0,
    amr              TEXT NOT NULL DEFAULT '',
    acr              TEXT NOT NULL DEFAULT '',
    auth_time        INTEGER NOT NULL DEFAULT 0,
    PRIMARY KEY (session_id, account_id, authenticator_id)
) STRICT, WITHOUT ROWID;

INSERT INTO proofs_by_key (session_id, account_id, factor, user_id, verified_at, expires_at, amr, acr, auth_time)
SELECT session_id, account_id, factor, user_id, verified_at, expires_at, amr, acr, auth_time FROM proofs;

DROP TABLE proofs;

ALTER TABLE proofs_by_key RENAME TO proofs;
