-- What people have enrolled: authenticator apps, passkeys, sets of recovery codes. Secrets are
-- sealed, bound to their row.
CREATE TABLE authenticators (
    id            INTEGER PRIMARY KEY,
    user_id       INTEGER NOT NULL REFERENCES users (id) ON DELETE CASCADE,
    kind          TEXT NOT NULL,
    name          TEXT NOT NULL,
    credential_id BLOB NOT NULL,
    sealed        BLOB NOT NULL,
    counter       INTEGER NOT NULL,
    can_verify    INTEGER NOT NULL,
    model         TEXT NOT NULL,
    last_used_at  INTEGER NOT NULL DEFAULT 0,
    warned_at     INTEGER NOT NULL DEFAULT 0,
    removed_at    INTEGER NOT NULL DEFAULT 0
) STRICT;

CREATE INDEX authenticators_user ON authenticators (user_id);

CREATE UNIQUE INDEX authenticators_credential ON authenticators (credential_id) WHERE kind = 'passkey';

-- Challenges that were answered, so that none is answered twice. Those that are open travel
-- sealed with their page.
CREATE TABLE challenges (
    id INTEGER PRIMARY KEY
) STRICT;
