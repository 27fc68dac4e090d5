-- Emails: what was noticed of entries, and what accounts make of them.

-- :name entry_file
INSERT INTO entry
    (mailbox, uid, modseq, message, content, content_size, size, plain, deposited_at, flags, keywords, prefix)
VALUES (?, ?, ?, 0, ?, ?, ?, ?, ?, ?, ?, x'');

-- :name entry_flags
SELECT id, flags, keywords FROM entry WHERE mailbox = ?1 AND uid = ?2;

-- :name entry_flag
UPDATE entry SET flags = ?2, keywords = ?3, modseq = ?4 WHERE id = ?1;

-- :name entry_uids
SELECT uid FROM entry WHERE mailbox = ?1 ORDER BY uid;

-- :name mailbox_change
UPDATE mailbox SET name = ?2, sort_order = ?3, subscribed = ?4 WHERE id = ?1;

-- :name mailbox_delete
DELETE FROM mailbox WHERE id = ?1;

-- :name mailbox_is_inbox
SELECT 1 FROM mailbox JOIN account ON account.id = mailbox.account
WHERE mailbox.id = ?1 AND account.inbox = ?1;

-- :name email_state
SELECT state FROM email_account WHERE account = ?1;

-- :name email_account_insert
INSERT INTO email_account (account, state) VALUES (?1, 0) ON CONFLICT DO NOTHING;

-- :name email_step
-- Returns nothing for an account of which nothing was noticed.
UPDATE email_account SET state = state + ?2 WHERE account = ?1 RETURNING state;

-- :name email_of_mailbox
-- The account of a mailbox, if it was noticed.
SELECT account FROM email_mailbox WHERE mailbox = ?1;

-- :name email_mailboxes_missing
SELECT id FROM mailbox
WHERE account = ?1 AND NOT EXISTS (SELECT 1 FROM email_mailbox WHERE mailbox = mailbox.id)
ORDER BY id;

-- :name email_mailbox_insert
INSERT INTO email_mailbox (mailbox, account, made, changed, counted, noticed_uid)
VALUES (?1, ?2, ?3, ?3, ?3, 1);

-- :name email_mailbox_counted
UPDATE email_mailbox SET counted = ?2 WHERE mailbox = ?1;

-- :name email_mailbox_changed
UPDATE email_mailbox SET changed = ?2 WHERE mailbox = ?1;

-- :name email_mailbox_noticed
UPDATE email_mailbox SET noticed_uid = max(noticed_uid, ?3) WHERE mailbox = ?1 AND account = ?2;

-- :name email_mailbox_delete
DELETE FROM email_mailbox WHERE mailbox = ?1 RETURNING made;

-- :name email_mailbox_gone_insert
INSERT INTO email_mailbox_gone (account, gone, mailbox, made) VALUES (?, ?, ?, ?);

-- :name email_insert
-- Of an entry that is there, in a mailbox of the account, and is not known yet.
INSERT INTO email
    (id, account, entry, mailbox, thread, created, changed, received_at, sent_at, size, flags, keywords,
     attachment, author, addressee, subject, summary)
SELECT ?1, ?2, entry.id, entry.mailbox, ?5, ?6, ?6, deposited_at, coalesce(?7, deposited_at), size, flags,
       keywords, ?8, ?9, ?10, ?11, ?12
FROM entry
WHERE entry.mailbox = ?3 AND entry.uid = ?4;

-- :name email_may_be_noticed
SELECT 1 FROM entry JOIN email_mailbox ON email_mailbox.mailbox = entry.mailbox
WHERE entry.mailbox = ?1 AND entry.uid = ?2 AND account = ?3
  AND NOT EXISTS (SELECT 1 FROM email WHERE email.entry = entry.id OR email.id = ?4);

-- :name email_words_insert
INSERT INTO email_words (rowid, account, author, addressed, cc, bcc, subject, body)
VALUES (?, ?, ?, ?, ?, ?, ?, ?);

-- :name email_words_few
-- Counts no further than the limit.
SELECT count(*) FROM (SELECT rowid FROM email_words WHERE email_words MATCH ?1 LIMIT ?2);

-- :name email_words_delete
DELETE FROM email_words WHERE rowid = ?1;

-- :name email_thread_get
SELECT thread FROM email_thread WHERE account = ?1 AND key = ?2;

-- :name email_thread_insert
INSERT INTO email_thread (account, key, thread) VALUES (?1, ?2, ?3) ON CONFLICT DO NOTHING;

-- :name email_thread_delete
-- Once none of its emails is left.
DELETE FROM email_thread WHERE account = ?1 AND thread = ?2
  AND NOT EXISTS (SELECT 1 FROM email WHERE email.account = ?1 AND email.thread = ?2);

-- :name email_moved
UPDATE email SET mailbox = ?2, changed = ?3
WHERE entry = (SELECT id FROM entry WHERE mailbox = ?2 AND uid = ?1);

