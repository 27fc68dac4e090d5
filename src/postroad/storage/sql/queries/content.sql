-- The bytes of messages.

-- :name content_insert
INSERT INTO content (id, size, place, begins, digest, data) VALUES (?, ?, ?, ?, ?, ?);

-- :name content_exists
SELECT 1 FROM content WHERE id = ?1;

-- :name content_stored
SELECT id, size, begins, digest FROM content WHERE id = ?1;

-- :name content_piece
-- Octets from an offset; substr counts from 1.
SELECT place, substr(data, ?2 + 1, ?3), begins FROM content WHERE id = ?1;

-- :name content_sweep_message
-- Called when a delivery of the message ended: remove its content unless somebody still needs it.
DELETE FROM content
WHERE id = (SELECT content FROM message WHERE id = ?1)
  AND NOT EXISTS (SELECT 1 FROM delivery WHERE message = ?1 AND ended_at IS NULL)
  AND NOT EXISTS (SELECT 1 FROM entry WHERE entry.content = content.id);

-- :name content_sweep
-- Called when an entry of the message, that referred to the content, was removed.
DELETE FROM content
WHERE id = ?1
  AND NOT EXISTS (SELECT 1 FROM delivery WHERE message = ?2 AND ended_at IS NULL)
  AND NOT EXISTS (SELECT 1 FROM entry WHERE entry.content = content.id);
