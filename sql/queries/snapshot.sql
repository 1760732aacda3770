-- Snapshots, names, runs.

-- name: snapshot_find
-- ?1 sha256
SELECT id FROM snapshot WHERE sha256 = ?1;

-- name: snapshot_insert
-- ?1 sha256, ?2 tree, ?3 parent, ?4 generation, ?5 time, ?6 run, ?7 step,
-- ?8 epoch, ?9 origin format, ?10 origin generator, ?11 template, ?12 message
-- An id is never used again: a change may still name the one that had it.
INSERT INTO snapshot(id, sha256, tree_id, parent, generation, time, run_id,
  step, epoch, origin_format, origin_generator, template_id, message)
VALUES ((SELECT coalesce(max(snapshot_id), 0) + 1 FROM lineage),
  ?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12);

-- name: snapshot_same
-- ?1 run, ?2 step, ?3 epoch, ?4 message
SELECT id, sha256, tree_id, parent, time FROM snapshot
WHERE run_id = ?1 AND step IS ?2 AND epoch IS ?3 AND message = ?4
ORDER BY id DESC LIMIT 1;

-- name: snapshot_get
-- ?1 id
SELECT s.sha256, t.sha256, s.parent, s.generation, s.time, r.uuid, s.step,
  s.epoch, s.origin_format, s.origin_generator, p.sha256, p.format, s.message,
  s.tree_id, s.template_id, s.run_id, r.name, t.n_tensors, t.n_layers, t.nbytes
FROM snapshot AS s JOIN tree AS t ON t.id = s.tree_id
  JOIN run AS r ON r.id = s.run_id
  LEFT JOIN template AS p ON p.id = s.template_id
WHERE s.id = ?1;

-- name: snapshot_any
SELECT 1 FROM snapshot LIMIT 1;

-- name: ref_get
-- ?1 kind, ?2 name
SELECT snapshot_id FROM ref WHERE kind = ?1 AND name = ?2;

-- name: ref_put
-- ?1 kind, ?2 name, ?3 snapshot
INSERT INTO ref(kind, name, snapshot_id) VALUES (?1, ?2, ?3)
ON CONFLICT(kind, name) DO UPDATE SET snapshot_id = excluded.snapshot_id;

-- name: ref_delete
-- ?1 kind, ?2 name
DELETE FROM ref WHERE kind = ?1 AND name = ?2;

-- name: ref_list
-- ?1 kind
SELECT r.name, s.sha256 FROM ref AS r
  LEFT JOIN snapshot AS s ON s.id = r.snapshot_id
WHERE r.kind = ?1 ORDER BY r.name;

-- name: ref_trees
-- Of branches and tags.
SELECT DISTINCT s.tree_id
FROM ref AS r CROSS JOIN snapshot AS s ON s.id = r.snapshot_id;

-- name: ref_of_snapshot
-- ?1 snapshot, ?2 kind
SELECT name FROM ref WHERE snapshot_id = ?1 AND kind = ?2 ORDER BY name;

-- name: reflog_insert
-- ?1 branch, ?2 from, ?3 to, ?4 why, ?5 time
INSERT INTO reflog(branch, from_sha256, to_sha256, why, time)
VALUES (?1, ?2, ?3, ?4, ?5);

-- name: reflog_of_branch
-- ?1 branch
SELECT branch, from_sha256, to_sha256, why, time FROM reflog
WHERE branch = ?1 ORDER BY id DESC;

-- name: reflog_batch_of_branch
-- ?1 below this id, ?2 branch
SELECT id, branch, from_sha256, to_sha256, why, time FROM reflog
WHERE branch = ?2 AND id < ?1 ORDER BY id DESC LIMIT 64;

-- name: reflog_batch
-- ?1 below this id
SELECT id, branch, from_sha256, to_sha256, why, time FROM reflog
WHERE id < ?1 ORDER BY id DESC LIMIT 64;

-- name: reflog_at
-- ?1 branch, ?2 how many moves ago
SELECT to_sha256 FROM reflog WHERE branch = ?1 ORDER BY id DESC
LIMIT 1 OFFSET ?2;

-- name: reflog_rename
-- ?1 from, ?2 to
UPDATE reflog SET branch = ?2 WHERE branch = ?1;

