-- What must hold between the rows of a sound database. Each statement finds rows that break a rule.

-- :name verify_delivery_message
SELECT DISTINCT message FROM delivery
WHERE NOT EXISTS (SELECT 1 FROM message WHERE id = delivery.message) LIMIT ?1;

-- :name verify_delivery_content
-- Unfinished deliveries need the content of their message.
SELECT DISTINCT message.id, message.content FROM delivery JOIN message ON message.id = delivery.message
WHERE delivery.ended_at IS NULL
  AND NOT EXISTS (SELECT 1 FROM content WHERE id = message.content) LIMIT ?1;

-- :name verify_entry_content
SELECT mailbox, uid, content FROM entry
WHERE NOT EXISTS (SELECT 1 FROM content WHERE id = entry.content) LIMIT ?1;

-- :name verify_entry_sizes
SELECT entry.mailbox, entry.uid FROM entry JOIN content ON content.id = entry.content
WHERE entry.content_size <> content.size
   OR entry.size <> length(entry.prefix) + entry.content_size LIMIT ?1;

-- :name verify_entry_mailbox
SELECT DISTINCT mailbox FROM entry
WHERE NOT EXISTS (SELECT 1 FROM mailbox WHERE id = entry.mailbox) LIMIT ?1;

-- :name verify_mailbox_counters
SELECT mailbox.id FROM mailbox
WHERE uid_next <= (SELECT coalesce(max(uid), 0) FROM entry WHERE mailbox = mailbox.id)
   OR mailbox.modseq < (SELECT coalesce(max(entry.modseq), 0) FROM entry WHERE mailbox = mailbox.id)
LIMIT ?1;

-- :name verify_mailbox_account
SELECT id, account FROM mailbox
WHERE NOT EXISTS (SELECT 1 FROM account WHERE id = mailbox.account) LIMIT ?1;

-- :name verify_account_inbox
SELECT folded FROM account
WHERE NOT EXISTS (SELECT 1 FROM mailbox WHERE id = account.inbox AND account = account.id) LIMIT ?1;

-- :name verify_account_domain
SELECT folded FROM account
WHERE NOT EXISTS (SELECT 1 FROM domain WHERE name = account.domain) LIMIT ?1;

-- :name verify_app_password_account
SELECT DISTINCT account FROM app_password
WHERE NOT EXISTS (SELECT 1 FROM account WHERE id = app_password.account) LIMIT ?1;

-- :name verify_content_size
-- Those in the database itself.
SELECT id, size, length(data) FROM content
WHERE place = 'inline' AND length(data) IS NOT size LIMIT ?1;

-- :name verify_content_needed
SELECT id FROM content
WHERE NOT EXISTS (SELECT 1 FROM entry WHERE entry.content = content.id)
  AND NOT EXISTS (SELECT 1 FROM upload WHERE upload.id = content.id)
  AND NOT EXISTS (
    SELECT 1 FROM message JOIN delivery ON delivery.message = message.id
    WHERE message.content = content.id AND delivery.ended_at IS NULL
  ) LIMIT ?1;

-- :name verify_upload_content
SELECT account, id FROM upload
WHERE NOT EXISTS (SELECT 1 FROM content WHERE id = upload.id AND size = upload.size) LIMIT ?1;

-- :name verify_email_entry
SELECT id FROM email
WHERE NOT EXISTS (SELECT 1 FROM entry WHERE id = email.entry AND mailbox = email.mailbox) LIMIT ?1;

-- :name verify_accepted_page
SELECT id, accepted FROM message WHERE id > ?1 ORDER BY id LIMIT ?2;

-- :name verify_journey_page
SELECT sequence, changes FROM journey
WHERE sequence > ?1 AND changes IS NOT NULL ORDER BY sequence LIMIT ?2;

-- :name verify_large_page
SELECT id, size, begins, digest FROM content
WHERE place <> 'inline' AND id > ?1 ORDER BY id LIMIT ?2;

-- :name verify_large_octets
SELECT coalesce(sum(size), 0) FROM content WHERE place <> 'inline';
