-- Schema 1: content (storage, chunk, tensor, layer, tree, template), history
-- (snapshot, ref, reflog), runs, and what keeps writers honest.
--
-- Facts are immutable: a trigger refuses every UPDATE, every INSERT over an
-- existing key (an OR REPLACE would slip past UPDATE triggers), and every
-- DELETE without a row in gc_running.

-- One row: storage ids are handed out from here and never used again; a sweep
-- counts itself.
CREATE TABLE counter (
  name TEXT NOT NULL PRIMARY KEY,
  value INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
INSERT INTO counter(name, value) VALUES ('storage', 1), ('sweep_epoch', 0);

CREATE TABLE config (
  key TEXT NOT NULL PRIMARY KEY,
  value TEXT NOT NULL
) STRICT, WITHOUT ROWID;

-- A row here, in the same transaction, allows facts to be deleted.
CREATE TABLE gc_running (
  epoch INTEGER NOT NULL PRIMARY KEY
) STRICT;

-- How a tensor's bytes lie. base_id and context_id: storages whose values the
-- decoder reads.
CREATE TABLE storage (
  id INTEGER NOT NULL PRIMARY KEY,
  encoding INTEGER NOT NULL,
  nbytes INTEGER NOT NULL,
  stored_bytes INTEGER NOT NULL,
  base_id INTEGER REFERENCES storage(id),
  context_id INTEGER REFERENCES storage(id)
) STRICT;

-- At most 1 MiB of payload. id = storage << 24 | position. The blob comes
-- last, so that what describes it is read without it.
CREATE TABLE chunk (
  id INTEGER NOT NULL PRIMARY KEY,
  codec INTEGER NOT NULL,
  raw_bytes INTEGER NOT NULL,
  crc32c INTEGER NOT NULL,
  data BLOB NOT NULL
) STRICT;

-- A payload with its dtype and shape. storage_id is the one column of a fact
-- that may change: recoding moves it.
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
CREATE INDEX tensor_by_storage ON tensor(storage_id);

-- Derived: droppable, recomputed from payloads. version: of the algorithm.
CREATE TABLE tensor_statistics (
  tensor_id INTEGER NOT NULL PRIMARY KEY,
  version INTEGER NOT NULL,
  n_elements INTEGER NOT NULL,
  n_zero INTEGER NOT NULL,
  n_nan INTEGER NOT NULL,
  n_inf INTEGER NOT NULL,
  min REAL, max REAL, mean REAL, std REAL, l2 REAL
) STRICT;

CREATE TABLE layer (
  id INTEGER NOT NULL PRIMARY KEY,
  sha256 BLOB NOT NULL UNIQUE,
  name TEXT NOT NULL,
  class_name TEXT,
  kind INTEGER NOT NULL,
  nbytes INTEGER NOT NULL
) STRICT;

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
CREATE INDEX variable_by_tensor ON variable(tensor_id);

-- graph and attributes are uint8 tensors that hold their texts.
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
CREATE INDEX tree_layer_by_layer ON tree_layer(layer_id);

-- The skeleton of an imported checkpoint: text_id lists files and extents,
-- skeleton_id holds the bytes between payloads.
CREATE TABLE template (
  id INTEGER NOT NULL PRIMARY KEY,
  sha256 BLOB NOT NULL UNIQUE,
  format TEXT NOT NULL,
  text_id INTEGER NOT NULL REFERENCES tensor(id),
  skeleton_id INTEGER REFERENCES tensor(id)
) STRICT;

CREATE TABLE run (
  id INTEGER NOT NULL PRIMARY KEY,
  uuid TEXT NOT NULL UNIQUE,
  name TEXT NOT NULL UNIQUE,
  status TEXT NOT NULL,
  started INTEGER NOT NULL,
  ended INTEGER
) STRICT;

CREATE TABLE param (
  run_id INTEGER NOT NULL REFERENCES run(id),
  key TEXT NOT NULL,
  value TEXT NOT NULL,
  PRIMARY KEY (run_id, key)
) STRICT, WITHOUT ROWID;

-- parent is a digest without a foreign key: parents may be forgotten.
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
CREATE INDEX snapshot_by_tree ON snapshot(tree_id);
CREATE INDEX snapshot_by_run ON snapshot(run_id, step);
CREATE INDEX snapshot_by_time ON snapshot(time);

-- When a snapshot was forgotten: gc takes it after the grace period.
CREATE TABLE forgotten (
  snapshot_id INTEGER NOT NULL PRIMARY KEY REFERENCES snapshot(id),
  time INTEGER NOT NULL
) STRICT;

-- What is left of a snapshot that gc took.
CREATE TABLE tombstone (
  sha256 BLOB NOT NULL PRIMARY KEY,
  parent BLOB,
  time INTEGER NOT NULL,
  forgotten INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

-- class: 0 a number, 1 NaN, 2 +Inf, 3 -Inf (value is NULL for these), since
-- SQLite turns NaN into NULL. snapshot_id: the commit that recorded it.
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
CREATE INDEX metric_by_snapshot ON metric(snapshot_id, key);
CREATE INDEX metric_by_key ON metric(key, value);

-- kind: 0 branch, 1 tag.
CREATE TABLE ref (
  kind INTEGER NOT NULL,
  name TEXT NOT NULL,
  snapshot_id INTEGER REFERENCES snapshot(id),
  PRIMARY KEY (kind, name)
) STRICT, WITHOUT ROWID;
CREATE INDEX ref_by_snapshot ON ref(snapshot_id);
INSERT INTO ref(kind, name, snapshot_id) VALUES (0, 'main', NULL);
INSERT INTO config(key, value) VALUES ('head', 'main');

-- from_sha256 and to_sha256 are digests: what they name may be forgotten.
CREATE TABLE reflog (
  id INTEGER NOT NULL PRIMARY KEY,
  branch TEXT NOT NULL,
  from_sha256 BLOB,
  to_sha256 BLOB,
  why TEXT NOT NULL,
  time INTEGER NOT NULL
) STRICT;
CREATE INDEX reflog_by_branch ON reflog(branch, id);

CREATE TRIGGER storage_is_fixed BEFORE UPDATE ON storage
BEGIN SELECT RAISE(ABORT, 'storage: facts are not changed'); END;
CREATE TRIGGER storage_is_new BEFORE INSERT ON storage
WHEN EXISTS (SELECT 1 FROM storage WHERE id = NEW.id)
BEGIN SELECT RAISE(ABORT, 'storage: facts are not replaced'); END;
CREATE TRIGGER storage_stays BEFORE DELETE ON storage
WHEN NOT EXISTS (SELECT 1 FROM gc_running)
BEGIN SELECT RAISE(ABORT, 'storage: only gc deletes facts'); END;

CREATE TRIGGER chunk_is_fixed BEFORE UPDATE ON chunk
BEGIN SELECT RAISE(ABORT, 'chunk: facts are not changed'); END;
CREATE TRIGGER chunk_is_new BEFORE INSERT ON chunk
WHEN EXISTS (SELECT 1 FROM chunk WHERE id = NEW.id)
BEGIN SELECT RAISE(ABORT, 'chunk: facts are not replaced'); END;
CREATE TRIGGER chunk_stays BEFORE DELETE ON chunk
WHEN NOT EXISTS (SELECT 1 FROM gc_running)
BEGIN SELECT RAISE(ABORT, 'chunk: only gc deletes facts'); END;

CREATE TRIGGER tensor_is_fixed BEFORE UPDATE OF id, sha256, dtype, shape, nbytes, crc32c, crc32 ON tensor
BEGIN SELECT RAISE(ABORT, 'tensor: facts are not changed'); END;
CREATE TRIGGER tensor_is_new BEFORE INSERT ON tensor
WHEN EXISTS (SELECT 1 FROM tensor WHERE id = NEW.id OR (sha256 = NEW.sha256 AND dtype = NEW.dtype AND shape = NEW.shape))
BEGIN SELECT RAISE(ABORT, 'tensor: facts are not replaced'); END;
CREATE TRIGGER tensor_stays BEFORE DELETE ON tensor
WHEN NOT EXISTS (SELECT 1 FROM gc_running)
BEGIN SELECT RAISE(ABORT, 'tensor: only gc deletes facts'); END;

CREATE TRIGGER layer_is_fixed BEFORE UPDATE ON layer
BEGIN SELECT RAISE(ABORT, 'layer: facts are not changed'); END;
CREATE TRIGGER layer_is_new BEFORE INSERT ON layer
WHEN EXISTS (SELECT 1 FROM layer WHERE id = NEW.id OR sha256 = NEW.sha256)
BEGIN SELECT RAISE(ABORT, 'layer: facts are not replaced'); END;
CREATE TRIGGER layer_stays BEFORE DELETE ON layer
WHEN NOT EXISTS (SELECT 1 FROM gc_running)
BEGIN SELECT RAISE(ABORT, 'layer: only gc deletes facts'); END;

CREATE TRIGGER variable_is_fixed BEFORE UPDATE ON variable
BEGIN SELECT RAISE(ABORT, 'variable: facts are not changed'); END;
CREATE TRIGGER variable_is_new BEFORE INSERT ON variable
WHEN EXISTS (SELECT 1 FROM variable WHERE layer_id = NEW.layer_id AND position = NEW.position)
BEGIN SELECT RAISE(ABORT, 'variable: facts are not replaced'); END;
CREATE TRIGGER variable_stays BEFORE DELETE ON variable
WHEN NOT EXISTS (SELECT 1 FROM gc_running)
BEGIN SELECT RAISE(ABORT, 'variable: only gc deletes facts'); END;

CREATE TRIGGER tree_is_fixed BEFORE UPDATE ON tree
BEGIN SELECT RAISE(ABORT, 'tree: facts are not changed'); END;
CREATE TRIGGER tree_is_new BEFORE INSERT ON tree
WHEN EXISTS (SELECT 1 FROM tree WHERE id = NEW.id OR sha256 = NEW.sha256)
BEGIN SELECT RAISE(ABORT, 'tree: facts are not replaced'); END;
CREATE TRIGGER tree_stays BEFORE DELETE ON tree
WHEN NOT EXISTS (SELECT 1 FROM gc_running)
BEGIN SELECT RAISE(ABORT, 'tree: only gc deletes facts'); END;

CREATE TRIGGER tree_layer_is_fixed BEFORE UPDATE ON tree_layer
BEGIN SELECT RAISE(ABORT, 'tree_layer: facts are not changed'); END;
CREATE TRIGGER tree_layer_is_new BEFORE INSERT ON tree_layer
WHEN EXISTS (SELECT 1 FROM tree_layer WHERE tree_id = NEW.tree_id AND position = NEW.position)
BEGIN SELECT RAISE(ABORT, 'tree_layer: facts are not replaced'); END;
CREATE TRIGGER tree_layer_stays BEFORE DELETE ON tree_layer
WHEN NOT EXISTS (SELECT 1 FROM gc_running)
BEGIN SELECT RAISE(ABORT, 'tree_layer: only gc deletes facts'); END;

CREATE TRIGGER template_is_fixed BEFORE UPDATE ON template
BEGIN SELECT RAISE(ABORT, 'template: facts are not changed'); END;
CREATE TRIGGER template_is_new BEFORE INSERT ON template
WHEN EXISTS (SELECT 1 FROM template WHERE id = NEW.id OR sha256 = NEW.sha256)
BEGIN SELECT RAISE(ABORT, 'template: facts are not replaced'); END;
CREATE TRIGGER template_stays BEFORE DELETE ON template
WHEN NOT EXISTS (SELECT 1 FROM gc_running)
BEGIN SELECT RAISE(ABORT, 'template: only gc deletes facts'); END;

CREATE TRIGGER snapshot_is_fixed BEFORE UPDATE ON snapshot
BEGIN SELECT RAISE(ABORT, 'snapshot: facts are not changed'); END;
CREATE TRIGGER snapshot_is_new BEFORE INSERT ON snapshot
WHEN EXISTS (SELECT 1 FROM snapshot WHERE id = NEW.id OR sha256 = NEW.sha256)
BEGIN SELECT RAISE(ABORT, 'snapshot: facts are not replaced'); END;
CREATE TRIGGER snapshot_stays BEFORE DELETE ON snapshot
WHEN NOT EXISTS (SELECT 1 FROM gc_running)
BEGIN SELECT RAISE(ABORT, 'snapshot: only gc deletes facts'); END;
