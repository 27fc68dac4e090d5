-- Who gets nothing of a stream any more.

-- :name suppression_of
SELECT address, stream, reason, evidence, since FROM suppression WHERE stream = ?1 AND folded = ?2;

-- :name suppression_put
-- The first reason stays.
INSERT INTO suppression (stream, folded, domain, address, reason, evidence, since)
VALUES (?, ?, ?, ?, ?, ?, ?)
ON CONFLICT (stream, folded) DO NOTHING;

-- :name suppression_delete
DELETE FROM suppression WHERE stream = ?1 AND folded = ?2;

-- :name suppression_page
SELECT address, stream, reason, evidence, since FROM suppression
WHERE (stream, folded) > (?1, ?2)
  AND stream = coalesce(?3, stream) AND folded = coalesce(?4, folded) AND domain = coalesce(?5, domain)
ORDER BY stream, folded LIMIT ?6;
