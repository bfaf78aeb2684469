-- A line of history has a subject, who or what it is about, and an actor, who caused it.
-- The row of a message for a sign-in also holds what came of it (then_…).
DROP INDEX audit_user;

DROP INDEX audit_service;

ALTER TABLE audit RENAME COLUMN user_id TO subject_id;

ALTER TABLE audit ADD COLUMN subject_kind TEXT NOT NULL DEFAULT 'user';

UPDATE audit SET subject_kind = 'service', subject_id = service_id WHERE service_id <> 0;

ALTER TABLE audit DROP COLUMN service_id;

ALTER TABLE audit ADD COLUMN actor_kind TEXT NOT NULL DEFAULT '';
ALTER TABLE audit ADD COLUMN actor_id INTEGER NOT NULL DEFAULT 0;
ALTER TABLE audit ADD COLUMN then_event TEXT NOT NULL DEFAULT '';
ALTER TABLE audit ADD COLUMN then_at INTEGER NOT NULL DEFAULT 0;
ALTER TABLE audit ADD COLUMN then_prefix TEXT NOT NULL DEFAULT '';
ALTER TABLE audit ADD COLUMN then_agent TEXT NOT NULL DEFAULT '';

CREATE INDEX audit_subject ON audit (subject_kind, subject_id) WHERE subject_id <> 0;
