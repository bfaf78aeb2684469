CREATE TABLE unknown_services (
    slot         INTEGER PRIMARY KEY,
    failed_at    INTEGER NOT NULL,
    last_used_at INTEGER NOT NULL,
    last_caller  INTEGER NOT NULL,
    last_network TEXT NOT NULL,
    last_result  TEXT NOT NULL,
    last_mark    INTEGER NOT NULL
) STRICT;

CREATE TABLE unknown_history (
    id     INTEGER PRIMARY KEY,
    slot   INTEGER NOT NULL UNIQUE,
    event  TEXT NOT NULL,
    prefix TEXT NOT NULL,
    agent  TEXT NOT NULL,
    detail TEXT NOT NULL
) STRICT;
