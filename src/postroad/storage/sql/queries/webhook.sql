-- Whom we tell by HTTPS what became of mail.

-- :name webhook_list
SELECT settings FROM webhook ORDER BY name;

-- :name webhook_cursor
SELECT cursor FROM webhook WHERE id = ?1;

-- :name webhook_taken
SELECT 1 FROM webhook WHERE name = ?1 OR id = ?2;

-- :name webhook_insert
INSERT INTO webhook (id, name, settings, cursor)
VALUES (?, ?, ?, (SELECT coalesce(max(sequence), 0) FROM journey));

-- :name webhook_update
UPDATE webhook SET settings = ?3 WHERE id = ?1 AND name = ?2;

-- :name webhook_delete
DELETE FROM webhook WHERE name = ?1 RETURNING id;

-- :name webhook_posts_delete
DELETE FROM webhook_post WHERE webhook = ?1;

-- :name webhook_moved
UPDATE webhook SET cursor = coalesce(?2, cursor) WHERE id = ?1;

-- :name webhook_post_put
INSERT INTO webhook_post (webhook, sequence, ordinal, dead, post) VALUES (?, ?, ?, ?, ?)
ON CONFLICT (webhook, sequence, ordinal) DO UPDATE SET dead = excluded.dead, post = excluded.post;

-- :name webhook_post_done
DELETE FROM webhook_post WHERE webhook = ?1 AND sequence = ?2 AND ordinal = ?3;

-- :name webhook_post_keep_dead
DELETE FROM webhook_post
WHERE webhook = ?1 AND dead = 1
  AND (sequence, ordinal) <= (SELECT sequence, ordinal FROM webhook_post
                              WHERE webhook = ?1 AND dead = 1
                              ORDER BY sequence DESC, ordinal DESC LIMIT 1 OFFSET ?2);

-- :name webhook_posts
SELECT post FROM webhook_post WHERE webhook = ?1 AND dead = ?2
ORDER BY sequence, ordinal LIMIT ?3;

-- :name webhook_post_count
SELECT count(*) FROM webhook_post WHERE webhook = ?1 AND dead = ?2;
