CREATE TABLE services (
    place        INTEGER PRIMARY KEY,
    id           INTEGER NOT NULL UNIQUE,
    name         TEXT NOT NULL,
    realm        TEXT NOT NULL,
    sealed       BLOB NOT NULL,
    old_sealed   BLOB NOT NULL,
    old_valid_to INTEGER NOT NULL DEFAULT 0,
    created_at   INTEGER NOT NULL,
    expires_at   INTEGER NOT NULL DEFAULT 0,
    username     TEXT NOT NULL DEFAULT '',
    appname      TEXT NOT NULL DEFAULT '',
    is_trusted   INTEGER NOT NULL DEFAULT 0,
    used_step    INTEGER NOT NULL DEFAULT 0,
    failed_at    INTEGER NOT NULL DEFAULT 0,
    last_used_at INTEGER NOT NULL DEFAULT 0,
    last_caller  INTEGER NOT NULL DEFAULT 0,
    last_network TEXT NOT NULL DEFAULT '',
    last_result  TEXT NOT NULL DEFAULT '',
    last_mark    INTEGER NOT NULL DEFAULT 0
) STRICT;

CREATE INDEX services_username ON services (username) WHERE username <> '';

CREATE TABLE realms (
    realm          TEXT PRIMARY KEY,
    can_verify     INTEGER NOT NULL,
    can_administer INTEGER NOT NULL,
    is_restricted  INTEGER NOT NULL DEFAULT 0
) STRICT, WITHOUT ROWID;

CREATE TABLE realm_allows (
    caller_realm TEXT NOT NULL,
    realm        TEXT NOT NULL,
    PRIMARY KEY (caller_realm, realm)
) STRICT, WITHOUT ROWID;

CREATE TABLE service_callers (
    service_id INTEGER NOT NULL,
    network    TEXT NOT NULL,
    seen_at    INTEGER NOT NULL,
    PRIMARY KEY (service_id, network)
) STRICT, WITHOUT ROWID;

CREATE INDEX service_callers_seen ON service_callers (seen_at);

CREATE TABLE counters (
    name TEXT PRIMARY KEY,
    last INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

ALTER TABLE audit ADD COLUMN service_id INTEGER NOT NULL DEFAULT 0;

CREATE INDEX audit_service ON audit (service_id) WHERE service_id <> 0;
