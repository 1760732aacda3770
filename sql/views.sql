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
WHERE NOT EXISTS (SELECT 1 FROM forgotten WHERE snapshot_id = s.id)
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

-- name: run_info
CREATE VIEW run_info AS
SELECT r.name AS run, coalesce(t.n_snapshots, 0) AS snapshots, o.host AS host,
  o.folder AS folder, o.command AS command, o.git_commit AS git_commit,
  o.git_dirty AS git_dirty, o.exit_status AS exit_status
FROM run AS r LEFT JOIN run_total AS t ON t.run_id = r.id
  LEFT JOIN run_origin AS o ON o.run_id = r.id;

-- name: params
-- A number where the whole text is one: digits stands for it without its signs.
CREATE VIEW params AS
SELECT run, key,
  CASE WHEN digits GLOB '[0-9.]*' AND digits GLOB '*[0-9.]'
    AND digits GLOB '*[0-9]*' AND digits NOT GLOB '*[^0-9.e]*'
    AND digits NOT GLOB '*.*.*' AND digits NOT GLOB '*e*e*'
    AND digits NOT GLOB '*e*.*' AND value NOT GLOB '[+-][+-]*'
    THEN CAST(value AS NUMERIC) ELSE value END AS value
FROM (SELECT r.name AS run, p.key AS key, p.value AS value,
    ltrim(replace(replace(lower(p.value), 'e-', 'e'), 'e+', 'e'), '+-')
      AS digits
  FROM param AS p JOIN run AS r ON r.id = p.run_id);

-- name: changes
CREATE VIEW changes AS
SELECT lower(hex(coalesce(s.sha256, g.sha256))) AS snapshot, r.name AS run,
  s.step AS step, s.epoch AS epoch, w.layer AS layer, w.name AS weight,
  lower(hex(t.sha256)) AS sha256, x.l2 AS l2, x.n_nan AS n_nan,
  x.n_inf AS n_inf
FROM change AS c JOIN weight AS w ON w.id = c.weight_id
  LEFT JOIN snapshot AS s ON s.id = c.snapshot_id
  LEFT JOIN gone AS g ON g.snapshot_id = c.snapshot_id
  LEFT JOIN run AS r ON r.id = s.run_id
  LEFT JOIN tensor AS t ON t.id = c.tensor_id
  LEFT JOIN tensor_statistics AS x ON x.tensor_id = c.tensor_id;

-- name: best
CREATE VIEW best AS
SELECT metric, run, snapshot, step, epoch, value FROM (
  SELECT m.key AS metric, r.name AS run, lower(hex(s.sha256)) AS snapshot,
    s.step AS step, s.epoch AS epoch,
    CASE m.class WHEN 0 THEN m.value WHEN 2 THEN 9e999 ELSE -9e999 END
      AS value,
    row_number() OVER (PARTITION BY m.run_id, m.key ORDER BY
      CASE m.class WHEN 0 THEN m.value WHEN 2 THEN 9e999 ELSE -9e999 END *
      CASE WHEN m.key GLOB '*loss' OR m.key GLOB '*error'
        OR m.key GLOB '*mae' OR m.key GLOB '*mse' THEN 1 ELSE -1 END,
      m.snapshot_id DESC) AS place
  FROM metric AS m JOIN run AS r ON r.id = m.run_id
    JOIN snapshot AS s ON s.id = m.snapshot_id
  WHERE m.class <> 1
    AND NOT EXISTS (SELECT 1 FROM forgotten WHERE snapshot_id = s.id))
WHERE place = 1;

-- name: publications
-- A row an alias that a publication moved.
CREATE VIEW publications AS
SELECT p.time AS time, p.who AS who, p.place AS place, p.remote AS remote,
  a.alias AS alias, lower(hex(p.snapshot)) AS snapshot, r.name AS run,
  p.formats AS formats, p.manifest AS manifest,
  lower(hex(p.manifest_sha256)) AS sha256,
  CASE WHEN p.ended IS NOT NULL THEN 'removed'
    WHEN a.ended IS NOT NULL THEN 'moved' ELSE 'current' END AS state
FROM publication AS p JOIN publication_alias AS a ON a.publication_id = p.id
  LEFT JOIN snapshot AS s ON s.sha256 = p.snapshot
  LEFT JOIN run AS r ON r.id = s.run_id
ORDER BY p.time DESC, p.id DESC, a.alias;

-- name: published_files
CREATE VIEW published_files AS
SELECT p.time AS time, p.place AS place, lower(hex(p.snapshot)) AS snapshot,
  f.path AS path, f.format AS format, f.size AS size,
  lower(hex(f.sha256)) AS sha256
FROM publication AS p JOIN publication_file AS f ON f.publication_id = p.id
WHERE p.ended IS NULL;
