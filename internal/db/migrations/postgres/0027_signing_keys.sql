-- Keys that sign tokens. sealed is the private key, bound to its row and to the public JWK; of
-- a key that signs no more it holds nothing, and still proves that the row was made here.
CREATE TABLE signing_keys (
    id           BIGINT PRIMARY KEY,
    alg          TEXT NOT NULL,
    state        TEXT NOT NULL,
    public       TEXT NOT NULL,
    sealed       BYTEA NOT NULL,
    created_at   BIGINT NOT NULL,
    activated_at BIGINT NOT NULL DEFAULT 0,
    retired_at   BIGINT NOT NULL DEFAULT 0
);

-- One active key and one next for each algorithm, whoever makes them at once.
CREATE UNIQUE INDEX signing_keys_state ON signing_keys (alg, state) WHERE state <> 'old';
