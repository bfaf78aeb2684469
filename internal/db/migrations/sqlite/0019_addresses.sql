-- An attempt that adds an address belongs to the session that wants it.
ALTER TABLE attempts ADD COLUMN for_session INTEGER NOT NULL DEFAULT 0;

-- A user who was merged into another one is an alias of it. Its accounts belong to the other.
ALTER TABLE users ADD COLUMN merged_into INTEGER NOT NULL DEFAULT 0;

-- When an account came to its user by being added or merged; 0: it was there from the start.
ALTER TABLE accounts ADD COLUMN joined_at INTEGER NOT NULL DEFAULT 0;

-- What was changed about how a person signs in, to be undone within seven days.
CREATE TABLE changes (
    id             INTEGER PRIMARY KEY,
    kind           TEXT NOT NULL,
    user_id        INTEGER NOT NULL,
    other_user_id  INTEGER NOT NULL,
    implementation TEXT NOT NULL,
    identifier     TEXT NOT NULL,
    label          TEXT NOT NULL,
    moved          TEXT NOT NULL,
    undone_at      INTEGER NOT NULL DEFAULT 0
) STRICT;

CREATE INDEX changes_user ON changes (user_id);

-- A username that was given up is never given to anybody else.
CREATE TABLE usernames_given_up (
    username TEXT PRIMARY KEY,
    user_id  INTEGER NOT NULL
) STRICT;

-- Usernames are unique without case; nearly all are in lower case.
CREATE INDEX users_odd_names ON users (lower(username)) WHERE username <> lower(username);
