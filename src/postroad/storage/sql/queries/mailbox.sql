-- Mailboxes and their entries.

-- :name entry_deposit
-- Of a message that came in the same transaction, with its content.
INSERT INTO entry
    (mailbox, uid, modseq, message, content, content_size, size, plain, deposited_at, prefix)
VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?);

-- :name entry_deposit_later
-- Nothing is inserted where the content is gone, or where the delivery already ended: its message
-- has then been deposited before.
INSERT INTO entry
    (mailbox, uid, modseq, message, content, content_size, size, plain, deposited_at, prefix)
SELECT ?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10
WHERE EXISTS (SELECT 1 FROM content WHERE content.id = ?5)
  AND NOT EXISTS (SELECT 1 FROM delivery
                  WHERE message = ?4 AND ordinal = ?11 AND ended_at IS NOT NULL);

-- :name mailbox_next
SELECT uid_next, modseq FROM mailbox WHERE id = ?1;

-- :name mailbox_grown
UPDATE mailbox SET uid_next = uid_next + ?2, modseq = modseq + ?2 WHERE id = ?1;

-- :name mailbox_shrunk
UPDATE mailbox SET modseq = modseq + 1 WHERE id = ?1;

-- :name mailbox_left
UPDATE mailbox SET modseq = modseq + ?2 WHERE id = ?1;

-- :name mailbox_of_account
SELECT id, account, name, uid_validity,
       (SELECT count(*) FROM entry WHERE entry.mailbox = mailbox.id),
       (SELECT coalesce(sum(size), 0) FROM entry WHERE entry.mailbox = mailbox.id),
       uid_next, modseq
FROM mailbox WHERE account = ?1 ORDER BY name;

-- :name mailbox_account
SELECT account FROM mailbox WHERE id = ?1;

-- :name entry_move
-- Returns the message, null where its journey was pruned.
UPDATE entry SET mailbox = ?3, uid = ?4, modseq = ?5 WHERE mailbox = ?1 AND uid = ?2
RETURNING (SELECT id FROM message WHERE message.id = entry.message);

-- :name mailbox_get
SELECT id, account, name, uid_validity, uid_next FROM mailbox WHERE id = ?1;

-- :name mailbox_named
SELECT id, account, name, uid_validity FROM mailbox WHERE account = ?1 AND name = ?2;

-- :name mailbox_insert
INSERT INTO mailbox (id, account, name, uid_validity, uid_next, modseq) VALUES (?, ?, ?, ?, 1, 0);

-- :name mailbox_delete_account
DELETE FROM mailbox WHERE account = ?1 RETURNING id;

-- :name entry_delete
DELETE FROM entry WHERE mailbox = ?1 AND uid = ?2 RETURNING content, message;

-- :name entry_delete_mailbox
DELETE FROM entry WHERE mailbox = ?1 RETURNING content, message;

-- :name entry_listing
-- One row whatever the number of entries: two JSON lists, made without a step per entry.
SELECT json_group_array(uid), json_group_array(size)
FROM (SELECT uid, size FROM entry WHERE mailbox = ?1 ORDER BY uid) AS ordered;

-- :name entry_get
SELECT uid, prefix, content, content_size, plain, size, message, deposited_at, modseq
FROM entry WHERE mailbox = ?1 AND uid = ?2;

-- :name entry_inline
-- Small messages of a range, with their bytes; those in files are left out.
SELECT uid, prefix, data, plain
FROM entry JOIN content ON content.id = entry.content
WHERE mailbox = ?1 AND uid BETWEEN ?2 AND ?3 AND entry.size <= ?4 AND place = 'inline'
ORDER BY uid;
