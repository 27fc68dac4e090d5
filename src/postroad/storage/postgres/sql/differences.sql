-- Statements of the same names as in `storage/sql/queries`, where PostgreSQL needs another shape; and, at
-- the end, what only PostgreSQL needs.

-- :name content_piece
-- Offsets and counts of substr are 32 bits wide.
SELECT place, substr(data, least(?2::bigint + 1, 1073741824)::integer, least(?3::bigint, 1073741823)::integer), begins
FROM content WHERE id = ?1;

-- :name message_insert
-- SQLite has triggers for the marks.
WITH marked AS (
    INSERT INTO mark (mark, message)
    SELECT DISTINCT value, ?1::bigint FROM jsonb_array_elements_text(replace(?7::text, '\u0000', '\ufffd')::jsonb) AS each_one(value)
)
INSERT INTO message (id, accepted_at, sender, message_id, content, accepted, marks)
VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7::text);

-- :name prune_message
WITH unmarked AS (DELETE FROM mark WHERE message = ?1)
DELETE FROM message WHERE id = ?1;

-- :name waiting_walk
-- What another node is about to lease is passed over.
SELECT message, ordinal, destination, wake_at
FROM delivery
WHERE ended_at IS NULL AND wake_at <= ?1
ORDER BY wake_at, message, ordinal
LIMIT ?2
FOR UPDATE SKIP LOCKED;

-- :name waiting_of_destination
SELECT message, ordinal, destination, wake_at
FROM delivery
WHERE ended_at IS NULL AND destination = ?1 AND wake_at <= ?2
ORDER BY wake_at, message, ordinal
LIMIT ?3
FOR UPDATE SKIP LOCKED;

-- :name delivery_attempted
UPDATE delivery
SET state = CASE WHEN ended_at IS NOT NULL OR (state = 'held' AND ?1 = 'due') THEN state ELSE ?1 END,
    due_at = CASE WHEN ended_at IS NOT NULL THEN due_at ELSE coalesce(?2::float8, due_at) END,
    wake_at = CASE WHEN ended_at IS NOT NULL OR (state = 'held' AND ?1 = 'due') THEN NULL ELSE ?3::float8 END,
    node = NULL,
    attempts = attempts + 1,
    delay_notified = greatest(delay_notified, ?5),
    last = ?6,
    ended_at = coalesce(ended_at, ?4::float8)
WHERE message = ?7 AND ordinal = ?8;

-- :name email_counts
SELECT count(*), count(*) FILTER (WHERE flags & 9 = 0), count(DISTINCT thread),
       count(DISTINCT CASE WHEN flags & 9 = 0 THEN thread END)
FROM email WHERE mailbox = ?1;

-- :name email_words_insert
INSERT INTO email_words (rowid, account, author, addressed, cc, bcc, subject, body)
VALUES (?, ?, ?::text::tsvector, ?::text::tsvector, ?::text::tsvector, ?::text::tsvector, ?::text::tsvector,
        ?::text::tsvector);

-- :name turn_take
-- Who changes anything does so in turn: what is read in a transaction stays true until its end, and the
-- journey is numbered in the order of the commits. Held by a row, so nothing is left when a node dies.
-- Tells whether a backup has asked that no contents be removed until a time to come.
SELECT CASE WHEN value <> '' AND value::float8 > extract(epoch FROM clock_timestamp()) THEN 1 ELSE 0 END
FROM setting WHERE name = 'turn' FOR UPDATE;

-- :name turn_look
SELECT CASE WHEN value <> '' AND value::float8 > extract(epoch FROM clock_timestamp()) THEN 1 ELSE 0 END
FROM setting WHERE name = 'turn';

-- :name turn_keep
UPDATE setting SET value = (extract(epoch FROM clock_timestamp()) + ?1)::text WHERE name = 'turn';

-- :name commit_insert
INSERT INTO commit_id (id, at) VALUES (?1, ?2);

-- :name commit_find
SELECT 1 FROM commit_id WHERE id = ?1;

-- :name commit_forget
DELETE FROM commit_id WHERE at < ?1;

-- :name partition_names
SELECT inhrelid::regclass::text FROM pg_inherits WHERE inhparent = 'journey'::regclass;

-- :name verify_journey_twice
-- A table in parts cannot see to it itself.
SELECT sequence FROM journey GROUP BY sequence HAVING count(*) > 1 LIMIT ?1;

-- :name claim_take
INSERT INTO claim (name, holder, ends) VALUES (?1, ?2, extract(epoch FROM clock_timestamp()) + ?3)
ON CONFLICT (name) DO UPDATE SET holder = excluded.holder, ends = excluded.ends
WHERE claim.holder = excluded.holder OR claim.ends < extract(epoch FROM clock_timestamp())
RETURNING 1;

-- :name claim_renew
UPDATE claim SET ends = extract(epoch FROM clock_timestamp()) + ?3
WHERE holder = ?1 AND name IN (SELECT value FROM json_each(?2));

-- :name claim_drop
DELETE FROM claim WHERE holder = ?1 AND name IN (SELECT value FROM json_each(?2));

-- :name claim_count
SELECT count(*) FROM claim WHERE starts_with(name, ?1) AND ends > extract(epoch FROM clock_timestamp());
