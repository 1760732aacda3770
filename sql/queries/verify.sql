-- Verifying.

-- name: snapshot_there
-- ?1 id
SELECT 1 FROM snapshot WHERE id = ?1;

-- name: verify_tensors
-- ?1 above this id
SELECT id, sha256, nbytes, crc32c, crc32, storage_id FROM tensor
WHERE id > ?1 ORDER BY id LIMIT 256;

-- name: verify_tensors_of_snapshot
-- ?1 above this id, ?2 snapshot
-- Weights, and the texts that are tensors too.
WITH named(id) AS (
  SELECT v.tensor_id FROM snapshot AS s
    JOIN tree_layer AS p ON p.tree_id = s.tree_id
    JOIN variable AS v ON v.layer_id = p.layer_id
  WHERE s.id = ?2
  UNION SELECT t.graph_id FROM snapshot AS s JOIN tree AS t ON t.id = s.tree_id
  WHERE s.id = ?2
  UNION SELECT t.attributes_id FROM snapshot AS s
    JOIN tree AS t ON t.id = s.tree_id WHERE s.id = ?2
  UNION SELECT x.text_id FROM snapshot AS s
    JOIN template AS x ON x.id = s.template_id WHERE s.id = ?2
  UNION SELECT x.skeleton_id FROM snapshot AS s
    JOIN template AS x ON x.id = s.template_id WHERE s.id = ?2)
SELECT t.id, t.sha256, t.nbytes, t.crc32c, t.crc32, t.storage_id
FROM named AS n JOIN tensor AS t ON t.id = n.id
WHERE n.id > ?1 ORDER BY n.id LIMIT 256;

-- name: verify_tree
-- ?1 tree
SELECT t.sha256, g.sha256, a.sha256 FROM tree AS t
  LEFT JOIN tensor AS g ON g.id = t.graph_id
  LEFT JOIN tensor AS a ON a.id = t.attributes_id
WHERE t.id = ?1;

-- name: tensor_owner
-- ?1 tensor
SELECT s.sha256, l.name, v.name FROM variable AS v
  JOIN layer AS l ON l.id = v.layer_id
  JOIN tree_layer AS p ON p.layer_id = l.id
  JOIN snapshot AS s ON s.tree_id = p.tree_id
WHERE v.tensor_id = ?1 LIMIT 1;

-- name: verify_tables
-- Of those that SQLite can check by themselves all but the largest.
SELECT name FROM sqlite_schema
WHERE type = 'table' AND name <> 'chunk' AND rootpage > 0 ORDER BY name;

-- name: verify_snapshots_after
-- ?1 above this id
SELECT id FROM snapshot WHERE id > ?1 ORDER BY id LIMIT 256;

-- name: counter_get
-- ?1 name
SELECT value FROM counter WHERE name = ?1;

-- name: counter_put
-- ?1 name, ?2 value
INSERT INTO counter(name, value) VALUES (?1, ?2)
ON CONFLICT(name) DO UPDATE SET value = excluded.value;

-- name: tensor_snapshots
-- ?1 tensor
-- The snapshots that need it, oldest first, and as what.
SELECT s.id AS id, s.sha256, l.name, coalesce(v.object_path, v.name)
FROM variable AS v JOIN layer AS l ON l.id = v.layer_id
  JOIN tree_layer AS p ON p.layer_id = l.id
  JOIN snapshot AS s ON s.tree_id = p.tree_id WHERE v.tensor_id = ?1
UNION ALL SELECT s.id, s.sha256, '', 'the graph of objects'
FROM tree AS t JOIN snapshot AS s ON s.tree_id = t.id WHERE t.graph_id = ?1
UNION ALL SELECT s.id, s.sha256, '', 'the attributes'
FROM tree AS t JOIN snapshot AS s ON s.tree_id = t.id
WHERE t.attributes_id = ?1
UNION ALL SELECT s.id, s.sha256, '', 'the files around the weights'
FROM template AS x JOIN snapshot AS s ON s.template_id = x.id
WHERE x.text_id = ?1 OR x.skeleton_id = ?1
ORDER BY id;

-- name: tensor_by_payload
-- ?1 sha256, ?2 nbytes
SELECT storage_id FROM tensor WHERE sha256 = ?1 AND nbytes = ?2;
