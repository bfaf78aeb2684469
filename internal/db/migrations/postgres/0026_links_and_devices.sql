-- One-time links by which an administrator lets somebody enroll a factor.
CREATE TABLE enrolment_links (
    id          BIGINT PRIMARY KEY,
    secret_hash BYTEA NOT NULL,
    user_id     BIGINT NOT NULL REFERENCES users (id) ON DELETE CASCADE,
    session_id  BIGINT NOT NULL DEFAULT 0,
    expires_at  BIGINT NOT NULL,
    used_at     BIGINT NOT NULL DEFAULT 0
);

CREATE INDEX enrolment_links_user ON enrolment_links (user_id);

-- Browsers in which a second factor is not asked for again for a while.
CREATE TABLE devices (
    id               BIGINT PRIMARY KEY,
    secret_hash      BYTEA NOT NULL,
    user_id          BIGINT NOT NULL REFERENCES users (id) ON DELETE CASCADE,
    authenticator_id BIGINT NOT NULL,
    factor           TEXT NOT NULL,
    is_verified      BIGINT NOT NULL,
    verified_at      BIGINT NOT NULL,
    expires_at       BIGINT NOT NULL,
    prefix           TEXT NOT NULL,
    agent            TEXT NOT NULL
);

CREATE INDEX devices_user ON devices (user_id);

-- For the sweeper.
CREATE INDEX authenticators_removed ON authenticators (removed_at) WHERE removed_at > 0;
