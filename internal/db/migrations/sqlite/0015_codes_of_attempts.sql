-- Codes lie in the row of their attempt; package multifactor says in which form.
ALTER TABLE attempts ADD COLUMN codes BLOB NOT NULL DEFAULT x'';

UPDATE attempts SET codes = coalesce((SELECT unhex(group_concat(code, '')) FROM
    (SELECT printf('%02x%016x%016x%016x', is_long, created_at, expires_at, generation) || hex(mac) || hex(link_hash)
        || printf('%02x', length(link_sealed)) || hex(link_sealed) AS code
     FROM codes WHERE attempt_id = attempts.id ORDER BY created_at, slot)), x'');

DROP TABLE codes;

ALTER TABLE attempts ADD COLUMN purpose TEXT NOT NULL DEFAULT 'sign-in';

UPDATE attempts SET purpose = 'recovery' WHERE is_rescue = 1;

ALTER TABLE attempts DROP COLUMN is_rescue;
