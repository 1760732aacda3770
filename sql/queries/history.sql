-- Lines of snapshots, and where weights changed. A weight is one by its layer's
-- name, that of the model's own being '', and by its object path, else its name:
-- the rule stands in each query that goes from a tree to `weight` (a view could
-- be dropped by its user).

-- name: lineage_get
-- ?1 snapshot
SELECT line_id, generation FROM lineage WHERE snapshot_id = ?1;

-- name: lineage_at
-- ?1 line, ?2 generation
SELECT snapshot_id FROM lineage WHERE line_id = ?1 AND generation = ?2;

-- name: lineage_below
-- ?1 line, ?2 generation: the newest up to it
SELECT snapshot_id, generation FROM lineage
WHERE line_id = ?1 AND generation <= ?2 ORDER BY generation DESC LIMIT 1;

-- name: lineage_insert
-- ?1 snapshot, ?2 line, ?3 generation
INSERT INTO lineage(snapshot_id, line_id, generation) VALUES (?1, ?2, ?3);

-- name: line_insert
-- ?1 line, ?2 line that it leaves, ?3 at which generation
INSERT INTO line(id, parent_id, parent_generation) VALUES (?1, ?2, ?3);

-- name: line_get
-- ?1 line
SELECT parent_id, parent_generation FROM line WHERE id = ?1;

-- name: line_list
-- Each with its first generation, its last, and the snapshot there.
SELECT l.id, l.parent_id, l.parent_generation, f.generation, t.generation,
  t.snapshot_id
FROM line AS l JOIN lineage AS f ON f.snapshot_id = l.id
  JOIN lineage AS t ON t.line_id = l.id AND t.generation = (
    SELECT max(generation) FROM lineage WHERE line_id = l.id)
ORDER BY l.id;

-- name: weight_insert_new
-- ?1 tree, ?2 tree before it or NULL: weights of layers that only one has
INSERT OR IGNORE INTO weight(layer, name)
SELECT CASE l.kind WHEN 1 THEN '' ELSE l.name END,
  coalesce(v.object_path, v.name)
FROM tree_layer AS p JOIN layer AS l ON l.id = p.layer_id
  JOIN variable AS v ON v.layer_id = l.id
WHERE p.tree_id = ?1 AND NOT EXISTS (SELECT 1 FROM tree_layer AS o
  WHERE o.layer_id = p.layer_id AND o.tree_id = ?2);

-- name: weight_insert_rows
-- ?1 rows: layer, name, tensor
-- As weight_insert_all, of a tree that is in memory.
INSERT OR IGNORE INTO weight(layer, name) SELECT c1, c2 FROM temp.wh_rows(?1);

-- name: change_insert_rows
-- ?1 rows as of weight_insert_rows, ?2 line, ?3 generation, ?4 snapshot
-- As change_insert_all.
INSERT OR IGNORE INTO change(weight_id, line_id, generation, snapshot_id,
  tensor_id)
SELECT w.id, ?2, ?3, ?4, c3
FROM temp.wh_rows(?1) CROSS JOIN weight AS w ON w.layer = c1 AND w.name = c2;

-- name: weight_insert_all
-- ?1 tree: that of a snapshot without a parent
INSERT OR IGNORE INTO weight(layer, name)
SELECT CASE l.kind WHEN 1 THEN '' ELSE l.name END,
  coalesce(v.object_path, v.name)
FROM tree_layer AS p CROSS JOIN layer AS l ON l.id = p.layer_id
  CROSS JOIN variable AS v ON v.layer_id = l.id
WHERE p.tree_id = ?1;

-- name: change_insert_all
-- ?1 tree, ?2 line, ?3 generation, ?4 snapshot
-- As change_insert where there is no tree before it.
INSERT OR IGNORE INTO change(weight_id, line_id, generation, snapshot_id,
  tensor_id)
SELECT w.id, ?2, ?3, ?4, v.tensor_id
FROM tree_layer AS p CROSS JOIN layer AS l ON l.id = p.layer_id
  CROSS JOIN variable AS v ON v.layer_id = l.id
  CROSS JOIN weight AS w
    ON w.layer = CASE l.kind WHEN 1 THEN '' ELSE l.name END
    AND w.name = coalesce(v.object_path, v.name)
WHERE p.tree_id = ?1;

-- name: change_insert
-- ?1 tree, ?2 tree before it or NULL, ?3 line, ?4 generation, ?5 snapshot
-- Layers that both trees have can't differ; of the others, weights are paired
-- by layer and name. Two of one name in one model count as one: the newer.
INSERT OR IGNORE INTO change(weight_id, line_id, generation, snapshot_id,
  tensor_id)
SELECT w.id, ?3, ?4, ?5,
  max(CASE p.tree_id WHEN ?1 THEN v.tensor_id END) AS now
