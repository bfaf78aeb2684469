-- One-time links by which an administrator lets somebody enroll a factor.
CREATE TABLE enrolment_links (
    id          INTEGER PRIMARY KEY,
    secret_hash BLOB NOT NULL,
    user_id     INTEGER NOT NULL REFERENCES users (id) ON DELETE CASCADE,
    session_id  INTEGER NOT NULL DEFAULT 0,
    expires_at  INTEGER NOT NULL,
    used_at     INTEGER NOT NULL DEFAULT 0
) STRICT;

CREATE INDEX enrolment_links_user ON enrolment_links (user_id);

-- Browsers in which a second factor is not asked for again for a while.
CREATE TABLE devices (
    id               INTEGER PRIMARY KEY,
    secret_hash      BLOB NOT NULL,
    user_id          INTEGER NOT NULL REFERENCES users (id) ON DELETE CASCADE,
    authenticator_id INTEGER NOT NULL,
    factor           TEXT NOT NULL,
    is_verified      INTEGER NOT NULL,
    verified_at      INTEGER NOT NULL,
    expires_at       INTEGER NOT NULL,
    prefix           TEXT NOT NULL,
    agent            TEXT NOT NULL
) STRICT;

CREATE INDEX devices_user ON devices (user_id);

-- For the sweeper.
CREATE INDEX authenticators_removed ON authenticators (removed_at) WHERE removed_at > 0;
