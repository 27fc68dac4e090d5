-- The journey of logins.

-- :name login_insert
INSERT INTO login
    (at, last_at, username, result, mechanism, server, client, app_password, count, let_in)
VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?);

-- :name login_forget_old
DELETE FROM login WHERE at < ?1;

-- :name login_keep_newest
DELETE FROM login WHERE let_in = ?1 AND sequence <= (
    SELECT sequence FROM login WHERE let_in = ?1 ORDER BY sequence DESC LIMIT 1 OFFSET ?2
);

-- :name login_newest
SELECT at, last_at, username, result, mechanism, server, client, app_password, count FROM login
WHERE last_at >= ?1 AND (?2 = 1 OR let_in = 0) ORDER BY sequence DESC LIMIT ?3;

-- :name login_newest_of
SELECT at, last_at, username, result, mechanism, server, client, app_password, count FROM login
WHERE last_at >= ?1 AND (?2 = 1 OR let_in = 0) AND username = ?4 ORDER BY sequence DESC LIMIT ?3;
