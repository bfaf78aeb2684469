-- The last renewal of its session whose proofs count for a cookie of a site, as when the session
-- was handed over: a cookie there is not renewed when a proof is added.
ALTER TABLE site_sessions ADD COLUMN renewal BIGINT NOT NULL DEFAULT 0;
ALTER TABLE handoffs ADD COLUMN renewal BIGINT NOT NULL DEFAULT 0;
