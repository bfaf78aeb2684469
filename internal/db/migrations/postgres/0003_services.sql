CREATE TABLE services (
    place        BIGINT PRIMARY KEY,
    id           BIGINT NOT NULL UNIQUE,
    name         TEXT NOT NULL,
    realm        TEXT NOT NULL,
    sealed       BYTEA NOT NULL,
    old_sealed   BYTEA NOT NULL,
    old_valid_to BIGINT NOT NULL DEFAULT 0,
    created_at   BIGINT NOT NULL,
    expires_at   BIGINT NOT NULL DEFAULT 0,
    username     TEXT NOT NULL DEFAULT '',
    appname      TEXT NOT NULL DEFAULT '',
    is_trusted   BIGINT NOT NULL DEFAULT 0,
    used_step    BIGINT NOT NULL DEFAULT 0,
    failed_at    BIGINT NOT NULL DEFAULT 0,
    last_used_at BIGINT NOT NULL DEFAULT 0,
    last_caller  BIGINT NOT NULL DEFAULT 0,
    last_network TEXT NOT NULL DEFAULT '',
    last_result  TEXT NOT NULL DEFAULT '',
    last_mark    BIGINT NOT NULL DEFAULT 0
);

CREATE INDEX services_username ON services (username) WHERE username <> '';

CREATE TABLE realms (
    realm          TEXT PRIMARY KEY,
    can_verify     BIGINT NOT NULL,
    can_administer BIGINT NOT NULL,
    is_restricted  BIGINT NOT NULL DEFAULT 0
);

CREATE TABLE realm_allows (
    caller_realm TEXT NOT NULL,
    realm        TEXT NOT NULL,
    PRIMARY KEY (caller_realm, realm)
);

CREATE TABLE service_callers (
    service_id BIGINT NOT NULL,
    network    TEXT NOT NULL,
    seen_at    BIGINT NOT NULL,
    PRIMARY KEY (service_id, network)
);

CREATE INDEX service_callers_seen ON service_callers (seen_at);

CREATE TABLE counters (
    name TEXT PRIMARY KEY,
    last BIGINT NOT NULL
);

ALTER TABLE audit ADD COLUMN service_id BIGINT NOT NULL DEFAULT 0;

CREATE INDEX audit_service ON audit (service_id) WHERE service_id <> 0;
