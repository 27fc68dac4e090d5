-- What happened to messages.

-- :name journey_insert
-- A row takes as many places as it has events, and has the last of them.
INSERT INTO journey (sequence, at, message, kind, changes)
VALUES ((SELECT coalesce(max(sequence), 0) FROM journey) + ?, ?, ?, ?, ?);

-- :name journey_told
SELECT 1 FROM journey WHERE message = ? AND at = ? AND kind = ?;

-- :name journey_of_message
SELECT journey.sequence, CASE WHEN kind = 'accepted' THEN message.accepted END, journey.changes
FROM journey LEFT JOIN message ON message.id = journey.message
WHERE journey.message = ?1
ORDER BY journey.sequence;

-- :name journey_after
SELECT journey.sequence, CASE WHEN kind = 'accepted' THEN message.accepted END, journey.changes
FROM journey LEFT JOIN message ON message.id = journey.message
WHERE journey.sequence > ?1
ORDER BY journey.sequence
LIMIT ?2;

-- :name journey_end
SELECT coalesce(max(sequence), 0) FROM journey;

-- :name journey_by_operators
-- What a running server has to learn of commands that were given beside it.
SELECT sequence, changes FROM journey INDEXED BY journey_by_operator
WHERE (kind = 'held' OR kind = 'retried' OR kind = 'dropped') AND sequence > ?1
ORDER BY sequence LIMIT 1000;

-- :name journey_page
-- All rows in order, without the changes where they are too new or about no delivery.
SELECT journey.sequence,
       CASE WHEN journey.at <= ?2 AND kind = 'accepted' THEN message.accepted END,
       CASE WHEN journey.at <= ?2
             AND kind IN ('accepted', 'attempted', 'deposited', 'held', 'retried', 'dropped',
                          'put_off')
            THEN journey.changes END
FROM journey LEFT JOIN message ON message.id = journey.message
WHERE journey.sequence > ?1
ORDER BY journey.sequence
LIMIT ?3;

-- :name find_newest
SELECT accepted FROM message
WHERE accepted_at >= ?1
ORDER BY id DESC LIMIT ?2;

-- :name find_by_message_id
SELECT accepted FROM message
WHERE message_id = ?3 AND message_id <> '' AND accepted_at >= ?1
ORDER BY id DESC LIMIT ?2;

-- :name find_by_address
-- Three walks, each down its own index.
SELECT accepted FROM message
WHERE id IN (SELECT id FROM message WHERE sender = ?3
             UNION SELECT message FROM delivery WHERE recipient = ?3
             UNION SELECT message FROM delivery WHERE original = ?3)
  AND accepted_at >= ?1
ORDER BY id DESC LIMIT ?2;

-- :name find_by_both
SELECT accepted FROM message
WHERE message_id = ?4 AND message_id <> ''
  AND id IN (SELECT id FROM message WHERE sender = ?3
             UNION SELECT message FROM delivery WHERE recipient = ?3
             UNION SELECT message FROM delivery WHERE original = ?3)
  AND accepted_at >= ?1
ORDER BY id DESC LIMIT ?2;

-- :name prunable
-- Messages from an id on, whether they are old enough, whether they can go (all ended before), and how
-- many rows go with them.
SELECT id, accepted_at < ?1,
       accepted_at < ?1
       AND NOT EXISTS (SELECT 1 FROM delivery
                       WHERE delivery.message = message.id
                         AND (delivery.ended_at IS NULL OR delivery.ended_at >= ?1)),
       CASE WHEN accepted_at < ?1
            THEN (SELECT count(*) FROM delivery WHERE delivery.message = message.id)
               + (SELECT count(*) FROM journey WHERE journey.message = message.id) END
FROM message
WHERE id > ?2
ORDER BY id LIMIT ?3;

-- :name prunable_still
-- The one of the journey's newest row stays, so that its sequence is never given again.
SELECT id FROM message
WHERE id = ?1 AND accepted_at < ?2
  AND id IS NOT (SELECT message FROM journey ORDER BY sequence DESC LIMIT 1)
  AND NOT EXISTS (SELECT 1 FROM delivery
                  WHERE delivery.message = message.id
                    AND (delivery.ended_at IS NULL OR delivery.ended_at >= ?2));

-- :name prune_message
DELETE FROM message WHERE id = ?1;

-- :name prune_delivery
DELETE FROM delivery WHERE message = ?1;

-- :name prune_journey
DELETE FROM journey WHERE message = ?1;

-- :name prune_expunged
-- Of what is about no message (any more), only this is many; domains and accounts stay rebuildable.
DELETE FROM journey
WHERE sequence IN (SELECT sequence FROM journey
                   WHERE message IS NULL AND at < ?1 AND kind IN ('expunged', 'moved', 'filed', 'flagged', 'submitted')
                     AND sequence < (SELECT max(sequence) FROM journey)
                   ORDER BY at LIMIT ?2);
