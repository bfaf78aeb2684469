-- What an operator is shown of a message: the masked address, and what the mail
-- server said. leased tells a message that some process is sending from one that
-- waits for its next try.
ALTER TABLE outbox ADD COLUMN recipient TEXT NOT NULL DEFAULT '';
ALTER TABLE outbox ADD COLUMN said TEXT NOT NULL DEFAULT '';
ALTER TABLE outbox ADD COLUMN leased BIGINT NOT NULL DEFAULT 0;

CREATE INDEX outbox_failed ON outbox (id) WHERE state IN (2, 4);
