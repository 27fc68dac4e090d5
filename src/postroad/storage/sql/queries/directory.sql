-- Domains, accounts, app passwords, aliases.

-- :name domain_insert
INSERT INTO domain (name, catch_all, subaddress) VALUES (?, ?, ?);

-- :name domain_delete
DELETE FROM domain WHERE name = ?1;

-- :name domain_get
SELECT name, catch_all, subaddress FROM domain WHERE name = ?1;

-- :name domain_all
SELECT name, catch_all, subaddress FROM domain ORDER BY name;

-- :name domain_used
SELECT (SELECT count(*) FROM account WHERE domain = ?1), (SELECT count(*) FROM alias WHERE domain = ?1);

-- :name account_insert
INSERT INTO account (id, folded, local_part, domain, password_hash, inbox, enabled, scram,
                     operator, second_factor)
VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?);

-- :name account_delete
DELETE FROM account WHERE id = ?1;

-- :name account_password
UPDATE account SET password_hash = ?2, scram = ?3 WHERE id = ?1;

-- :name account_get
SELECT id, local_part, domain, password_hash, inbox, enabled, scram, operator, second_factor FROM account WHERE folded = ?1;

-- :name account_get_by_id
SELECT id, local_part, domain, password_hash, inbox, enabled, scram, operator, second_factor FROM account WHERE id = ?1;

-- :name account_all
SELECT id, local_part, domain, password_hash, inbox, enabled, scram, operator, second_factor FROM account ORDER BY folded;

-- :name account_all_of_domain
SELECT id, local_part, domain, password_hash, inbox, enabled, scram, operator, second_factor FROM account
WHERE domain = ?1 ORDER BY folded;

-- :name app_password_insert
INSERT INTO app_password (account, name, id, scopes, digest, scram, created_at, used_at)
VALUES (?, ?, ?, ?, ?, ?, ?, ?);

-- :name app_password_exists
SELECT 1 FROM app_password WHERE account = ?1 AND name = ?2;

-- :name app_password_id_exists
SELECT 1 FROM app_password WHERE id = ?1;

-- :name app_password_all
SELECT id, account, name, scopes, digest, scram, created_at, used_at FROM app_password
WHERE account = ?1 ORDER BY name;

-- :name app_password_delete
DELETE FROM app_password WHERE account = ?1 AND name = ?2;

-- :name app_password_delete_account
DELETE FROM app_password WHERE account = ?1;

-- :name app_password_used
UPDATE app_password SET used_at = ?2 WHERE id = ?1;

-- :name alias_put
INSERT INTO alias (folded, local_part, domain, targets) VALUES (?, ?, ?, ?)
ON CONFLICT (folded) DO UPDATE SET local_part = excluded.local_part, targets = excluded.targets;

-- :name alias_delete
DELETE FROM alias WHERE folded = ?1;

-- :name alias_get
SELECT local_part, domain, targets FROM alias WHERE folded = ?1;

-- :name alias_all
SELECT local_part, domain, targets FROM alias ORDER BY folded;

-- :name alias_all_of_domain
SELECT local_part, domain, targets FROM alias WHERE domain = ?1 ORDER BY folded;

-- :name setting_get
SELECT value FROM setting WHERE name = ?1;

-- :name setting_init
INSERT INTO setting (name, value) VALUES (?, ?) ON CONFLICT (name) DO NOTHING;

-- :name setting_set
INSERT INTO setting (name, value) VALUES (?1, ?2) ON CONFLICT (name) DO UPDATE SET value = excluded.value;

-- :name setting_forget
DELETE FROM setting WHERE name = ?1;