FROM tree_layer AS p CROSS JOIN layer AS l ON l.id = p.layer_id
  CROSS JOIN variable AS v ON v.layer_id = l.id
  CROSS JOIN weight AS w
    ON w.layer = CASE l.kind WHEN 1 THEN '' ELSE l.name END
    AND w.name = coalesce(v.object_path, v.name)
WHERE p.tree_id IN (?1, ?2) AND NOT EXISTS (SELECT 1 FROM tree_layer AS o
  WHERE o.layer_id = p.layer_id
    AND o.tree_id = CASE p.tree_id WHEN ?1 THEN ?2 ELSE ?1 END)
GROUP BY w.id
HAVING now IS NOT max(CASE p.tree_id WHEN ?2 THEN v.tensor_id END);

-- name: lineage_missing
-- ?1 above this id: snapshots in the order in which they came
SELECT s.id, s.tree_id, s.generation, q.id, q.tree_id
FROM snapshot AS s LEFT JOIN snapshot AS q ON q.sha256 = s.parent
WHERE s.id > ?1 ORDER BY s.id LIMIT 1;

-- name: weight_list
SELECT id, layer, name FROM weight ORDER BY id;

-- name: weight_of_tree
-- ?1 tree: its weights, and what its tensors are called
SELECT w.id, l.name, v.name, v.key
FROM tree_layer AS p JOIN layer AS l ON l.id = p.layer_id
  JOIN variable AS v ON v.layer_id = l.id
  JOIN weight AS w ON w.layer = CASE l.kind WHEN 1 THEN '' ELSE l.name END
    AND w.name = coalesce(v.object_path, v.name)
WHERE p.tree_id = ?1;

-- name: change_of_snapshot
-- ?1 snapshot
SELECT weight_id FROM change WHERE snapshot_id = ?1;

-- name: change_names
-- ?1 snapshot
SELECT c.weight_id, w.layer, w.name, c.tensor_id, c.line_id, c.generation
FROM change AS c JOIN weight AS w ON w.id = c.weight_id
WHERE c.snapshot_id = ?1 ORDER BY c.weight_id;

-- name: change_version
-- ?1 weight, ?2 line, ?3 up to this generation
SELECT tensor_id FROM change
WHERE weight_id = ?1 AND line_id = ?2 AND generation <= ?3
ORDER BY generation DESC LIMIT 1;

-- name: change_below
-- ?1 weight, ?2 line, ?3 up to this generation
SELECT generation FROM change
WHERE weight_id = ?1 AND line_id = ?2 AND generation <= ?3
ORDER BY generation DESC LIMIT 1;

-- name: lineage_living
-- ?1 line, ?2 from, ?3 to which generation: the oldest that lives
SELECT l.snapshot_id FROM lineage AS l JOIN snapshot AS s
  ON s.id = l.snapshot_id
WHERE l.line_id = ?1 AND l.generation BETWEEN ?2 AND ?3
  AND NOT EXISTS (SELECT 1 FROM forgotten AS f WHERE f.snapshot_id = s.id)
ORDER BY l.generation LIMIT 1;

-- name: change_newest
-- ?1 layer, ?2 weight, ?3 line, ?4 up to this generation
SELECT generation FROM change
WHERE weight_id = (SELECT id FROM weight WHERE layer = ?1 AND name = ?2)
  AND line_id = ?3 AND generation <= ?4
ORDER BY generation DESC LIMIT 1;

-- name: change_list
-- ?1 weight, ?2 line, ?3 up to this generation, ?4 at most so many
SELECT coalesce(s.sha256, g.sha256), s.id, s.time, r.name, s.step, s.epoch,
  t.sha256, x.l2, x.n_nan, x.n_inf
FROM change AS c LEFT JOIN snapshot AS s ON s.id = c.snapshot_id
  LEFT JOIN gone AS g ON g.snapshot_id = c.snapshot_id
  LEFT JOIN run AS r ON r.id = s.run_id
  LEFT JOIN tensor AS t ON t.id = c.tensor_id
  LEFT JOIN tensor_statistics AS x ON x.tensor_id = c.tensor_id
WHERE c.weight_id = ?1 AND c.line_id = ?2 AND c.generation <= ?3
ORDER BY c.generation DESC LIMIT ?4;

-- name: bisect_put
-- ?1 sha256, ?2 verdict
INSERT INTO bisect(sha256, verdict) VALUES (?1, ?2)
ON CONFLICT(sha256) DO UPDATE SET verdict = excluded.verdict;

-- name: bisect_list
-- What gc took is judged no longer.
SELECT s.id, b.sha256, b.verdict
FROM bisect AS b JOIN snapshot AS s ON s.sha256 = b.sha256
ORDER BY s.generation, s.id;

-- name: bisect_clear
DELETE FROM bisect;
