-- The standing of sending domains.

-- :name standing_of
SELECT domain, good, junk, at FROM standing WHERE domain = ?1;

-- :name standing_put
INSERT INTO standing (domain, good, junk, at) VALUES (?, ?, ?, ?)
ON CONFLICT (domain) DO UPDATE SET good = excluded.good, junk = excluded.junk, at = excluded.at;

-- :name standing_keep_newest
DELETE FROM standing WHERE domain IN (SELECT domain FROM standing ORDER BY at DESC, domain DESC LIMIT -1 OFFSET ?1);

-- :name standing_most
SELECT domain, good, junk, at FROM standing ORDER BY junk DESC, domain DESC LIMIT ?1;
