-- The last renewal of a session by a token that was an old one already: of those who had it, one
-- may have been a thief.
ALTER TABLE sessions ADD COLUMN forked INTEGER NOT NULL DEFAULT 0;
-- The renewal of its session with which an enrolment link was opened. It counts as long as no old
-- token has renewed the session since.
ALTER TABLE enrolment_links ADD COLUMN renewal INTEGER NOT NULL DEFAULT 0;
