-- What this server is at issuers that nobody has configured: it registered itself there (RFC
-- 7591). The secret is sealed.
CREATE TABLE issuers (
    issuer     TEXT PRIMARY KEY,
    client_id  TEXT NOT NULL,
    sealed     BYTEA NOT NULL,
    method     TEXT NOT NULL,
    expires_at BIGINT NOT NULL,
    used_at    BIGINT NOT NULL
);
