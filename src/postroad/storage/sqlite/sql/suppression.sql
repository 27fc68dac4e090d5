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
  AND (?3 IS NULL OR stream = ?3) AND (?4 IS NULL OR folded = ?4) AND (?5 IS NULL OR domain = ?5)
ORDER BY stream, folded LIMIT ?6;
