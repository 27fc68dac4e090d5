-- What was sent from which of our addresses.

-- :name source_spent_get
SELECT count FROM source_spent WHERE day = ?1 AND source = ?2 AND provider = ?3;

-- :name source_spent_of_day
SELECT source, provider, count FROM source_spent WHERE day = ?1 ORDER BY source, provider;

-- :name source_spent_add
-- Changes nothing where it would come to more than the cap.
INSERT INTO source_spent (day, source, provider, count) 
SELECT ?1, ?2, ?3, ?4 WHERE ?4 <= ?5
ON CONFLICT (day, source, provider) DO UPDATE SET count = source_spent.count + excluded.count
WHERE source_spent.count + excluded.count <= ?5;

-- :name source_spent_forget
DELETE FROM source_spent WHERE day < ?1;
