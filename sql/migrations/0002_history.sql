-- Schema 2: where a weight changed, what is known of runs, keeping and gc.

-- ---- Where weights changed: derived, filled from snapshots and trees --------

-- Snapshots in lines: a line is a chain without a fork, so that ancestors are
-- ranges. The first child of a line's end goes on with it; any other begins a
-- line of its own, whose id is the first snapshot's. A row outlives its
-- snapshot, and keeps the snapshot's id from being used again.
CREATE TABLE lineage (
  snapshot_id INTEGER NOT NULL PRIMARY KEY,
  line_id INTEGER NOT NULL,
  generation INTEGER NOT NULL
) STRICT;
CREATE UNIQUE INDEX lineage_by_line ON lineage(line_id, generation);

-- Where a line leaves another one: at this generation of it, or NULL, NULL.
CREATE TABLE line (
  id INTEGER NOT NULL PRIMARY KEY,
  parent_id INTEGER,
  parent_generation INTEGER
) STRICT;

-- The digest of a snapshot that gc took and that a change may still name.
CREATE TABLE gone (
  snapshot_id INTEGER NOT NULL PRIMARY KEY,
  sha256 BLOB NOT NULL
) STRICT;

-- A weight over all snapshots and formats: as the view weights spells it.
CREATE TABLE weight (
  id INTEGER NOT NULL PRIMARY KEY,
  layer TEXT NOT NULL,
  name TEXT NOT NULL,
  UNIQUE (layer, name)
) STRICT;

-- A row where a weight's tensor is not its parent's. tensor_id NULL: the
-- weight is gone. A row goes when its tensor does.
CREATE TABLE change (
  weight_id INTEGER NOT NULL REFERENCES weight(id),
  line_id INTEGER NOT NULL,
  generation INTEGER NOT NULL,
  snapshot_id INTEGER NOT NULL,
  tensor_id INTEGER,
  PRIMARY KEY (weight_id, line_id, generation)
) STRICT, WITHOUT ROWID;
CREATE INDEX change_by_snapshot ON change(snapshot_id);
CREATE INDEX change_by_tensor ON change(tensor_id)
WHERE tensor_id IS NOT NULL;

-- ---- Runs -------------------------------------------------------------------

-- What was recorded when a run was started. Never environment variables; what
-- reads as a secret in the command line is left out.
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

-- Derived, by the triggers below: a list of runs reads no metric and no
-- snapshot. class and value: of the highest step; min and max: of numbers and
-- infinities.
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

CREATE TABLE run_total (
  run_id INTEGER NOT NULL PRIMARY KEY REFERENCES run(id),
  n_snapshots INTEGER NOT NULL
) STRICT;

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
CREATE TRIGGER forgotten_is_discounted AFTER INSERT ON forgotten
BEGIN
  UPDATE run_total SET n_snapshots = n_snapshots - 1
  WHERE run_id = (SELECT run_id FROM snapshot WHERE id = NEW.snapshot_id);
END;
CREATE TRIGGER forgotten_is_counted AFTER DELETE ON forgotten
BEGIN
  UPDATE run_total SET n_snapshots = n_snapshots + 1
  WHERE run_id = (SELECT run_id FROM snapshot WHERE id = OLD.snapshot_id);
END;

INSERT INTO run_total(run_id, n_snapshots)
SELECT run_id, count(*) FROM snapshot GROUP BY run_id;

INSERT INTO metric_summary(run_id, key, n, step, class, value, min, max)
SELECT s.run_id, s.key, s.n, m.step, m.class, m.value, s.low, s.high
FROM (SELECT run_id, key, count(*) AS n, max(step) AS step,
    min(CASE class WHEN 0 THEN value WHEN 2 THEN 9e999 WHEN 3 THEN -9e999 END)
      AS low,
    max(CASE class WHEN 0 THEN value WHEN 2 THEN 9e999 WHEN 3 THEN -9e999 END)
      AS high
  FROM metric GROUP BY run_id, key) AS s
  JOIN metric AS m ON m.run_id = s.run_id AND m.key = s.key
    AND m.step = s.step AND m.seq = (SELECT max(seq) FROM metric AS x
      WHERE x.run_id = s.run_id AND x.key = s.key AND x.step = s.step);

-- Only metrics of snapshots are looked for by snapshot or by value: a stream
-- of others writes one tree instead of three.
DROP INDEX metric_by_snapshot;
CREATE INDEX metric_by_snapshot ON metric(snapshot_id, key)
WHERE snapshot_id IS NOT NULL;
DROP INDEX metric_by_key;
CREATE INDEX metric_by_key ON metric(key, value)
WHERE snapshot_id IS NOT NULL;

-- ---- Keeping and gc ---------------------------------------------------------

-- Rules of `keep`, applied after each commit. kind: 0 the store, 1 a branch,
-- 2 a run.
CREATE TABLE policy (
  kind INTEGER NOT NULL,
  name TEXT NOT NULL,
  rules TEXT NOT NULL,
  time INTEGER NOT NULL,
  PRIMARY KEY (kind, name)
) STRICT, WITHOUT ROWID;

-- Storage ids that a commit under way has reserved. It holds a lock on byte
-- `id` of the lock file; a row without a lock is a commit that died, and gc
-- takes what it left.
CREATE TABLE lease (
  id INTEGER NOT NULL,
  first_storage INTEGER NOT NULL,
  end_storage INTEGER NOT NULL,
  PRIMARY KEY (id, first_storage)
) STRICT, WITHOUT ROWID;
INSERT INTO counter(name, value) VALUES ('lease', 1);
-- Before there were leases a dead commit left chunks that nothing names.
INSERT INTO lease(id, first_storage, end_storage)
SELECT 0, 1, value FROM counter WHERE name = 'storage' AND value > 1;

-- Who is coded against a storage.
CREATE INDEX storage_by_base ON storage(base_id) WHERE base_id IS NOT NULL;
CREATE INDEX storage_by_context ON storage(context_id)
WHERE context_id IS NOT NULL;

-- gc may have taken a base between choosing it and naming it.
CREATE TRIGGER storage_has_its_bases BEFORE INSERT ON storage
WHEN (NEW.base_id IS NOT NULL
    AND NOT EXISTS (SELECT 1 FROM storage WHERE id = NEW.base_id))
  OR (NEW.context_id IS NOT NULL
    AND NOT EXISTS (SELECT 1 FROM storage WHERE id = NEW.context_id))
BEGIN SELECT RAISE(ABORT, 'storage: what it is coded against is gone'); END;

-- Stores of schema 1 have no id of their own.
INSERT OR IGNORE INTO config(key, value)
VALUES ('id', lower(hex(randomblob(16))));

-- ---- Bisecting --------------------------------------------------------------

-- verdict: good, bad or skip.
CREATE TABLE bisect (
  sha256 BLOB NOT NULL PRIMARY KEY,
  verdict TEXT NOT NULL
) STRICT, WITHOUT ROWID;
