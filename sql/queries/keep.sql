-- Which snapshots stay.

-- name: keep_candidates
-- Living ones, newest first.
SELECT s.id, s.run_id, s.step, s.epoch, s.time, l.line_id, l.generation,
  s.tree_id, s.template_id
FROM snapshot AS s JOIN lineage AS l ON l.snapshot_id = s.id
WHERE NOT EXISTS (SELECT 1 FROM forgotten WHERE snapshot_id = s.id)
ORDER BY s.id DESC;

-- name: keep_metric
-- ?1 key
SELECT snapshot_id, class, value FROM metric
WHERE key = ?1 AND snapshot_id IS NOT NULL AND class <> 1;

-- name: keep_names
SELECT snapshot_id, kind, name FROM ref WHERE snapshot_id IS NOT NULL
ORDER BY kind, name;

-- name: keep_reflog
-- ?1 later than this: what moves other than commits left and reached
SELECT DISTINCT s.id FROM reflog AS r
  JOIN snapshot AS s ON s.sha256 IN (r.from_sha256, r.to_sha256)
WHERE r.time > ?1 AND r.why <> 'commit';

-- name: keep_staying
-- Living ones, with what they need.
SELECT id, tree_id, template_id FROM snapshot AS s
WHERE NOT EXISTS (SELECT 1 FROM forgotten WHERE snapshot_id = s.id);

-- name: forgotten_insert
-- ?1 snapshot, ?2 time
INSERT OR IGNORE INTO forgotten(snapshot_id, time) VALUES (?1, ?2);

-- name: forgotten_list
SELECT f.snapshot_id, s.run_id, l.line_id, l.generation
FROM forgotten AS f JOIN snapshot AS s ON s.id = f.snapshot_id
  JOIN lineage AS l ON l.snapshot_id = f.snapshot_id;

-- name: policy_put
-- ?1 kind, ?2 name, ?3 rules, ?4 time
INSERT INTO policy(kind, name, rules, time) VALUES (?1, ?2, ?3, ?4)
ON CONFLICT(kind, name) DO UPDATE SET rules = excluded.rules,
  time = excluded.time;

-- name: policy_delete
-- ?1 kind, ?2 name
DELETE FROM policy WHERE kind = ?1 AND name = ?2;

-- name: policy_rename
-- ?1 kind, ?2 from, ?3 to: a policy that waited there goes
UPDATE OR REPLACE policy SET name = ?3 WHERE kind = ?1 AND name = ?2;

-- name: policy_list
SELECT kind, name, rules FROM policy ORDER BY kind, name;
