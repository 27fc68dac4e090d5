-- What came by the HTTP API.

-- :name answer_get
SELECT digest, answer, expires_at FROM kept_answer WHERE scope = ?1 AND key = ?2 AND expires_at > ?3;

-- :name answer_forget
DELETE FROM kept_answer WHERE expires_at <= ?1;

-- :name answer_insert
INSERT INTO kept_answer (scope, key, digest, answer, expires_at) VALUES (?, ?, ?, ?, ?)
ON CONFLICT (scope, key) DO NOTHING;

-- :name find_all
-- The newest messages; the statements differ only in where they begin. The domain of a sender is what
-- stands behind its last @; it is looked for among those asked for at once, for there may be thousands.
SELECT m.id FROM message m
WHERE m.id BETWEEN :first AND :last
  AND (:states IS NULL OR EXISTS (SELECT 1 FROM delivery s WHERE s.message = m.id
       AND s.state IN (SELECT value FROM json_each(:states))))
  AND (:domains IS NULL OR substr(m.sender, length(rtrim(m.sender, replace(m.sender, '@', ''))) + 1) IN
       (SELECT value FROM json_each(:domains)))
ORDER BY m.id DESC LIMIT :limit;

-- :name find_by_mark
SELECT m.id FROM mark k CROSS JOIN message m ON m.id = k.message
WHERE k.mark = :mark AND k.message BETWEEN :first AND :last
  AND NOT EXISTS (SELECT 1 FROM json_each(:marks) a
       WHERE NOT EXISTS (SELECT 1 FROM mark o WHERE o.mark = a.value AND o.message = m.id))
  AND (:states IS NULL OR EXISTS (SELECT 1 FROM delivery s WHERE s.message = m.id
       AND s.state IN (SELECT value FROM json_each(:states))))
  AND (:domains IS NULL OR substr(m.sender, length(rtrim(m.sender, replace(m.sender, '@', ''))) + 1) IN
       (SELECT value FROM json_each(:domains)))
ORDER BY k.message DESC LIMIT :limit;

-- :name find_by_recipient
SELECT DISTINCT d.message FROM delivery d CROSS JOIN message m ON m.id = d.message
WHERE d.recipient = :recipient AND d.message BETWEEN :first AND :last
  AND (:marks IS NULL OR NOT EXISTS (SELECT 1 FROM json_each(:marks) a
       WHERE NOT EXISTS (SELECT 1 FROM mark o WHERE o.mark = a.value AND o.message = m.id)))
  AND (:states IS NULL OR EXISTS (SELECT 1 FROM delivery s WHERE s.message = m.id
       AND s.state IN (SELECT value FROM json_each(:states))))
  AND (:domains IS NULL OR substr(m.sender, length(rtrim(m.sender, replace(m.sender, '@', ''))) + 1) IN
       (SELECT value FROM json_each(:domains)))
ORDER BY d.message DESC LIMIT :limit;

-- :name find_by_original
SELECT DISTINCT d.message FROM delivery d CROSS JOIN message m ON m.id = d.message
WHERE d.original = :recipient AND d.message BETWEEN :first AND :last
  AND (:marks IS NULL OR NOT EXISTS (SELECT 1 FROM json_each(:marks) a
       WHERE NOT EXISTS (SELECT 1 FROM mark o WHERE o.mark = a.value AND o.message = m.id)))
  AND (:states IS NULL OR EXISTS (SELECT 1 FROM delivery s WHERE s.message = m.id
       AND s.state IN (SELECT value FROM json_each(:states))))
  AND (:domains IS NULL OR substr(m.sender, length(rtrim(m.sender, replace(m.sender, '@', ''))) + 1) IN
       (SELECT value FROM json_each(:domains)))
ORDER BY d.message DESC LIMIT :limit;
