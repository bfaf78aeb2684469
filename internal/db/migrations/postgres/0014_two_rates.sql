-- A row holds two rates of a budget. The rows of what were second rates are of no use
-- any more and go when they are spent out.
ALTER TABLE budgets ADD COLUMN spent_to_2 BIGINT NOT NULL DEFAULT 0;
