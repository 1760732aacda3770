-- Verifying, and what things cost.

-- name: verify_snapshots
SELECT id FROM snapshot ORDER BY id;

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

-- name: usage_by_snapshot
-- A storage is named by a snapshot through its tree's tensors.
WITH named AS (
  SELECT DISTINCT s.id AS part, t.storage_id AS storage_id
  FROM snapshot AS s JOIN tree_layer AS p ON p.tree_id = s.tree_id
    JOIN variable AS v ON v.layer_id = p.layer_id
    JOIN tensor AS t ON t.id = v.tensor_id),
owners AS (
  SELECT storage_id, count(*) AS n FROM named GROUP BY storage_id)
SELECT substr(lower(hex(s.sha256)), 1, 12), r.nbytes,
  sum(g.stored_bytes), sum(CASE WHEN o.n > 1 THEN g.stored_bytes ELSE 0 END)
FROM named AS n JOIN snapshot AS s ON s.id = n.part
  JOIN tree AS r ON r.id = s.tree_id
  JOIN storage AS g ON g.id = n.storage_id
  JOIN owners AS o ON o.storage_id = n.storage_id
GROUP BY n.part ORDER BY n.part;

-- name: usage_by_layer
WITH named AS (
  SELECT DISTINCT l.name AS part, t.storage_id AS storage_id, t.nbytes AS nbytes
  FROM layer AS l JOIN variable AS v ON v.layer_id = l.id
    JOIN tensor AS t ON t.id = v.tensor_id),
owners AS (
  SELECT storage_id, count(*) AS n FROM named GROUP BY storage_id)
SELECT n.part, sum(n.nbytes), sum(g.stored_bytes),
  sum(CASE WHEN o.n > 1 THEN g.stored_bytes ELSE 0 END)
FROM named AS n JOIN storage AS g ON g.id = n.storage_id
  JOIN owners AS o ON o.storage_id = n.storage_id
GROUP BY n.part ORDER BY n.part;

-- name: usage_by_tensor
WITH named AS (
  SELECT DISTINCT v.key AS part, t.storage_id AS storage_id, t.nbytes AS nbytes
  FROM variable AS v JOIN tensor AS t ON t.id = v.tensor_id),
owners AS (
  SELECT storage_id, count(*) AS n FROM named GROUP BY storage_id)
SELECT n.part, sum(n.nbytes), sum(g.stored_bytes),
  sum(CASE WHEN o.n > 1 THEN g.stored_bytes ELSE 0 END)
FROM named AS n JOIN storage AS g ON g.id = n.storage_id
  JOIN owners AS o ON o.storage_id = n.storage_id
GROUP BY n.part ORDER BY n.part;

-- name: usage_by_run
WITH named AS (
  SELECT DISTINCT r.name AS part, t.storage_id AS storage_id, t.nbytes AS nbytes
  FROM run AS r JOIN snapshot AS s ON s.run_id = r.id
    JOIN tree_layer AS p ON p.tree_id = s.tree_id
    JOIN variable AS v ON v.layer_id = p.layer_id
    JOIN tensor AS t ON t.id = v.tensor_id),
owners AS (
  SELECT storage_id, count(*) AS n FROM named GROUP BY storage_id)
SELECT n.part, sum(n.nbytes), sum(g.stored_bytes),
  sum(CASE WHEN o.n > 1 THEN g.stored_bytes ELSE 0 END)
FROM named AS n JOIN storage AS g ON g.id = n.storage_id
  JOIN owners AS o ON o.storage_id = n.storage_id
GROUP BY n.part ORDER BY n.part;

-- name: usage_codings
SELECT codec, sum(raw_bytes), sum(length(data)) FROM chunk
GROUP BY codec ORDER BY codec;

-- name: usage_free
SELECT (SELECT freelist_count FROM pragma_freelist_count) *
  (SELECT page_size FROM pragma_page_size);

-- name: usage_total
SELECT (SELECT coalesce(sum(nbytes), 0) FROM tensor),
  (SELECT page_count FROM pragma_page_count) *
  (SELECT page_size FROM pragma_page_size);
