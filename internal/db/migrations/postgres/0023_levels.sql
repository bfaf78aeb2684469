-- Factor levels: what has to be proved for what they guard. Needs and validity are JSON.
CREATE TABLE levels (
    name  TEXT PRIMARY KEY,
    rank  BIGINT NOT NULL,
    need  TEXT NOT NULL,
    valid TEXT NOT NULL
);

CREATE TABLE level_guards (
    level TEXT NOT NULL REFERENCES levels (name) ON DELETE CASCADE,
    kind  TEXT NOT NULL,
    name  TEXT NOT NULL,
    PRIMARY KEY (level, kind, name)
);

CREATE INDEX level_guards_thing ON level_guards (kind, name);
