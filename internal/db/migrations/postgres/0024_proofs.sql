-- A session holds a proof for each account and each authenticator, not one for each factor.
ALTER TABLE proofs DROP CONSTRAINT proofs_pkey;

ALTER TABLE proofs ADD COLUMN authenticator_id BIGINT NOT NULL DEFAULT 0;
ALTER TABLE proofs ADD COLUMN provider TEXT NOT NULL DEFAULT '';
ALTER TABLE proofs ADD COLUMN is_verified BIGINT NOT NULL DEFAULT 0;
ALTER TABLE proofs ADD COLUMN is_remembered BIGINT NOT NULL DEFAULT 0;

ALTER TABLE proofs ADD PRIMARY KEY (session_id, account_id, authenticator_id);
