CREATE TABLE meta (
    key   TEXT PRIMARY KEY,
    value TEXT NOT NULL
);

CREATE TABLE users (
    id             BIGINT PRIMARY KEY,
    username       TEXT NOT NULL UNIQUE,
    first_name     TEXT NOT NULL DEFAULT '',
    last_name      TEXT NOT NULL DEFAULT '',
    email          TEXT NOT NULL DEFAULT '',
    language       TEXT NOT NULL DEFAULT '',
    is_active      BIGINT NOT NULL DEFAULT 0,
    is_staff       BIGINT NOT NULL DEFAULT 0,
    is_superuser   BIGINT NOT NULL DEFAULT 0,
    is_invited     BIGINT NOT NULL DEFAULT 0,
    date_joined    BIGINT NOT NULL,
    last_login     BIGINT NOT NULL DEFAULT 0,
    deactivated_at BIGINT NOT NULL DEFAULT 0
);

CREATE INDEX users_unproved ON users (id) WHERE is_active = 0 AND is_invited = 0 AND deactivated_at = 0;

CREATE INDEX users_superuser ON users (id) WHERE is_superuser = 1;

CREATE TABLE accounts (
    id               BIGINT PRIMARY KEY,
    user_id          BIGINT NOT NULL REFERENCES users (id) ON DELETE CASCADE,
    implementation   TEXT NOT NULL,
    identifier       TEXT NOT NULL,
    is_active        BIGINT NOT NULL DEFAULT 0,
    activated_at     BIGINT NOT NULL DEFAULT 0,
    last_used_at     BIGINT NOT NULL DEFAULT 0,
    codes_valid_from BIGINT NOT NULL DEFAULT 0,
    UNIQUE (implementation, identifier)
);

CREATE INDEX accounts_user ON accounts (user_id);

CREATE TABLE attempts (
    id             BIGINT PRIMARY KEY,
    secret_hash    BYTEA NOT NULL,
    browser        BYTEA NOT NULL,
    implementation TEXT NOT NULL,
    identifier     TEXT NOT NULL,
    account_id     BIGINT NOT NULL,
    is_silent      BIGINT NOT NULL,
    is_known       BIGINT NOT NULL,
    first_hash     BYTEA NOT NULL,
    is_rescue      BIGINT NOT NULL,
    has_short      BIGINT NOT NULL,
    next           TEXT NOT NULL,
    network        TEXT NOT NULL,
    prefix         TEXT NOT NULL,
    agent          TEXT NOT NULL,
    tries          BIGINT NOT NULL DEFAULT 0,
    tries_taken    BIGINT NOT NULL DEFAULT 0,
    sends          BIGINT NOT NULL DEFAULT 0,
    sent_at        BIGINT NOT NULL DEFAULT 0,
    expires_at     BIGINT NOT NULL DEFAULT 0,
    used_at        BIGINT NOT NULL DEFAULT 0,
    voided_at      BIGINT NOT NULL DEFAULT 0,
    session_id     BIGINT NOT NULL DEFAULT 0
);

CREATE TABLE codes (
    attempt_id  BIGINT NOT NULL,
    slot        BIGINT NOT NULL,
    is_long     BIGINT NOT NULL,
    mac         BYTEA NOT NULL,
    link_hash   BYTEA NOT NULL,
    link_sealed BYTEA NOT NULL,
    created_at  BIGINT NOT NULL,
    expires_at  BIGINT NOT NULL,
    PRIMARY KEY (attempt_id, slot)
);

CREATE TABLE sessions (
    id           BIGINT PRIMARY KEY,
    secret_hash  BYTEA NOT NULL,
    user_id      BIGINT NOT NULL,
    account_id   BIGINT NOT NULL,
    last_seen_at BIGINT NOT NULL,
    expires_at   BIGINT NOT NULL,
    prefix       TEXT NOT NULL,
    agent        TEXT NOT NULL
);

CREATE INDEX sessions_user ON sessions (user_id);

CREATE TABLE proofs (
    session_id  BIGINT NOT NULL,
    factor      TEXT NOT NULL,
    user_id     BIGINT NOT NULL,
    account_id  BIGINT NOT NULL,
    verified_at BIGINT NOT NULL,
    expires_at  BIGINT NOT NULL,
    PRIMARY KEY (session_id, factor)
);

CREATE TABLE budgets (
    key      BYTEA PRIMARY KEY,
    spent_to BIGINT NOT NULL,
    granted  BIGINT NOT NULL
);

CREATE TABLE outbox (
    id        BIGINT PRIMARY KEY,
    channel   TEXT NOT NULL,
    sealed    BYTEA NOT NULL,
    not_after BIGINT NOT NULL,
    due_at    BIGINT NOT NULL,
    tries     BIGINT NOT NULL DEFAULT 0,
    state     BIGINT NOT NULL,
    done_at   BIGINT NOT NULL DEFAULT 0,
    reason    TEXT NOT NULL DEFAULT ''
);

CREATE INDEX outbox_pending ON outbox (id) WHERE state = 0;

CREATE TABLE audit (
    id      BIGINT PRIMARY KEY,
    user_id BIGINT NOT NULL,
    event   TEXT NOT NULL,
    prefix  TEXT NOT NULL,
    agent   TEXT NOT NULL,
    detail  TEXT NOT NULL
);

CREATE INDEX audit_user ON audit (user_id);
