-- The cookie of a session at a site on another host. It goes with the session.
CREATE TABLE site_sessions (
    id          INTEGER PRIMARY KEY,
    secret_hash BLOB NOT NULL,
    session_id  INTEGER NOT NULL REFERENCES sessions (id) ON DELETE CASCADE,
    origin      TEXT NOT NULL
) STRICT;

CREATE INDEX site_sessions_session ON site_sessions (session_id);

-- A session that is on its way to a site: a code that is used once, in the browser that asked.
CREATE TABLE handoffs (
    id          INTEGER PRIMARY KEY,
    secret_hash BLOB NOT NULL,
    session_id  INTEGER NOT NULL REFERENCES sessions (id) ON DELETE CASCADE,
    origin      TEXT NOT NULL,
    browser     BLOB NOT NULL,
    address     TEXT NOT NULL
) STRICT;

CREATE INDEX handoffs_session ON handoffs (session_id);
