CREATE TABLE meta (
    key   TEXT PRIMARY KEY,
    value TEXT NOT NULL
) STRICT, WITHOUT ROWID;

CREATE TABLE users (
    id             INTEGER PRIMARY KEY,
    username       TEXT NOT NULL UNIQUE,
    first_name     TEXT NOT NULL DEFAULT '',
    last_name      TEXT NOT NULL DEFAULT '',
    email          TEXT NOT NULL DEFAULT '',
    language       TEXT NOT NULL DEFAULT '',
    is_active      INTEGER NOT NULL DEFAULT 0,
    is_staff       INTEGER NOT NULL DEFAULT 0,
    is_superuser   INTEGER NOT NULL DEFAULT 0,
    is_invited     INTEGER NOT NULL DEFAULT 0,
    date_joined    INTEGER NOT NULL,
    last_login     INTEGER NOT NULL DEFAULT 0,
    deactivated_at INTEGER NOT NULL DEFAULT 0
) STRICT;

CREATE INDEX users_unproved ON users (id) WHERE is_active = 0 AND is_invited = 0 AND deactivated_at = 0;

CREATE INDEX users_superuser ON users (id) WHERE is_superuser = 1;

CREATE TABLE accounts (
    id               INTEGER PRIMARY KEY,
    user_id          INTEGER NOT NULL REFERENCES users (id) ON DELETE CASCADE,
    implementation   TEXT NOT NULL,
    identifier       TEXT NOT NULL,
    is_active        INTEGER NOT NULL DEFAULT 0,
    activated_at     INTEGER NOT NULL DEFAULT 0,
    last_used_at     INTEGER NOT NULL DEFAULT 0,
    codes_valid_from INTEGER NOT NULL DEFAULT 0,
    UNIQUE (implementation, identifier)
) STRICT;

CREATE INDEX accounts_user ON accounts (user_id);

CREATE TABLE attempts (
    id             INTEGER PRIMARY KEY,
    secret_hash    BLOB NOT NULL,
    browser        BLOB NOT NULL,
    implementation TEXT NOT NULL,
    identifier     TEXT NOT NULL,
    account_id     INTEGER NOT NULL,
    is_silent      INTEGER NOT NULL,
    is_known       INTEGER NOT NULL,
    first_hash     BLOB NOT NULL,
    is_rescue      INTEGER NOT NULL,
    has_short      INTEGER NOT NULL,
    next           TEXT NOT NULL,
    network        TEXT NOT NULL,
    prefix         TEXT NOT NULL,
    agent          TEXT NOT NULL,
    tries          INTEGER NOT NULL DEFAULT 0,
    tries_taken    INTEGER NOT NULL DEFAULT 0,
    sends          INTEGER NOT NULL DEFAULT 0,
    sent_at        INTEGER NOT NULL DEFAULT 0,
    expires_at     INTEGER NOT NULL DEFAULT 0,
    used_at        INTEGER NOT NULL DEFAULT 0,
    voided_at      INTEGER NOT NULL DEFAULT 0,
    session_id     INTEGER NOT NULL DEFAULT 0
) STRICT;

CREATE TABLE codes (
    attempt_id  INTEGER NOT NULL,
    slot        INTEGER NOT NULL,
    is_long     INTEGER NOT NULL,
    mac         BLOB NOT NULL,
    link_hash   BLOB NOT NULL,
    link_sealed BLOB NOT NULL,
    created_at  INTEGER NOT NULL,
    expires_at  INTEGER NOT NULL,
    PRIMARY KEY (attempt_id, slot)
) STRICT, WITHOUT ROWID;

CREATE TABLE sessions (
    id           INTEGER PRIMARY KEY,
    secret_hash  BLOB NOT NULL,
    user_id      INTEGER NOT NULL,
    account_id   INTEGER NOT NULL,
    last_seen_at INTEGER NOT NULL,
    expires_at   INTEGER NOT NULL,
    prefix       TEXT NOT NULL,
    agent        TEXT NOT NULL
) STRICT;

CREATE INDEX sessions_user ON sessions (user_id);

CREATE TABLE proofs (
    session_id  INTEGER NOT NULL,
    factor      TEXT NOT NULL,
    user_id     INTEGER NOT NULL,
    account_id  INTEGER NOT NULL,
    verified_at INTEGER NOT NULL,
    expires_at  INTEGER NOT NULL,
    PRIMARY KEY (session_id, factor)
) STRICT, WITHOUT ROWID;

CREATE TABLE budgets (
    key      BLOB PRIMARY KEY,
    spent_to INTEGER NOT NULL,
    granted  INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

CREATE TABLE outbox (
    id        INTEGER PRIMARY KEY,
    channel   TEXT NOT NULL,
    sealed    BLOB NOT NULL,
    not_after INTEGER NOT NULL,
    due_at    INTEGER NOT NULL,
    tries     INTEGER NOT NULL DEFAULT 0,
    state     INTEGER NOT NULL,
    done_at   INTEGER NOT NULL DEFAULT 0,
    reason    TEXT NOT NULL DEFAULT ''
) STRICT;

CREATE INDEX outbox_pending ON outbox (id) WHERE state = 0;

CREATE TABLE audit (
    id      INTEGER PRIMARY KEY,
    user_id INTEGER NOT NULL,
    event   TEXT NOT NULL,
    prefix  TEXT NOT NULL,
    agent   TEXT NOT NULL,
    detail  TEXT NOT NULL
) STRICT;

CREATE INDEX audit_user ON audit (user_id);
