-- The renewal of its session with which an enrolment link was opened, for which alone it counts.
ALTER TABLE enrolment_links ADD COLUMN renewal BIGINT NOT NULL DEFAULT 0;
UPDATE enrolment_links SET renewal = (SELECT renewals FROM sessions WHERE sessions.id = session_id)
    WHERE session_id IN (SELECT id FROM sessions);
