-- Made by tools/dump_schema.py: the schema that all migrations give.

CREATE TABLE bisect (
  sha256 BLOB NOT NULL PRIMARY KEY,
  verdict TEXT NOT NULL
) STRICT, WITHOUT ROWID;

CREATE TABLE change (
  weight_id INTEGER NOT NULL REFERENCES weight(id),
  line_id INTEGER NOT NULL,
  generation INTEGER NOT NULL,
  snapshot_id INTEGER NOT NULL,
  tensor_id INTEGER,
  PRIMARY KEY (weight_id, line_id, generation)
) STRICT, WITHOUT ROWID;

CREATE TABLE chunk (
  id INTEGER NOT NULL PRIMARY KEY,
  codec INTEGER NOT NULL,
  raw_bytes INTEGER NOT NULL,
  crc32c INTEGER NOT NULL,
  data BLOB NOT NULL
) STRICT;

CREATE TABLE config (
  key TEXT NOT NULL PRIMARY KEY,
  value TEXT NOT NULL
) STRICT, WITHOUT ROWID;

CREATE TABLE counter (
  name TEXT NOT NULL PRIMARY KEY,
  value INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

CREATE TABLE forgotten (
  snapshot_id INTEGER NOT NULL PRIMARY KEY REFERENCES snapshot(id),
  time INTEGER NOT NULL
) STRICT;

CREATE TABLE gc_running (
  epoch INTEGER NOT NULL PRIMARY KEY
) STRICT;

CREATE TABLE gone (
  snapshot_id INTEGER NOT NULL PRIMARY KEY,
  sha256 BLOB NOT NULL
) STRICT;

CREATE TABLE layer (
  id INTEGER NOT NULL PRIMARY KEY,
  sha256 BLOB NOT NULL UNIQUE,
  name TEXT NOT NULL,
  class_name TEXT,
  kind INTEGER NOT NULL,
  nbytes INTEGER NOT NULL
) STRICT;

CREATE TABLE lease (
  id INTEGER NOT NULL,
  first_storage INTEGER NOT NULL,
  end_storage INTEGER NOT NULL,
  PRIMARY KEY (id, first_storage)
) STRICT, WITHOUT ROWID;

CREATE TABLE line (
  id INTEGER NOT NULL PRIMARY KEY,
  parent_id INTEGER,
  parent_generation INTEGER
) STRICT;

CREATE TABLE lineage (
  snapshot_id INTEGER NOT NULL PRIMARY KEY,
  line_id INTEGER NOT NULL,
  generation INTEGER NOT NULL
) STRICT;

CREATE TABLE metric (
  run_id INTEGER NOT NULL REFERENCES run(id),
  key TEXT NOT NULL,
  step INTEGER NOT NULL,
  seq INTEGER NOT NULL,
  time INTEGER NOT NULL,
  class INTEGER NOT NULL,
  value REAL,
  snapshot_id INTEGER REFERENCES snapshot(id),
  PRIMARY KEY (run_id, key, step, seq)
) STRICT, WITHOUT ROWID;

CREATE TABLE metric_summary (
  run_id INTEGER NOT NULL REFERENCES run(id),
  key TEXT NOT NULL,
  n INTEGER NOT NULL,
  step INTEGER NOT NULL,
  class INTEGER NOT NULL,
  value REAL,
  min REAL,
  max REAL,
  PRIMARY KEY (run_id, key)
) STRICT, WITHOUT ROWID;

CREATE TABLE param (
  run_id INTEGER NOT NULL REFERENCES run(id),
  key TEXT NOT NULL,
  value TEXT NOT NULL,
  PRIMARY KEY (run_id, key)
) STRICT, WITHOUT ROWID;

CREATE TABLE policy (
  kind INTEGER NOT NULL,
  name TEXT NOT NULL,
  rules TEXT NOT NULL,
  time INTEGER NOT NULL,
  PRIMARY KEY (kind, name)
) STRICT, WITHOUT ROWID;

CREATE TABLE publication (
  id INTEGER NOT NULL PRIMARY KEY,
  uuid TEXT NOT NULL UNIQUE,
  place TEXT NOT NULL,
  remote TEXT,
  snapshot BLOB NOT NULL,
  tree BLOB NOT NULL,
  formats TEXT NOT NULL,
  manifest TEXT NOT NULL,
  manifest_sha256 BLOB NOT NULL,
  who TEXT NOT NULL,
  time INTEGER NOT NULL,
  ended INTEGER
) STRICT;

CREATE TABLE publication_alias (
  publication_id INTEGER NOT NULL REFERENCES publication(id),
  alias TEXT NOT NULL,
  ended INTEGER,
  PRIMARY KEY (publication_id, alias)
) STRICT, WITHOUT ROWID;

CREATE TABLE publication_file (
  publication_id INTEGER NOT NULL REFERENCES publication(id),
  position INTEGER NOT NULL,
  path TEXT NOT NULL,
  format TEXT NOT NULL,
  size INTEGER NOT NULL,
  sha256 BLOB NOT NULL,
  PRIMARY KEY (publication_id, position)
) STRICT, WITHOUT ROWID;

CREATE TABLE publish_rule (
  remote TEXT NOT NULL,
  alias TEXT NOT NULL,
  revision TEXT NOT NULL,
  formats TEXT NOT NULL,
  time INTEGER NOT NULL,
  published BLOB,
  PRIMARY KEY (remote, alias)
) STRICT, WITHOUT ROWID;

CREATE TABLE ref (
  kind INTEGER NOT NULL,
  name TEXT NOT NULL,
  snapshot_id INTEGER REFERENCES snapshot(id),
  PRIMARY KEY (kind, name)
) STRICT, WITHOUT ROWID;

CREATE TABLE reflog (
  id INTEGER NOT NULL PRIMARY KEY,
  branch TEXT NOT NULL,
  from_sha256 BLOB,
  to_sha256 BLOB,
  why TEXT NOT NULL,
  time INTEGER NOT NULL
) STRICT;

CREATE TABLE run (
  id INTEGER NOT NULL PRIMARY KEY,
  uuid TEXT NOT NULL UNIQUE,
  name TEXT NOT NULL UNIQUE,
  status TEXT NOT NULL,
  started INTEGER NOT NULL,
  ended INTEGER
) STRICT;

CREATE TABLE run_origin (
  run_id INTEGER NOT NULL PRIMARY KEY REFERENCES run(id),
  host TEXT,
  folder TEXT,
  command TEXT,
  git_commit TEXT,
  git_dirty INTEGER,
  versions TEXT,
  exit_status INTEGER
) STRICT;

CREATE TABLE run_tag (
  run_id INTEGER NOT NULL REFERENCES run(id),
  tag TEXT NOT NULL,
  PRIMARY KEY (run_id, tag)
) STRICT, WITHOUT ROWID;

CREATE TABLE run_total (
  run_id INTEGER NOT NULL PRIMARY KEY REFERENCES run(id),
  n_snapshots INTEGER NOT NULL
) STRICT;

CREATE TABLE snapshot (
  id INTEGER NOT NULL PRIMARY KEY,
  sha256 BLOB NOT NULL UNIQUE,
  tree_id INTEGER NOT NULL REFERENCES tree(id),
  parent BLOB,
  generation INTEGER NOT NULL,
  time INTEGER NOT NULL,
  run_id INTEGER NOT NULL REFERENCES run(id),
  step INTEGER,
  epoch INTEGER,
  origin_format TEXT,
  origin_generator TEXT,
  template_id INTEGER REFERENCES template(id),
  message TEXT NOT NULL
) STRICT;

CREATE TABLE storage (
  id INTEGER NOT NULL PRIMARY KEY,
  encoding INTEGER NOT NULL,
  nbytes INTEGER NOT NULL,
  stored_bytes INTEGER NOT NULL,
  base_id INTEGER REFERENCES storage(id),
  context_id INTEGER REFERENCES storage(id)
) STRICT;

CREATE TABLE template (
  id INTEGER NOT NULL PRIMARY KEY,
  sha256 BLOB NOT NULL UNIQUE,
  format TEXT NOT NULL,
  text_id INTEGER NOT NULL REFERENCES tensor(id),
  skeleton_id INTEGER REFERENCES tensor(id)
) STRICT;

CREATE TABLE tensor (
  id INTEGER NOT NULL PRIMARY KEY,
  sha256 BLOB NOT NULL,
  dtype TEXT NOT NULL,
  shape TEXT NOT NULL,
  nbytes INTEGER NOT NULL,
  crc32c INTEGER NOT NULL,
  crc32 INTEGER NOT NULL,
  storage_id INTEGER NOT NULL REFERENCES storage(id),
  UNIQUE (sha256, dtype, shape)
) STRICT;

CREATE TABLE tensor_statistics (
  tensor_id INTEGER NOT NULL PRIMARY KEY,
  version INTEGER NOT NULL,
  n_elements INTEGER NOT NULL,
  n_zero INTEGER NOT NULL,
  n_nan INTEGER NOT NULL,
  n_inf INTEGER NOT NULL,
  min REAL, max REAL, mean REAL, std REAL, l2 REAL
) STRICT;

CREATE TABLE tombstone (
  sha256 BLOB NOT NULL PRIMARY KEY,
  parent BLOB,
  time INTEGER NOT NULL,
  forgotten INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

CREATE TABLE tree (
  id INTEGER NOT NULL PRIMARY KEY,
  sha256 BLOB NOT NULL UNIQUE,
  graph_id INTEGER REFERENCES tensor(id),
  attributes_id INTEGER REFERENCES tensor(id),
  n_tensors INTEGER NOT NULL,
  n_layers INTEGER NOT NULL,
  nbytes INTEGER NOT NULL
) STRICT;

CREATE TABLE tree_layer (
  tree_id INTEGER NOT NULL REFERENCES tree(id),
  position INTEGER NOT NULL,
  layer_id INTEGER NOT NULL REFERENCES layer(id),
  container INTEGER,
  PRIMARY KEY (tree_id, position)
) STRICT, WITHOUT ROWID;

CREATE TABLE variable (
  layer_id INTEGER NOT NULL REFERENCES layer(id),
  position INTEGER NOT NULL,
  name TEXT NOT NULL,
  key TEXT NOT NULL,
  object_path TEXT,
  keras3_path TEXT,
  role INTEGER NOT NULL,
  trainable INTEGER NOT NULL,
  tensor_id INTEGER NOT NULL REFERENCES tensor(id),
  PRIMARY KEY (layer_id, position)
) STRICT, WITHOUT ROWID;

CREATE TABLE weight (
  id INTEGER NOT NULL PRIMARY KEY,
  layer TEXT NOT NULL,
  name TEXT NOT NULL,
  UNIQUE (layer, name)
) STRICT;

CREATE INDEX change_by_snapshot ON change(snapshot_id);

CREATE INDEX change_by_tensor ON change(tensor_id)
WHERE tensor_id IS NOT NULL;

CREATE UNIQUE INDEX lineage_by_line ON lineage(line_id, generation);

CREATE INDEX metric_by_key ON metric(key, value)
WHERE snapshot_id IS NOT NULL;

CREATE INDEX metric_by_snapshot ON metric(snapshot_id, key)
WHERE snapshot_id IS NOT NULL;

CREATE INDEX publication_by_place ON publication(place, snapshot);

CREATE INDEX publication_by_snapshot ON publication(snapshot);

CREATE INDEX ref_by_snapshot ON ref(snapshot_id);

CREATE INDEX reflog_by_branch ON reflog(branch, id);

CREATE INDEX snapshot_by_run ON snapshot(run_id, step);

CREATE INDEX snapshot_by_time ON snapshot(time);

CREATE INDEX snapshot_by_tree ON snapshot(tree_id);

CREATE INDEX storage_by_base ON storage(base_id) WHERE base_id IS NOT NULL;

CREATE INDEX storage_by_context ON storage(context_id)
WHERE context_id IS NOT NULL;

CREATE INDEX tensor_by_storage ON tensor(storage_id);

CREATE INDEX tree_layer_by_layer ON tree_layer(layer_id);

CREATE INDEX variable_by_tensor ON variable(tensor_id);

CREATE TRIGGER chunk_is_fixed BEFORE UPDATE ON chunk
BEGIN SELECT RAISE(ABORT, 'chunk: facts are not changed'); END;

CREATE TRIGGER chunk_is_new BEFORE INSERT ON chunk
WHEN EXISTS (SELECT 1 FROM chunk WHERE id = NEW.id)
BEGIN SELECT RAISE(ABORT, 'chunk: facts are not replaced'); END;

CREATE TRIGGER chunk_stays BEFORE DELETE ON chunk
WHEN NOT EXISTS (SELECT 1 FROM gc_running)
BEGIN SELECT RAISE(ABORT, 'chunk: only gc deletes facts'); END;

CREATE TRIGGER forgotten_is_counted AFTER DELETE ON forgotten
BEGIN
  UPDATE run_total SET n_snapshots = n_snapshots + 1
  WHERE run_id = (SELECT run_id FROM snapshot WHERE id = OLD.snapshot_id);
END;

CREATE TRIGGER forgotten_is_discounted AFTER INSERT ON forgotten
BEGIN
  UPDATE run_total SET n_snapshots = n_snapshots - 1
  WHERE run_id = (SELECT run_id FROM snapshot WHERE id = NEW.snapshot_id);
END;

CREATE TRIGGER layer_is_fixed BEFORE UPDATE ON layer
BEGIN SELECT RAISE(ABORT, 'layer: facts are not changed'); END;

CREATE TRIGGER layer_is_new BEFORE INSERT ON layer
WHEN EXISTS (SELECT 1 FROM layer WHERE id = NEW.id OR sha256 = NEW.sha256)
BEGIN SELECT RAISE(ABORT, 'layer: facts are not replaced'); END;

CREATE TRIGGER layer_stays BEFORE DELETE ON layer
WHEN NOT EXISTS (SELECT 1 FROM gc_running)
BEGIN SELECT RAISE(ABORT, 'layer: only gc deletes facts'); END;

CREATE TRIGGER metric_is_summed AFTER INSERT ON metric
BEGIN
  INSERT INTO metric_summary(run_id, key, n, step, class, value, min, max)
  VALUES (NEW.run_id, NEW.key, 1, NEW.step, NEW.class, NEW.value,
    CASE NEW.class WHEN 0 THEN NEW.value WHEN 2 THEN 9e999
      WHEN 3 THEN -9e999 END,
    CASE NEW.class WHEN 0 THEN NEW.value WHEN 2 THEN 9e999
      WHEN 3 THEN -9e999 END)
  ON CONFLICT(run_id, key) DO UPDATE SET
    n = n + 1,
    class = CASE WHEN excluded.step >= step THEN excluded.class ELSE class END,
    value = CASE WHEN excluded.step >= step THEN excluded.value ELSE value END,
    step = max(step, excluded.step),
    min = min(coalesce(min, excluded.min), coalesce(excluded.min, min)),
    max = max(coalesce(max, excluded.max), coalesce(excluded.max, max));
END;

CREATE TRIGGER snapshot_is_counted AFTER INSERT ON snapshot
BEGIN
  INSERT INTO run_total(run_id, n_snapshots) VALUES (NEW.run_id, 1)
  ON CONFLICT(run_id) DO UPDATE SET n_snapshots = n_snapshots + 1;
END;

CREATE TRIGGER snapshot_is_discounted AFTER DELETE ON snapshot
BEGIN
  UPDATE run_total SET n_snapshots = n_snapshots - 1
  WHERE run_id = OLD.run_id;
END;

CREATE TRIGGER snapshot_is_fixed BEFORE UPDATE ON snapshot
BEGIN SELECT RAISE(ABORT, 'snapshot: facts are not changed'); END;

CREATE TRIGGER snapshot_is_new BEFORE INSERT ON snapshot
WHEN EXISTS (SELECT 1 FROM snapshot WHERE id = NEW.id OR sha256 = NEW.sha256)
BEGIN SELECT RAISE(ABORT, 'snapshot: facts are not replaced'); END;

CREATE TRIGGER snapshot_stays BEFORE DELETE ON snapshot
WHEN NOT EXISTS (SELECT 1 FROM gc_running)
BEGIN SELECT RAISE(ABORT, 'snapshot: only gc deletes facts'); END;

CREATE TRIGGER storage_has_its_bases BEFORE INSERT ON storage
WHEN (NEW.base_id IS NOT NULL
    AND NOT EXISTS (SELECT 1 FROM storage WHERE id = NEW.base_id))
  OR (NEW.context_id IS NOT NULL
    AND NOT EXISTS (SELECT 1 FROM storage WHERE id = NEW.context_id))
BEGIN SELECT RAISE(ABORT, 'storage: what it is coded against is gone'); END;

CREATE TRIGGER storage_is_fixed BEFORE UPDATE ON storage
BEGIN SELECT RAISE(ABORT, 'storage: facts are not changed'); END;

CREATE TRIGGER storage_is_new BEFORE INSERT ON storage
WHEN EXISTS (SELECT 1 FROM storage WHERE id = NEW.id)
BEGIN SELECT RAISE(ABORT, 'storage: facts are not replaced'); END;

CREATE TRIGGER storage_stays BEFORE DELETE ON storage
WHEN NOT EXISTS (SELECT 1 FROM gc_running)
BEGIN SELECT RAISE(ABORT, 'storage: only gc deletes facts'); END;

CREATE TRIGGER template_is_fixed BEFORE UPDATE ON template
BEGIN SELECT RAISE(ABORT, 'template: facts are not changed'); END;

CREATE TRIGGER template_is_new BEFORE INSERT ON template
WHEN EXISTS (SELECT 1 FROM template WHERE id = NEW.id OR sha256 = NEW.sha256)
BEGIN SELECT RAISE(ABORT, 'template: facts are not replaced'); END;

CREATE TRIGGER template_stays BEFORE DELETE ON template
WHEN NOT EXISTS (SELECT 1 FROM gc_running)
BEGIN SELECT RAISE(ABORT, 'template: only gc deletes facts'); END;

CREATE TRIGGER tensor_is_fixed BEFORE UPDATE OF id, sha256, dtype, shape, nbytes, crc32c, crc32 ON tensor
BEGIN SELECT RAISE(ABORT, 'tensor: facts are not changed'); END;

CREATE TRIGGER tensor_is_new BEFORE INSERT ON tensor
WHEN EXISTS (SELECT 1 FROM tensor WHERE id = NEW.id OR (sha256 = NEW.sha256 AND dtype = NEW.dtype AND shape = NEW.shape))
BEGIN SELECT RAISE(ABORT, 'tensor: facts are not replaced'); END;

CREATE TRIGGER tensor_stays BEFORE DELETE ON tensor
WHEN NOT EXISTS (SELECT 1 FROM gc_running)
BEGIN SELECT RAISE(ABORT, 'tensor: only gc deletes facts'); END;

CREATE TRIGGER tree_is_fixed BEFORE UPDATE ON tree
BEGIN SELECT RAISE(ABORT, 'tree: facts are not changed'); END;

CREATE TRIGGER tree_is_new BEFORE INSERT ON tree
WHEN EXISTS (SELECT 1 FROM tree WHERE id = NEW.id OR sha256 = NEW.sha256)
BEGIN SELECT RAISE(ABORT, 'tree: facts are not replaced'); END;

CREATE TRIGGER tree_layer_is_fixed BEFORE UPDATE ON tree_layer
BEGIN SELECT RAISE(ABORT, 'tree_layer: facts are not changed'); END;

CREATE TRIGGER tree_layer_is_new BEFORE INSERT ON tree_layer
WHEN EXISTS (SELECT 1 FROM tree_layer WHERE tree_id = NEW.tree_id AND position = NEW.position)
BEGIN SELECT RAISE(ABORT, 'tree_layer: facts are not replaced'); END;

CREATE TRIGGER tree_layer_stays BEFORE DELETE ON tree_layer
WHEN NOT EXISTS (SELECT 1 FROM gc_running)
BEGIN SELECT RAISE(ABORT, 'tree_layer: only gc deletes facts'); END;

CREATE TRIGGER tree_stays BEFORE DELETE ON tree
WHEN NOT EXISTS (SELECT 1 FROM gc_running)
BEGIN SELECT RAISE(ABORT, 'tree: only gc deletes facts'); END;

CREATE TRIGGER variable_is_fixed BEFORE UPDATE ON variable
BEGIN SELECT RAISE(ABORT, 'variable: facts are not changed'); END;

CREATE TRIGGER variable_is_new BEFORE INSERT ON variable
WHEN EXISTS (SELECT 1 FROM variable WHERE layer_id = NEW.layer_id AND position = NEW.position)
BEGIN SELECT RAISE(ABORT, 'variable: facts are not replaced'); END;

CREATE TRIGGER variable_stays BEFORE DELETE ON variable
WHEN NOT EXISTS (SELECT 1 FROM gc_running)
BEGIN SELECT RAISE(ABORT, 'variable: only gc deletes facts'); END;

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

CREATE VIEW log AS
SELECT lower(hex(s.sha256)) AS snapshot, lower(hex(s.parent)) AS parent,
  (SELECT group_concat(name) FROM ref
   WHERE kind = 0 AND snapshot_id = s.id) AS branch,
  r.name AS run, s.step AS step, s.epoch AS epoch, s.time AS time,
  s.message AS message
FROM snapshot AS s JOIN run AS r ON r.id = s.run_id
WHERE NOT EXISTS (SELECT 1 FROM forgotten WHERE snapshot_id = s.id)
ORDER BY s.id DESC;

CREATE VIEW metrics AS
SELECT r.name AS run, m.key AS key, m.step AS step, m.time AS time,
  CASE m.class WHEN 0 THEN m.value WHEN 2 THEN 9e999 WHEN 3 THEN -9e999 END
    AS value
FROM metric AS m JOIN run AS r ON r.id = m.run_id;

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

CREATE VIEW published_files AS
SELECT p.time AS time, p.place AS place, lower(hex(p.snapshot)) AS snapshot,
  f.path AS path, f.format AS format, f.size AS size,
  lower(hex(f.sha256)) AS sha256
FROM publication AS p JOIN publication_file AS f ON f.publication_id = p.id
WHERE p.ended IS NULL;

CREATE VIEW run_info AS
SELECT r.name AS run, coalesce(t.n_snapshots, 0) AS snapshots, o.host AS host,
  o.folder AS folder, o.command AS command, o.git_commit AS git_commit,
  o.git_dirty AS git_dirty, o.exit_status AS exit_status
FROM run AS r LEFT JOIN run_total AS t ON t.run_id = r.id
  LEFT JOIN run_origin AS o ON o.run_id = r.id;

CREATE VIEW runs AS
SELECT name AS run, status, started, ended FROM run;

CREATE VIEW tensor_stats AS
SELECT lower(hex(t.sha256)) AS sha256, t.dtype AS dtype, t.shape AS shape,
  x.n_elements AS n_elements, x.n_zero AS n_zero, x.n_nan AS n_nan,
  x.n_inf AS n_inf, x.min AS min, x.max AS max, x.mean AS mean, x.std AS std,
  x.l2 AS l2
FROM tensor AS t JOIN tensor_statistics AS x ON x.tensor_id = t.id;

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
