-- How people log in on the web: sessions, second factors, passkeys, grants.

-- :name web_session_get
SELECT session FROM web_session WHERE id = ?1;

-- :name web_session_all
SELECT session FROM web_session WHERE account = ?1 ORDER BY used_at DESC, id;

-- :name web_session_put
INSERT INTO web_session (id, account, used_at, session) VALUES (?, ?, ?, ?)
ON CONFLICT (id) DO UPDATE SET used_at = excluded.used_at, session = excluded.session;

-- :name web_session_delete
DELETE FROM web_session WHERE id = ?1 AND account = ?2;

-- :name web_session_delete_account
DELETE FROM web_session WHERE account = ?1;

-- :name second_factor_get
SELECT factor FROM second_factor WHERE account = ?1;

-- :name second_factor_put
INSERT INTO second_factor (account, factor) VALUES (?, ?)
ON CONFLICT (account) DO UPDATE SET factor = excluded.factor;

-- :name second_factor_delete
DELETE FROM second_factor WHERE account = ?1;

-- :name account_second_factor
UPDATE account SET second_factor = ?2 WHERE id = ?1;

-- :name account_operator
UPDATE account SET operator = ?2 WHERE id = ?1;

-- :name passkey_get
SELECT passkey FROM passkey WHERE id = ?1;

-- :name passkey_all
SELECT passkey FROM passkey WHERE account = ?1 ORDER BY made_at, id;

-- :name passkey_put
INSERT INTO passkey (id, account, made_at, passkey) VALUES (?, ?, ?, ?)
ON CONFLICT (id) DO UPDATE SET passkey = excluded.passkey;

-- :name passkey_delete
DELETE FROM passkey WHERE id = ?1 AND account = ?2;

-- :name passkey_delete_account
DELETE FROM passkey WHERE account = ?1;

-- :name oauth_grant_get
SELECT granted FROM oauth_grant WHERE id = ?1;

-- :name oauth_grant_all
SELECT granted FROM oauth_grant WHERE account = ?1 ORDER BY used_at DESC, id;

-- :name oauth_grant_put
INSERT INTO oauth_grant (id, account, used_at, granted) VALUES (?, ?, ?, ?)
ON CONFLICT (id) DO UPDATE SET used_at = excluded.used_at, granted = excluded.granted;

-- :name oauth_grant_delete
DELETE FROM oauth_grant WHERE id = ?1 AND account = ?2;

-- :name oauth_grant_delete_account
DELETE FROM oauth_grant WHERE account = ?1;
