-- MTA-STS policies, results for TLS reports.

-- :name sts_policy_put
INSERT INTO sts_policy (domain, expires_at, policy) VALUES (?1, ?2, ?3)
ON CONFLICT (domain) DO UPDATE SET expires_at = excluded.expires_at, policy = excluded.policy;

-- :name sts_policy_expire
DELETE FROM sts_policy WHERE expires_at <= ?1;

-- :name sts_policy_get
SELECT policy FROM sts_policy WHERE domain = ?1;

-- :name tls_result_again
UPDATE tls_result SET count = count + 1 WHERE day = ?1 AND domain = ?2 AND result = ?3;

-- :name tls_result_first
-- Beyond ?4 different ones a domain's day holds no more.
INSERT INTO tls_result (day, domain, result, count)
SELECT ?1, ?2, ?3, 1
WHERE (SELECT count(*) FROM tls_result WHERE day = ?1 AND domain = ?2) < ?4;

-- :name tls_result_delete
DELETE FROM tls_result WHERE day = ?1 AND domain = ?2;

-- :name tls_result_days
SELECT DISTINCT day, domain FROM tls_result WHERE day < ?1 ORDER BY day, domain LIMIT ?2;

-- :name tls_result_get
SELECT result, count FROM tls_result WHERE day = ?1 AND domain = ?2 ORDER BY result;
