-- What is in a whole database: for backups and their comparison.

-- :name snapshot_large
SELECT id, size, begins, digest FROM content WHERE place <> 'inline' ORDER BY id;

-- :name count_messages
SELECT count(*) FROM message;

-- :name count_deliveries
SELECT count(*) FROM delivery;

-- :name count_contents
SELECT count(*) FROM content;

-- :name count_large_contents
SELECT count(*) FROM content WHERE place <> 'inline';

-- :name count_entries
SELECT count(*) FROM entry;

-- :name count_accounts
SELECT count(*) FROM account;

-- :name count_journey_rows
SELECT count(*) FROM journey;

-- :name words_wanting_count
SELECT count(*) FROM email WHERE id NOT IN (SELECT rowid FROM email_words);

-- :name words_wanting
-- Emails without words, with what they say.
SELECT email.id, email.account, entry.prefix, content.id, content.size, content.place, content.begins,
       content.data
FROM email JOIN entry ON entry.id = email.entry JOIN content ON content.id = entry.content
WHERE email.id > ?1 AND NOT EXISTS (SELECT 1 FROM email_words WHERE rowid = email.id)
ORDER BY email.id LIMIT ?2;