-- :name email_of_entry
SELECT email.id, thread, created, account
FROM email JOIN entry ON entry.id = email.entry
WHERE entry.mailbox = ?1 AND entry.uid = ?2;

-- :name email_flag
UPDATE email SET flags = ?2, keywords = ?3, changed = ?4 WHERE entry = ?1;

-- :name email_known
SELECT 1 FROM email WHERE entry = ?1;

-- :name email_delete
DELETE FROM email WHERE id = ?1;

-- :name email_gone_insert
INSERT INTO email_gone (account, gone, email, thread, created) VALUES (?, ?, ?, ?, ?);

-- :name email_gone_forget
DELETE FROM email_gone WHERE account = ?1 AND gone <= ?2;

-- :name email_mailbox_gone_forget
DELETE FROM email_mailbox_gone WHERE account = ?1 AND gone <= ?2;

-- :name email_delete_words_of_account
DELETE FROM email_words WHERE rowid IN (SELECT id FROM email WHERE account = ?1);

-- :name email_boxes
SELECT id, name, sort_order, subscribed, made, changed, counted
FROM email_mailbox JOIN mailbox ON mailbox.id = email_mailbox.mailbox
WHERE email_mailbox.account = ?1 ORDER BY id;

-- :name email_boxes_gone
SELECT mailbox, made, gone FROM email_mailbox_gone WHERE account = ?1 AND gone > ?2 ORDER BY gone;

-- :name email_counts
SELECT count(*), coalesce(sum(flags & 9 = 0), 0), count(DISTINCT thread),
       count(DISTINCT CASE WHEN flags & 9 = 0 THEN thread END)
FROM email WHERE mailbox = ?1;

-- :name email_behind
-- Mailboxes of an account with entries that may not be known.
SELECT id, uid_next, coalesce(noticed_uid, 1), noticed_uid IS NULL
FROM mailbox LEFT JOIN email_mailbox ON email_mailbox.mailbox = mailbox.id
WHERE mailbox.account = ?1 AND (noticed_uid IS NULL OR noticed_uid < uid_next)
ORDER BY id;

-- :name email_unnoticed
SELECT uid, prefix, content, content_size, plain, size, message, deposited_at, modseq
FROM entry
WHERE mailbox = ?1 AND uid >= ?2 AND NOT EXISTS (SELECT 1 FROM email WHERE email.entry = entry.id)
ORDER BY uid LIMIT ?3;

-- :name email_get
SELECT email.id, thread, email.mailbox, uid, created, changed, received_at, email.size, email.flags,
       email.keywords, attachment, summary
FROM email JOIN entry ON entry.id = email.entry
WHERE email.id = ?2 AND email.account = ?1;

-- :name email_bytes
SELECT email.id, prefix, content, content_size, plain, entry.size, message
FROM email JOIN entry ON entry.id = email.entry
WHERE email.id = ?2 AND email.account = ?1;

-- :name email_at
SELECT email.id FROM email JOIN entry ON entry.id = email.entry
WHERE email.account = ?1 AND entry.mailbox = ?2 AND entry.uid = ?3;

-- :name email_in_thread
SELECT thread, id FROM email WHERE account = ?1 AND thread = ?2 ORDER BY received_at, id;

-- :name email_changes
SELECT id, thread, created, changed, 0 FROM email WHERE account = ?1 AND changed > ?2
UNION ALL
SELECT email, thread, created, gone, 1 FROM email_gone WHERE account = ?1 AND gone > ?2
ORDER BY 4 LIMIT ?3;

-- :name identity_put
INSERT INTO identity (account, id, identity) VALUES (?1, ?2, ?3)
ON CONFLICT (account, id) DO UPDATE SET identity = excluded.identity;

-- :name identity_delete
DELETE FROM identity WHERE account = ?1 AND id = ?2;

-- :name identity_of_account
SELECT identity FROM identity WHERE account = ?1 ORDER BY id;

-- :name upload_insert
INSERT INTO upload (id, account, size, media_type, at) VALUES (?, ?, ?, ?, ?);

-- :name upload_get
SELECT id, account, size, media_type, at FROM upload WHERE account = ?1 AND id = ?2;

-- :name upload_forget
DELETE FROM upload WHERE at < ?1 RETURNING id, 0;

-- :name upload_delete_account
DELETE FROM upload WHERE account = ?1 RETURNING id, 0;

-- :name submission_insert
INSERT INTO submission (account, id, submission) VALUES (?1, ?2, ?3) ON CONFLICT DO NOTHING;

-- :name submission_forget
DELETE FROM submission
WHERE account = ?1 AND id IN (SELECT id FROM submission WHERE account = ?1 ORDER BY id DESC LIMIT -1 OFFSET ?2);

-- :name submission_of_account
SELECT submission FROM submission WHERE account = ?1 ORDER BY id DESC;
