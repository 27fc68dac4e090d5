-- Quotas of accounts, and what they answer while their owners are away.

-- :name quota_put
INSERT INTO quota (account, octets, messages, set_at) VALUES (?1, ?2, ?3, ?4)
ON CONFLICT (account) DO UPDATE SET octets = excluded.octets, messages = excluded.messages, set_at = excluded.set_at;

-- :name quota_get
SELECT octets, messages FROM quota WHERE account = ?1;

-- :name quota_since
SELECT inbox, octets, messages FROM quota JOIN account ON account.id = quota.account
WHERE set_at >= ?1 ORDER BY set_at, quota.account;

-- :name quota_delete
DELETE FROM quota WHERE account = ?1;

-- :name vacation_put
INSERT INTO vacation (account, vacation) VALUES (?1, ?2)
ON CONFLICT (account) DO UPDATE SET vacation = excluded.vacation;

-- :name vacation_get
SELECT vacation FROM vacation WHERE account = ?1;

-- :name vacation_delete
DELETE FROM vacation WHERE account = ?1;

-- :name vacation_answer_put
INSERT INTO vacation_answer (account, sender, at) VALUES (?1, ?2, ?3)
ON CONFLICT (account, sender) DO UPDATE SET at = excluded.at;

-- :name vacation_answer_get
SELECT at FROM vacation_answer WHERE account = ?1 AND sender = ?2;

-- :name vacation_answer_count
SELECT count(*) FROM vacation_answer WHERE account = ?1 AND at >= ?2;

-- :name vacation_answer_forget
DELETE FROM vacation_answer WHERE account = ?1 AND at < ?2;

-- :name vacation_answer_delete_account
DELETE FROM vacation_answer WHERE account = ?1;