-- name: run_find
-- ?1 name
SELECT id, uuid FROM run WHERE name = ?1;

-- name: run_insert
-- ?1 uuid, ?2 name, ?3 status, ?4 started
INSERT INTO run(uuid, name, status, started) VALUES (?1, ?2, ?3, ?4);

-- name: param_put
-- ?1 run, ?2 key, ?3 value
INSERT INTO param(run_id, key, value) VALUES (?1, ?2, ?3)
ON CONFLICT(run_id, key) DO UPDATE SET value = excluded.value;

-- name: param_list
-- ?1 run
SELECT key, value FROM param WHERE run_id = ?1 ORDER BY key;

-- name: metric_next
-- ?1 run, ?2 key, ?3 step
SELECT coalesce(max(seq) + 1, 0) FROM metric
WHERE run_id = ?1 AND key = ?2 AND step = ?3;

-- name: metric_insert
-- ?1 run, ?2 key, ?3 step, ?4 seq, ?5 time, ?6 class, ?7 value, ?8 snapshot
INSERT INTO metric(run_id, key, step, seq, time, class, value, snapshot_id)
VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8);

-- name: metric_adopt
-- ?1 run, ?2 step, ?3 snapshot
-- The newest value of each key, if no snapshot has it.
UPDATE metric SET snapshot_id = ?3
WHERE run_id = ?1 AND step = ?2 AND snapshot_id IS NULL
  AND key IN (SELECT key FROM metric_summary WHERE run_id = ?1)
  AND seq = (SELECT max(m.seq) FROM metric AS m
    WHERE m.run_id = ?1 AND m.key = metric.key AND m.step = ?2);

-- name: metric_share
-- ?1 run, ?2 step, ?3 snapshot
-- The newest value of each key, if a snapshot has it that is of another file.
INSERT INTO metric(run_id, key, step, seq, time, class, value, snapshot_id)
SELECT m.run_id, m.key, m.step, m.seq + 1, m.time, m.class, m.value, ?3
FROM metric_summary AS k
  JOIN metric AS m ON m.run_id = k.run_id AND m.key = k.key AND m.step = ?2
    AND m.seq = (SELECT max(n.seq) FROM metric AS n
      WHERE n.run_id = ?1 AND n.key = k.key AND n.step = ?2)
WHERE k.run_id = ?1 AND m.snapshot_id <> ?3
  AND (SELECT message FROM snapshot WHERE id = m.snapshot_id)
    <> (SELECT message FROM snapshot WHERE id = ?3);

-- name: metric_has_snapshot
-- ?1 snapshot, ?2 key
SELECT 1 FROM metric WHERE snapshot_id = ?1 AND key = ?2 LIMIT 1;

-- name: metric_of_snapshot
-- ?1 snapshot
SELECT key, class, value FROM metric WHERE snapshot_id = ?1 ORDER BY key, seq;

-- name: snapshot_by_prefix
-- ?1 lowest digest, ?2 highest digest
SELECT id, sha256 FROM snapshot WHERE sha256 BETWEEN ?1 AND ?2
ORDER BY sha256 LIMIT 17;

-- name: snapshot_by_step
-- ?1 run name, ?2 step
SELECT s.id FROM snapshot AS s
WHERE s.run_id = (SELECT id FROM run WHERE name = ?1) AND s.step = ?2
  AND NOT EXISTS (SELECT 1 FROM forgotten WHERE snapshot_id = s.id)
ORDER BY s.id DESC LIMIT 1;

-- name: snapshot_of_step
-- ?1 run, ?2 step, ?3 below this id: of each file's living snapshots the newest
SELECT s.id FROM snapshot AS s
WHERE s.run_id = ?1 AND s.step = ?2 AND s.id < ?3
  AND NOT EXISTS (SELECT 1 FROM forgotten WHERE snapshot_id = s.id)
  AND NOT EXISTS (SELECT 1 FROM snapshot AS n
    WHERE n.run_id = ?1 AND n.step = ?2 AND n.id > s.id
      AND n.message = s.message
      AND NOT EXISTS (SELECT 1 FROM forgotten WHERE snapshot_id = n.id))
ORDER BY s.id DESC LIMIT 1;

