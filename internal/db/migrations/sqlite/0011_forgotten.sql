CREATE TABLE forgotten (
    user_id INTEGER PRIMARY KEY,
    since   INTEGER NOT NULL
) STRICT;
