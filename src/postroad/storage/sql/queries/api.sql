-- Keys of the HTTP API.

-- :name api_key_get
SELECT id, name, scopes, domains, digest, created_at FROM api_key WHERE id = ?1;

-- :name api_key_list
SELECT id, name, scopes, domains, digest, created_at FROM api_key ORDER BY name;

-- :name api_key_taken
SELECT 1 FROM api_key WHERE name = ?1 OR id = ?2;

-- :name api_key_insert
INSERT INTO api_key (id, name, scopes, domains, digest, created_at) VALUES (?, ?, ?, ?, ?, ?);

-- :name api_key_delete
DELETE FROM api_key WHERE name = ?1;
