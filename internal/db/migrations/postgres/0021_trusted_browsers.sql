-- Browsers in which a user has signed in are trusted with more, until this number rises: when
-- all sessions end, or somebody says that it was not them.
ALTER TABLE users ADD COLUMN browser_epoch BIGINT NOT NULL DEFAULT 0;

-- The person has not typed the address of this attempt, so its page masks it.
ALTER TABLE attempts ADD COLUMN is_masked BIGINT NOT NULL DEFAULT 0;
