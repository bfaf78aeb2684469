CREATE TABLE forgotten (
    user_id BIGINT PRIMARY KEY,
    since   BIGINT NOT NULL
);

DROP INDEX audit_user;

CREATE INDEX audit_user ON audit (user_id, id);
