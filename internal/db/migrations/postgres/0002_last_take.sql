ALTER TABLE budgets RENAME COLUMN granted TO last_take;
