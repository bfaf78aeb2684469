-- What people have enrolled: authenticator apps, passkeys, sets of recovery codes. Secrets are
-- sealed, bound to their row.
CREATE TABLE authenticators (
    id            BIGINT PRIMARY KEY,
    user_id       BIGINT NOT NULL REFERENCES users (id) ON DELETE CASCADE,
    kind          TEXT NOT NULL,
    name          TEXT NOT NULL,
    credential_id BYTEA NOT NULL,
    sealed        BYTEA NOT NULL,
    counter       BIGINT NOT NULL,
    can_verify    BIGINT NOT NULL,
    model         TEXT NOT NULL,
    last_used_at  BIGINT NOT NULL DEFAULT 0,
    warned_at     BIGINT NOT NULL DEFAULT 0,
    removed_at    BIGINT NOT NULL DEFAULT 0
);

CREATE INDEX authenticators_user ON authenticators (user_id);

CREATE UNIQUE INDEX authenticators_credential ON authenticators (credential_id) WHERE kind = 'passkey';

-- Challenges that were answered, so that none is answered twice. Those that are open travel
-- sealed with their page.
CREATE TABLE challenges (
    id BIGINT PRIMARY KEY
);
