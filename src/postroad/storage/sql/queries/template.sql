-- Templates and their versions.

-- :name template_live
SELECT name, version, live, source, sample, saved_at, author FROM template WHERE name = ?1 AND live = 1;

-- :name template_get
SELECT name, version, live, source, sample, saved_at, author FROM template
WHERE name = ?1 AND version = ?2;

-- :name template_list
-- One version of each name: the live one, or else the newest.
SELECT name, version, live, layout, saved_at, author FROM template AS each
WHERE live = 1 OR version = (
    SELECT max(version) FROM template AS other WHERE other.name = each.name
    AND NOT EXISTS (SELECT 1 FROM template AS shown WHERE shown.name = each.name AND shown.live = 1)
)
ORDER BY name;

-- :name template_versions
SELECT name, version, live, layout, saved_at, author FROM template
WHERE name = ?1 ORDER BY version DESC;

-- :name template_newest
SELECT coalesce(max(version), 0) FROM template WHERE name = ?1;

-- :name template_insert
INSERT INTO template (name, version, live, layout, source, sample, saved_at, author)
VALUES (?, ?, ?, ?, ?, ?, ?, ?);

-- :name template_not_live
UPDATE template SET live = 0 WHERE name = ?1 AND live = 1;

-- :name template_live_set
UPDATE template SET live = 1 WHERE name = ?1 AND version = ?2;

-- :name template_prune
-- Of the versions of a name, the newest ?2 stay, and the live one.
DELETE FROM template WHERE name = ?1 AND live = 0 AND version NOT IN (
    SELECT version FROM template WHERE name = ?1 ORDER BY version DESC LIMIT ?2
);

-- :name template_delete
DELETE FROM template WHERE name = ?1;
