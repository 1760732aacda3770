-- Settings.

-- name: config_get
-- ?1 key
SELECT value FROM config WHERE key = ?1;

-- name: config_set
-- ?1 key, ?2 value
INSERT INTO config(key, value) VALUES (?1, ?2)
ON CONFLICT(key) DO UPDATE SET value = excluded.value;

-- name: config_unset
-- ?1 key
DELETE FROM config WHERE key = ?1;

-- name: config_list
-- HEAD, which verbs move, is no setting.
SELECT key, value FROM config WHERE key <> 'head' ORDER BY key;

-- name: data_version
PRAGMA data_version;
