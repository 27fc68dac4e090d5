-- What owners of accounts taught of junk.

-- :name junk_totals
SELECT spam, ham, (SELECT count(*) FROM junk_token WHERE account = ?1) FROM junk_total WHERE account = ?1;

-- :name junk_taught
SELECT spam, ham FROM junk_total WHERE account = ?1;

-- :name junk_counts
SELECT token, spam, ham FROM junk_token
WHERE account = ?1 AND token IN (SELECT value FROM json_each(?2));

-- :name junk_most
SELECT token, spam, ham FROM junk_token WHERE account = ?1
ORDER BY spam + ham DESC, token LIMIT ?2;

-- :name junk_lesson_of
SELECT spam FROM junk_lesson WHERE account = ?1 AND digest = ?2;

-- :name junk_lesson_put
INSERT INTO junk_lesson (account, digest, spam, at) VALUES (?, ?, ?, ?);

-- :name junk_lesson_delete
DELETE FROM junk_lesson WHERE account = ?1 AND digest = ?2;

-- :name junk_lesson_keep_newest
DELETE FROM junk_lesson WHERE account = ?1 AND digest IN
    (SELECT digest FROM junk_lesson WHERE account = ?1
     ORDER BY at DESC, digest DESC LIMIT -1 OFFSET ?2);

-- :name junk_total_add
INSERT INTO junk_total (account, spam, ham) VALUES (?1, max(0, ?2), max(0, ?3))
ON CONFLICT (account) DO UPDATE SET spam = max(0, junk_total.spam + ?2), ham = max(0, junk_total.ham + ?3);

-- :name junk_token_add
INSERT INTO junk_token (account, token, spam, ham, at) VALUES (?1, ?2, ?3, ?4, ?5)
ON CONFLICT (account, token) DO UPDATE SET spam = junk_token.spam + ?3, ham = junk_token.ham + ?4, at = ?5;

-- :name junk_token_take
UPDATE junk_token SET spam = max(0, spam - ?3), ham = max(0, ham - ?4)
WHERE account = ?1 AND token = ?2;

-- :name junk_token_sweep
DELETE FROM junk_token WHERE account = ?1 AND token = ?2 AND spam = 0 AND ham = 0;

-- :name junk_token_keep_newest
DELETE FROM junk_token WHERE account = ?1 AND token IN
    (SELECT token FROM junk_token WHERE account = ?1
     ORDER BY at DESC, token DESC LIMIT -1 OFFSET ?2);

-- :name junk_delete_totals
DELETE FROM junk_total WHERE account = ?1;

-- :name junk_delete_tokens
DELETE FROM junk_token WHERE account = ?1;

-- :name junk_delete_lessons
DELETE FROM junk_lesson WHERE account = ?1;