-- name: snapshot_by_epoch
-- ?1 run name, ?2 epoch
SELECT s.id FROM snapshot AS s
WHERE s.run_id = (SELECT id FROM run WHERE name = ?1) AND s.epoch = ?2
  AND NOT EXISTS (SELECT 1 FROM forgotten WHERE snapshot_id = s.id)
ORDER BY s.id DESC LIMIT 1;

-- name: snapshot_latest_of_run
-- ?1 run name
SELECT s.id FROM snapshot AS s
WHERE s.run_id = (SELECT id FROM run WHERE name = ?1)
  AND NOT EXISTS (SELECT 1 FROM forgotten WHERE snapshot_id = s.id)
ORDER BY s.id DESC LIMIT 1;

-- name: snapshot_best_max
-- ?1 metric
-- Infinities have no value: +Inf, else the highest number, else -Inf, each by
-- the index; NULL: there is none.
SELECT coalesce(
  (SELECT max(snapshot_id) FROM metric
    WHERE key = ?1 AND value IS NULL AND class = 2 AND snapshot_id IS NOT NULL
    AND snapshot_id NOT IN (SELECT snapshot_id FROM forgotten)),
  (SELECT max(snapshot_id) FROM metric
    WHERE key = ?1 AND snapshot_id IS NOT NULL
    AND snapshot_id NOT IN (SELECT snapshot_id FROM forgotten)
    AND value = (SELECT value FROM metric
      WHERE key = ?1 AND value IS NOT NULL AND snapshot_id IS NOT NULL
        AND snapshot_id NOT IN (SELECT snapshot_id FROM forgotten)
      ORDER BY value DESC LIMIT 1)),
  (SELECT max(snapshot_id) FROM metric
    WHERE key = ?1 AND value IS NULL AND class = 3 AND snapshot_id IS NOT NULL
    AND snapshot_id NOT IN (SELECT snapshot_id FROM forgotten)));

-- name: snapshot_best_min
-- ?1 metric
-- The other way round.
SELECT coalesce(
  (SELECT max(snapshot_id) FROM metric
    WHERE key = ?1 AND value IS NULL AND class = 3 AND snapshot_id IS NOT NULL
    AND snapshot_id NOT IN (SELECT snapshot_id FROM forgotten)),
  (SELECT max(snapshot_id) FROM metric
    WHERE key = ?1 AND snapshot_id IS NOT NULL
    AND snapshot_id NOT IN (SELECT snapshot_id FROM forgotten)
    AND value = (SELECT value FROM metric
      WHERE key = ?1 AND value IS NOT NULL AND snapshot_id IS NOT NULL
        AND snapshot_id NOT IN (SELECT snapshot_id FROM forgotten)
      ORDER BY value LIMIT 1)),
  (SELECT max(snapshot_id) FROM metric
    WHERE key = ?1 AND value IS NULL AND class = 2 AND snapshot_id IS NOT NULL
    AND snapshot_id NOT IN (SELECT snapshot_id FROM forgotten)));

-- name: metric_keys
SELECT DISTINCT key FROM metric WHERE snapshot_id IS NOT NULL ORDER BY key;

-- name: snapshot_newest
-- ?1 below this id
SELECT s.id FROM snapshot AS s WHERE s.id < ?1
  AND NOT EXISTS (SELECT 1 FROM forgotten WHERE snapshot_id = s.id)
ORDER BY s.id DESC LIMIT 1;

-- name: snapshot_parent
-- ?1 sha256
SELECT parent FROM snapshot WHERE sha256 = ?1;

-- name: forgotten_get
-- ?1 snapshot
SELECT time FROM forgotten WHERE snapshot_id = ?1;

-- name: snapshot_lives
-- ?1 snapshot
SELECT 1 FROM snapshot AS s WHERE s.id = ?1
  AND NOT EXISTS (SELECT 1 FROM forgotten WHERE snapshot_id = s.id);

-- name: tombstone_get
-- ?1 sha256
SELECT parent, forgotten FROM tombstone WHERE sha256 = ?1;

-- name: tombstone_list
-- ?1 of snapshots later than this
-- Of the same second nobody knows which came first.
SELECT sha256, parent, time FROM tombstone WHERE time > ?1;

-- name: tombstone_by_prefix
-- ?1 lowest digest, ?2 highest digest
SELECT sha256 FROM tombstone WHERE sha256 BETWEEN ?1 AND ?2 LIMIT 1;
