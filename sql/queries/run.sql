-- Runs: their origin, labels, and figures.

-- name: run_end
-- ?1 name, ?2 status, ?3 time
UPDATE run SET status = ?2, ended = ?3 WHERE name = ?1;

-- name: run_resume
-- ?1 name
UPDATE run SET status = 'running', ended = NULL WHERE name = ?1;

-- name: run_origin_put
-- ?1 run, ?2 host, ?3 folder, ?4 command, ?5 git commit, ?6 git dirty,
-- ?7 versions
INSERT INTO run_origin(run_id, host, folder, command, git_commit, git_dirty,
  versions)
VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7);

-- name: run_exit_put
-- ?1 run, ?2 exit status
INSERT INTO run_origin(run_id, exit_status) VALUES (?1, ?2)
ON CONFLICT(run_id) DO UPDATE SET exit_status = excluded.exit_status;

-- name: run_tag_put
-- ?1 run, ?2 tag
INSERT OR IGNORE INTO run_tag(run_id, tag) VALUES (?1, ?2);

-- name: run_tags
-- ?1 run
SELECT tag FROM run_tag WHERE run_id = ?1 ORDER BY tag;

-- name: run_rows
-- ?1 below this id, or ?2 of this name
SELECT r.id, r.name, r.uuid, r.status, r.started, r.ended,
  coalesce(t.n_snapshots, 0), o.host, o.folder, o.command, o.git_commit,
  o.git_dirty, o.versions, o.exit_status
FROM run AS r LEFT JOIN run_total AS t ON t.run_id = r.id
  LEFT JOIN run_origin AS o ON o.run_id = r.id
WHERE r.id < ?1 AND (?2 IS NULL OR r.name = ?2)
ORDER BY r.id DESC LIMIT 1;

-- name: run_metrics
-- ?1 run
SELECT key, class, value, n, step, min, max FROM metric_summary
WHERE run_id = ?1 ORDER BY key;

-- name: run_names
SELECT name FROM run;

-- name: metric_append
-- ?1 run, ?2 key, ?3 step, ?4 time, ?5 class, ?6 value, ?7 snapshot
INSERT INTO metric(run_id, key, step, seq, time, class, value, snapshot_id)
VALUES (?1, ?2, ?3, (SELECT coalesce(max(seq) + 1, 0) FROM metric
  WHERE run_id = ?1 AND key = ?2 AND step = ?3), ?4, ?5, ?6, ?7);

-- name: metric_sum_up
-- What the trigger metric_is_summed does, for several values at once.
-- ?1 run, ?2 key, ?3 how many values, ?4 step, ?5 class and ?6 value of the
-- last, ?7 min, ?8 max
INSERT INTO metric_summary(run_id, key, n, step, class, value, min, max)
VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)
ON CONFLICT(run_id, key) DO UPDATE SET
  n = n + excluded.n,
  class = CASE WHEN excluded.step >= step THEN excluded.class ELSE class END,
  value = CASE WHEN excluded.step >= step THEN excluded.value ELSE value END,
  step = max(step, excluded.step),
  min = min(coalesce(min, excluded.min), coalesce(excluded.min, min)),
  max = max(coalesce(max, excluded.max), coalesce(excluded.max, max));

-- name: metric_is_there
-- ?1 run, ?2 key, ?3 step, ?4 class, ?5 value
SELECT 1 FROM metric WHERE run_id = ?1 AND key = ?2 AND step = ?3
  AND class = ?4 AND value IS ?5 LIMIT 1;

-- name: metric_detach
-- ?1 snapshot, ?2 key
UPDATE metric SET snapshot_id = NULL WHERE snapshot_id = ?1 AND key = ?2;

-- name: metric_series
-- ?1 run, ?2 key; those behind ?3 step, ?4 seq
SELECT step, seq, class, value, time FROM metric
WHERE run_id = ?1 AND key = ?2 AND (step, seq) > (?3, ?4) ORDER BY step, seq;
