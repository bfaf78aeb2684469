CREATE TABLE unknown_services (
    slot         BIGINT PRIMARY KEY,
    failed_at    BIGINT NOT NULL,
    last_used_at BIGINT NOT NULL,
    last_caller  BIGINT NOT NULL,
    last_network TEXT NOT NULL,
    last_result  TEXT NOT NULL,
    last_mark    BIGINT NOT NULL
);

CREATE TABLE unknown_history (
    id     BIGINT PRIMARY KEY,
    slot   BIGINT NOT NULL UNIQUE,
    event  TEXT NOT NULL,
    prefix TEXT NOT NULL,
    agent  TEXT NOT NULL,
    detail TEXT NOT NULL
);
