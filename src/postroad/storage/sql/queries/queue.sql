-- Accepting, attempting, leasing and looking at the queue.

-- :name message_insert
INSERT INTO message (id, accepted_at, sender, message_id, content, accepted, marks)
VALUES (?, ?, ?, ?, ?, ?, ?);

-- :name delivery_insert
INSERT INTO delivery (message, ordinal, recipient, original, destination, state, due_at, wake_at, node,
                      attempts, delay_notified, last, ended_at)
VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?);

-- :name delivery_attempted
-- What an attempt came to. A delivery that ended meanwhile (dropped) stays ended, one that an operator
-- held meanwhile stays held unless the attempt ended it.
UPDATE delivery
SET state = CASE WHEN ended_at IS NOT NULL OR (state = 'held' AND ?1 = 'due') THEN state ELSE ?1 END,
    due_at = CASE WHEN ended_at IS NOT NULL THEN due_at ELSE coalesce(?2, due_at) END,
    wake_at = CASE WHEN ended_at IS NOT NULL OR (state = 'held' AND ?1 = 'due') THEN NULL ELSE ?3 END,
    node = NULL,
    attempts = attempts + 1,
    delay_notified = max(delay_notified, ?5),
    last = ?6,
    ended_at = coalesce(ended_at, ?4)
WHERE message = ?7 AND ordinal = ?8;

-- :name delivery_leased
UPDATE delivery SET state = 'leased', wake_at = ?1, node = ?2
WHERE message = ?3 AND ordinal = ?4 AND state IN ('due', 'leased');

-- :name delivery_released
UPDATE delivery SET state = 'due', due_at = ?1, wake_at = ?1, node = NULL
WHERE message = ?2 AND ordinal = ?3 AND state = 'leased';

-- :name delivery_put_off
UPDATE delivery SET state = 'due', due_at = ?1, wake_at = ?1, node = NULL, last = ?2
WHERE message = ?3 AND ordinal = ?4 AND state = 'leased';

-- :name delivery_held
UPDATE delivery SET state = 'held', wake_at = NULL, node = NULL
WHERE message = ?2 AND ordinal = ?3 AND state IN ('due', 'leased') AND ?1 IS NOT NULL;

-- :name delivery_retried
-- A leased delivery is being tried at this moment: it is left alone.
UPDATE delivery SET state = 'due', due_at = ?1, wake_at = ?1
WHERE message = ?2 AND ordinal = ?3 AND state IN ('due', 'held');

-- :name delivery_dropped
UPDATE delivery SET state = 'dropped', wake_at = NULL, node = NULL, ended_at = ?1
WHERE message = ?2 AND ordinal = ?3 AND ended_at IS NULL;

-- :name delivery_cancelled
-- A leased delivery is being tried at this moment: it is too late.
UPDATE delivery SET state = 'dropped', wake_at = NULL, node = NULL, ended_at = ?1
WHERE message = ?2 AND ordinal = ?3 AND state IN ('due', 'held');

-- :name waiting_walk
-- The first of those that are due, in order; the caller leaves out what it does not want.
SELECT message, ordinal, destination, wake_at
FROM delivery
WHERE ended_at IS NULL AND wake_at <= ?1
ORDER BY wake_at, message, ordinal
LIMIT ?2;

-- :name waiting_destinations
-- Every destination that has something waiting, and when; one seek in the index for each.
WITH RECURSIVE waiting (destination) AS (
    SELECT min(destination) FROM delivery WHERE ended_at IS NULL
    UNION ALL
    SELECT (SELECT min(destination) FROM delivery
            WHERE ended_at IS NULL AND destination > waiting.destination)
    FROM waiting
    WHERE waiting.destination IS NOT NULL
)
SELECT destination,
       (SELECT min(wake_at) FROM delivery
        WHERE ended_at IS NULL AND destination = waiting.destination) AS first_at
FROM waiting
WHERE destination IS NOT NULL;

-- :name waiting_of_destination
SELECT message, ordinal, destination, wake_at
FROM delivery
WHERE ended_at IS NULL AND destination = ?1 AND wake_at <= ?2
ORDER BY wake_at, message, ordinal
LIMIT ?3;

-- :name waiting_first
SELECT wake_at, destination
FROM delivery
WHERE ended_at IS NULL AND wake_at IS NOT NULL
ORDER BY wake_at
LIMIT ?1;

-- :name leased_all
-- What anybody has in hand.
SELECT node, delivery.message, destination, message.accepted, ordinal, state, due_at, attempts, delay_notified, last
FROM delivery JOIN message ON message.id = delivery.message
WHERE ended_at IS NULL AND state = 'leased'
ORDER BY delivery.message, ordinal;

-- :name leased_nodes
SELECT DISTINCT node FROM delivery
WHERE ended_at IS NULL AND state = 'leased' AND node IS NOT NULL ORDER BY node;

-- :name message_get
SELECT accepted FROM message WHERE id = ?1;

-- :name delivery_states
SELECT ordinal, state, due_at, attempts, delay_notified, last
FROM delivery WHERE message = ?1 ORDER BY ordinal;

-- :name delivery_leases
SELECT ordinal, coalesce(node, ''), wake_at FROM delivery
WHERE message = ?1 AND state = 'leased' ORDER BY ordinal;

-- :name delivery_to_lease
-- As it will be, and who had it in hand.
SELECT ordinal, 'leased', due_at, attempts, delay_notified, last, coalesce(node, '')
FROM delivery WHERE message = ?1 AND ordinal = ?2;

-- :name delivery_ended
SELECT ended_at IS NOT NULL FROM delivery WHERE message = ?1 AND ordinal = ?2;

-- :name delivery_counts
SELECT state, count(*) FROM delivery WHERE ended_at IS NULL GROUP BY state;
