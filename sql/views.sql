-- The documented views: what users and `wh sql` query. Droppable: a writer
-- makes them anew where they differ.

-- name: log
CREATE VIEW log AS
SELECT lower(hex(s.sha256)) AS snapshot, lower(hex(s.parent)) AS parent,
  (SELECT group_concat(name) FROM ref
   WHERE kind = 0 AND snapshot_id = s.id) AS branch,
  r.name AS run, s.step AS step, s.epoch AS epoch, s.time AS time,
  s.message AS message
FROM snapshot AS s JOIN run AS r ON r.id = s.run_id
ORDER BY s.id DESC;

-- name: weights
CREATE VIEW weights AS
SELECT lower(hex(s.sha256)) AS snapshot,
  CASE l.kind WHEN 1 THEN '' ELSE l.name END AS layer,
  coalesce(v.object_path, v.name) AS weight, v.name AS name,
  t.dtype AS dtype, t.shape AS shape, t.nbytes AS nbytes,
  lower(hex(t.sha256)) AS sha256,
  CASE v.role WHEN 0 THEN 'weight' WHEN 1 THEN 'optimizer' ELSE 'other' END
    AS role
FROM snapshot AS s JOIN tree_layer AS p ON p.tree_id = s.tree_id
  JOIN layer AS l ON l.id = p.layer_id
  JOIN variable AS v ON v.layer_id = l.id
  JOIN tensor AS t ON t.id = v.tensor_id;

-- name: tensor_stats
CREATE VIEW tensor_stats AS
SELECT lower(hex(t.sha256)) AS sha256, t.dtype AS dtype, t.shape AS shape,
  x.n_elements AS n_elements, x.n_zero AS n_zero, x.n_nan AS n_nan,
  x.n_inf AS n_inf, x.min AS min, x.max AS max, x.mean AS mean, x.std AS std,
  x.l2 AS l2
FROM tensor AS t JOIN tensor_statistics AS x ON x.tensor_id = t.id;

-- name: metrics
CREATE VIEW metrics AS
SELECT r.name AS run, m.key AS key, m.step AS step, m.time AS time,
  CASE m.class WHEN 0 THEN m.value WHEN 2 THEN 9e999 WHEN 3 THEN -9e999 END
    AS value
FROM metric AS m JOIN run AS r ON r.id = m.run_id;

-- name: runs
CREATE VIEW runs AS
SELECT name AS run, status, started, ended FROM run;

-- name: params
CREATE VIEW params AS
SELECT r.name AS run, p.key AS key, p.value AS value
FROM param AS p JOIN run AS r ON r.id = p.run_id;
