ALTER TABLE accounts ADD COLUMN code_generation INTEGER NOT NULL DEFAULT 0;

ALTER TABLE codes ADD COLUMN generation INTEGER NOT NULL DEFAULT 0;

UPDATE codes SET expires_at = 0 WHERE EXISTS (SELECT 1 FROM attempts t JOIN accounts a ON a.id = t.account_id
    WHERE t.id = codes.attempt_id AND codes.created_at <= a.codes_valid_from);

ALTER TABLE accounts DROP COLUMN codes_valid_from;
