-- Leases, and what gc takes. `kept` columns: whether something names the row.

-- name: lease_reserve
UPDATE counter SET value = value + 1 WHERE name = 'lease'
RETURNING value - 1;

-- name: lease_insert
-- ?1 lease, ?2 first storage, ?3 storage behind the last
INSERT INTO lease(id, first_storage, end_storage) VALUES (?1, ?2, ?3);

-- name: lease_delete
-- ?1 lease
DELETE FROM lease WHERE id = ?1;

-- name: lease_next
-- ?1 above this lease
SELECT id FROM lease WHERE id > ?1 ORDER BY id LIMIT 1;

-- name: lease_ranges
-- ?1 lease
SELECT first_storage, end_storage FROM lease WHERE id = ?1
ORDER BY first_storage;

-- name: storage_after
-- ?1 from this id
SELECT id FROM storage WHERE id >= ?1 ORDER BY id LIMIT 1;

-- name: chunk_between
-- ?1 from this storage, ?2 before this storage
SELECT id >> 24 FROM chunk WHERE id >= ?1 << 24 AND id < ?2 << 24
ORDER BY id LIMIT 1;

-- name: gc_count_sweep
UPDATE counter SET value = value + 1 WHERE name = 'sweep_epoch';

-- name: gc_snapshots
-- ?1 above this id, ?2 forgotten at or before: what a name holds is kept
SELECT f.snapshot_id, EXISTS (SELECT 1 FROM ref
  WHERE snapshot_id = f.snapshot_id)
FROM forgotten AS f
WHERE f.snapshot_id > ?1 AND f.time <= ?2 ORDER BY f.snapshot_id LIMIT 256;

-- name: gc_waiting
-- ?1 forgotten after
SELECT count(*) FROM forgotten WHERE time > ?1;

-- name: gc_bury
-- ?1 snapshot
INSERT OR REPLACE INTO tombstone(sha256, parent, time, forgotten)
SELECT s.sha256, s.parent, s.time, f.time
FROM snapshot AS s JOIN forgotten AS f ON f.snapshot_id = s.id
WHERE s.id = ?1;

-- name: gc_note_gone
-- ?1 snapshot
INSERT OR IGNORE INTO gone(snapshot_id, sha256)
SELECT id, sha256 FROM snapshot WHERE id = ?1;

-- name: gc_detach_metrics
-- ?1 snapshot: a curve outlives its checkpoints
UPDATE metric SET snapshot_id = NULL WHERE snapshot_id = ?1;

-- name: forgotten_delete
-- ?1 snapshot
DELETE FROM forgotten WHERE snapshot_id = ?1;

-- name: snapshot_delete
-- ?1 snapshot
DELETE FROM snapshot WHERE id = ?1;

-- name: gc_trees
-- ?1 above this id
SELECT t.id, EXISTS (SELECT 1 FROM snapshot WHERE tree_id = t.id)
FROM tree AS t WHERE t.id > ?1 ORDER BY t.id LIMIT 256;

-- name: tree_layer_delete
-- ?1 tree
DELETE FROM tree_layer WHERE tree_id = ?1;

-- name: tree_delete
-- ?1 tree
DELETE FROM tree WHERE id = ?1;

-- name: gc_templates
-- ?1 above this id
SELECT t.id, t.id IN (SELECT template_id FROM snapshot
  WHERE template_id IS NOT NULL)
FROM template AS t WHERE t.id > ?1 ORDER BY t.id LIMIT 256;

-- name: template_delete
-- ?1 template
DELETE FROM template WHERE id = ?1;

-- name: gc_layers
-- ?1 above this id
SELECT l.id, EXISTS (SELECT 1 FROM tree_layer WHERE layer_id = l.id)
FROM layer AS l WHERE l.id > ?1 ORDER BY l.id LIMIT 256;

-- name: variable_delete
-- ?1 layer
DELETE FROM variable WHERE layer_id = ?1;

-- name: layer_delete
-- ?1 layer
DELETE FROM layer WHERE id = ?1;

-- name: gc_tensors
-- ?1 above this id
SELECT t.id, EXISTS (SELECT 1 FROM variable WHERE tensor_id = t.id)
  OR t.id IN (
    SELECT graph_id FROM tree WHERE graph_id IS NOT NULL
    UNION ALL SELECT attributes_id FROM tree WHERE attributes_id IS NOT NULL
    UNION ALL SELECT text_id FROM template
    UNION ALL SELECT skeleton_id FROM template WHERE skeleton_id IS NOT NULL)
FROM tensor AS t WHERE t.id > ?1 ORDER BY t.id LIMIT 256;

-- name: change_delete
-- ?1 tensor
DELETE FROM change WHERE tensor_id = ?1;

-- name: statistics_delete
-- ?1 tensor
DELETE FROM tensor_statistics WHERE tensor_id = ?1;

-- name: tensor_delete
-- ?1 tensor
DELETE FROM tensor WHERE id = ?1;

-- name: gc_storages
-- ?1 below this id: what is coded against others comes before them
SELECT s.id, EXISTS (SELECT 1 FROM tensor WHERE storage_id = s.id)
  OR EXISTS (SELECT 1 FROM storage WHERE base_id = s.id)
  OR EXISTS (SELECT 1 FROM storage WHERE context_id = s.id)
  OR EXISTS (SELECT 1 FROM lease
    WHERE s.id >= first_storage AND s.id < end_storage)
FROM storage AS s WHERE s.id < ?1 ORDER BY s.id DESC LIMIT 256;

-- name: chunk_delete_some
-- ?1 storage
DELETE FROM chunk WHERE id IN (
  SELECT id FROM chunk WHERE id BETWEEN ?1 << 24 AND ?1 << 24 | 16777215
  LIMIT 64)
RETURNING length(data);

-- name: storage_delete
-- ?1 storage
DELETE FROM storage WHERE id = ?1;

-- name: gc_gone
-- What no change names any more.
DELETE FROM gone WHERE snapshot_id NOT IN (SELECT snapshot_id FROM change);

-- name: mark_snapshots
-- ?1 above this id
SELECT s.id, s.tree_id, s.template_id, f.time
FROM snapshot AS s LEFT JOIN forgotten AS f ON f.snapshot_id = s.id
WHERE s.id > ?1 ORDER BY s.id LIMIT 256;

-- name: mark_layers
-- ?1 tree
SELECT layer_id FROM tree_layer WHERE tree_id = ?1;

-- name: mark_variables
-- ?1 layer
SELECT tensor_id FROM variable WHERE layer_id = ?1;

-- name: mark_texts
-- ?1 tree
SELECT graph_id, attributes_id FROM tree WHERE id = ?1;

-- name: mark_template
-- ?1 template
SELECT text_id, skeleton_id FROM template WHERE id = ?1;

-- name: mark_tensor
-- ?1 tensor
SELECT storage_id FROM tensor WHERE id = ?1;

-- name: mark_storage
-- ?1 storage
SELECT base_id, context_id, stored_bytes FROM storage WHERE id = ?1;

-- name: mark_all
SELECT (SELECT count(*) FROM tensor),
  (SELECT coalesce(sum(stored_bytes), 0) FROM storage);

-- name: deep_changes
-- ?1 weight, ?2 line, ?3 generation: after this one
SELECT weight_id, line_id, generation, tensor_id, snapshot_id FROM change
WHERE (weight_id, line_id, generation) > (?1, ?2, ?3)
ORDER BY weight_id, line_id, generation LIMIT 256;

-- name: deep_named
-- ?1 storage
SELECT EXISTS (SELECT 1 FROM tensor WHERE storage_id = ?1);
