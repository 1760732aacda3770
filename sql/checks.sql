-- Invariants: no query may return a row; `wh verify` runs them. Each gives a
-- sentence about what is wrong.

-- name: tensors_have_storages
SELECT 'tensor ' || lower(hex(sha256)) || ' has no storage' FROM tensor
WHERE storage_id NOT IN (SELECT id FROM storage);

-- name: storages_have_their_bases
SELECT 'storage ' || id || ' lacks what it is coded against' FROM storage
WHERE (base_id IS NOT NULL AND base_id NOT IN (SELECT id FROM storage))
  OR (context_id IS NOT NULL AND context_id NOT IN (SELECT id FROM storage));

-- name: storage_ids_are_reserved
SELECT 'storage ' || id || ' was never reserved' FROM storage
WHERE id >= (SELECT value FROM counter WHERE name = 'storage');

-- name: variables_have_tensors
SELECT 'layer ' || layer_id || ' has a weight without a tensor' FROM variable
WHERE tensor_id NOT IN (SELECT id FROM tensor);

-- name: variables_have_layers
SELECT 'a weight belongs to no layer' FROM variable
WHERE layer_id NOT IN (SELECT id FROM layer);

-- name: places_have_layers
SELECT 'tree ' || tree_id || ' lacks a layer' FROM tree_layer
WHERE layer_id NOT IN (SELECT id FROM layer)
  OR tree_id NOT IN (SELECT id FROM tree);

-- name: trees_have_all_places
SELECT 'tree ' || lower(hex(t.sha256)) || ' lacks a layer' FROM tree AS t
WHERE t.n_layers <> (SELECT count(*) FROM tree_layer WHERE tree_id = t.id);

-- name: trees_have_texts
SELECT 'tree ' || lower(hex(sha256)) || ' lacks a text' FROM tree
WHERE (graph_id IS NOT NULL AND graph_id NOT IN (SELECT id FROM tensor))
  OR (attributes_id IS NOT NULL
      AND attributes_id NOT IN (SELECT id FROM tensor));

-- name: templates_have_texts
SELECT 'a template lacks its text' FROM template
WHERE text_id NOT IN (SELECT id FROM tensor)
  OR (skeleton_id IS NOT NULL AND skeleton_id NOT IN (SELECT id FROM tensor));

-- name: snapshots_have_trees
SELECT 'snapshot ' || lower(hex(sha256)) || ' lacks its tree, run or template'
FROM snapshot
WHERE tree_id NOT IN (SELECT id FROM tree)
  OR run_id NOT IN (SELECT id FROM run)
  OR (template_id IS NOT NULL AND template_id NOT IN (SELECT id FROM template));

-- name: parents_are_known
SELECT 'snapshot ' || lower(hex(sha256)) || ' follows one that is not there'
FROM snapshot
WHERE parent IS NOT NULL AND parent NOT IN (SELECT sha256 FROM snapshot)
  AND parent NOT IN (SELECT sha256 FROM tombstone);

-- name: refs_have_snapshots
SELECT 'branch or tag ' || name || ' names a snapshot that is not there'
FROM ref
WHERE snapshot_id IS NOT NULL AND snapshot_id NOT IN (SELECT id FROM snapshot);

-- name: head_is_a_branch
SELECT 'HEAD is on a branch that is not there' FROM config
WHERE key = 'head' AND value NOT IN (SELECT name FROM ref WHERE kind = 0);
