-- Codes lie in the row of their attempt; package multifactor says in which form.
ALTER TABLE attempts ADD COLUMN codes BYTEA NOT NULL DEFAULT '';

UPDATE attempts SET codes = c.codes FROM
    (SELECT attempt_id, string_agg(decode(lpad(to_hex(is_long), 2, '0'), 'hex') || int8send(created_at) || int8send(expires_at) || int8send(generation)
        || mac || link_hash || decode(lpad(to_hex(length(link_sealed)), 2, '0'), 'hex') || link_sealed, ''::bytea ORDER BY created_at, slot) AS codes
     FROM codes GROUP BY attempt_id) c
    WHERE c.attempt_id = attempts.id;

DROP TABLE codes;

ALTER TABLE attempts ADD COLUMN purpose TEXT NOT NULL DEFAULT 'sign-in';

UPDATE attempts SET purpose = 'recovery' WHERE is_rescue = 1;

ALTER TABLE attempts DROP COLUMN is_rescue;
