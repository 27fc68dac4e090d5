-- How much mail there was, by the minute and by the hour.

-- :name figure_add
INSERT INTO figure (span, at, stream, provider, accepted, delivered, deferred, bounced, unknown)
VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9)
ON CONFLICT (span, at, stream, provider) DO UPDATE SET
    accepted  = figure.accepted + excluded.accepted,
    delivered = figure.delivered + excluded.delivered,
    deferred  = figure.deferred + excluded.deferred,
    bounced   = figure.bounced + excluded.bounced,
    unknown   = figure.unknown + excluded.unknown;

-- :name figure_seconds_add
INSERT INTO figure_seconds (span, at, part, count) VALUES (?1, ?2, ?3, ?4)
ON CONFLICT (span, at, part) DO UPDATE SET count = figure_seconds.count + excluded.count;

-- :name figure_forget
DELETE FROM figure WHERE span = ?1 AND at < ?2;

-- :name figure_seconds_forget
DELETE FROM figure_seconds WHERE span = ?1 AND at < ?2;

-- :name figure_over_time
SELECT at / ?4 * ?4, CAST(sum(accepted) AS bigint), CAST(sum(delivered) AS bigint),
       CAST(sum(deferred) AS bigint), CAST(sum(bounced) AS bigint), CAST(sum(unknown) AS bigint)
FROM figure WHERE span = ?1 AND at >= ?2 AND at < ?3
GROUP BY 1 ORDER BY 1;

-- :name figure_seconds_over_time
SELECT at / ?4 * ?4, part, CAST(sum(count) AS bigint)
FROM figure_seconds WHERE span = ?1 AND at >= ?2 AND at < ?3
GROUP BY 1, 2 ORDER BY 1, 2;

-- :name figure_totals
SELECT stream, provider, CAST(sum(accepted) AS bigint), CAST(sum(delivered) AS bigint),
       CAST(sum(deferred) AS bigint), CAST(sum(bounced) AS bigint), CAST(sum(unknown) AS bigint)
FROM figure WHERE span = ?1 AND at >= ?2 AND at < ?3
GROUP BY stream, provider ORDER BY stream, provider;
