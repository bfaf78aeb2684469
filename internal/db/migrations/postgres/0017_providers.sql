-- What a person is called at the provider of an account, and how the provider says that they
-- proved who they are (amr, acr and auth_time of OIDC Core 2).
ALTER TABLE accounts ADD COLUMN label TEXT NOT NULL DEFAULT '';
ALTER TABLE proofs ADD COLUMN amr TEXT NOT NULL DEFAULT '';
ALTER TABLE proofs ADD COLUMN acr TEXT NOT NULL DEFAULT '';
ALTER TABLE proofs ADD COLUMN auth_time BIGINT NOT NULL DEFAULT 0;
