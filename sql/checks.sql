-- Invariants: no query may return a row; `wh verify` runs them. Each gives a
-- sentence about what is wrong.

-- name: tensors_have_storages
SELECT 'tensor ' || lower(hex(sha256)) || ' has no storage' FROM tensor
WHERE storage_id NOT IN (SELECT id FROM storage);

-- name: storages_have_their_bases
SELECT 'storage ' || id || ' lacks what it is coded against' FROM storage
WHERE (base_id IS NOT NULL AND base_id NOT IN (SELECT id FROM storage))
  OR (context_id IS NOT NULL AND context_id NOT IN (SELECT id FROM storage));

-- name: bases_come_before
SELECT 'storage ' || id || ' has a base that came after it' FROM storage
WHERE base_id >= id OR context_id >= id;

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

-- name: templates_are_their_texts
SELECT 'template ' || lower(hex(p.sha256)) || ' is not of its text'
FROM template AS p JOIN tensor AS t ON t.id = p.text_id
WHERE t.sha256 <> p.sha256 OR t.dtype <> 'uint8';

-- name: tensors_fit_their_storages
SELECT 'tensor ' || lower(hex(t.sha256)) || ' is not of its storage''s length'
FROM tensor AS t JOIN storage AS s ON s.id = t.storage_id
WHERE s.nbytes <> t.nbytes;

-- name: storages_have_all_chunks
-- Of what nothing names, gc may have taken a part.
SELECT 'storage ' || s.id || ' lacks chunks' FROM storage AS s
WHERE (EXISTS (SELECT 1 FROM tensor WHERE storage_id = s.id)
    OR EXISTS (SELECT 1 FROM storage WHERE base_id = s.id)
    OR EXISTS (SELECT 1 FROM storage WHERE context_id = s.id))
  AND s.nbytes <> (
  SELECT coalesce(sum(c.raw_bytes), 0) FROM chunk AS c
  WHERE c.id BETWEEN s.id << 24 AND s.id << 24 | 16777215);

-- name: storages_do_not_need_themselves
-- UNION, not UNION ALL: a circle ends.
WITH RECURSIVE needs(id, at) AS (
  SELECT id, base_id FROM storage WHERE base_id IS NOT NULL
  UNION SELECT id, context_id FROM storage WHERE context_id IS NOT NULL
  UNION SELECT n.id, s.base_id FROM needs AS n JOIN storage AS s ON s.id = n.at
  WHERE s.base_id IS NOT NULL
  UNION SELECT n.id, s.context_id
  FROM needs AS n JOIN storage AS s ON s.id = n.at
  WHERE s.context_id IS NOT NULL)
SELECT 'storage ' || id || ' is coded against itself' FROM needs WHERE id = at;

-- name: trees_count_their_tensors
SELECT 'tree ' || lower(hex(t.sha256)) || ' lacks a weight' FROM tree AS t
WHERE t.n_tensors <> (
  SELECT count(*) FROM tree_layer AS p
    JOIN variable AS v ON v.layer_id = p.layer_id WHERE p.tree_id = t.id);

-- name: containers_come_first
SELECT 'tree ' || tree_id || ' has a layer in one that comes later'
FROM tree_layer WHERE container < 0 OR container >= position;

-- name: generations_count
SELECT 'snapshot ' || lower(hex(s.sha256)) || ' is of a wrong generation'
FROM snapshot AS s LEFT JOIN snapshot AS p ON p.sha256 = s.parent
WHERE s.generation < 1 OR (s.parent IS NULL AND s.generation <> 1)
  OR s.generation <> p.generation + 1;

-- name: metrics_are_numbers_or_classed
SELECT 'metric ' || key || ' is neither a number nor NaN nor infinite'
FROM metric WHERE class NOT BETWEEN 0 AND 3 OR (class = 0) <> (value IS NOT NULL);

-- name: snapshots_are_in_lines
SELECT 'snapshot ' || lower(hex(sha256)) || ' is in no line' FROM snapshot
WHERE id NOT IN (SELECT snapshot_id FROM lineage);

-- name: lines_are_there
SELECT 'line ' || line_id || ' is not there' FROM lineage
WHERE line_id NOT IN (SELECT id FROM line);

-- name: changes_have_tensors
SELECT 'a change of snapshot ' || snapshot_id || ' lacks its tensor or weight'
FROM change
WHERE (tensor_id IS NOT NULL AND tensor_id NOT IN (SELECT id FROM tensor))
  OR weight_id NOT IN (SELECT id FROM weight)
  OR (snapshot_id NOT IN (SELECT id FROM snapshot)
    AND snapshot_id NOT IN (SELECT snapshot_id FROM gone));

-- name: runs_count_their_snapshots
SELECT 'run ' || t.run_id || ' does not count its snapshots' FROM run_total AS t
WHERE t.n_snapshots <> (SELECT count(*) FROM snapshot AS s
  WHERE s.run_id = t.run_id
    AND NOT EXISTS (SELECT 1 FROM forgotten WHERE snapshot_id = s.id));

-- name: publications_are_whole
SELECT 'publication ' || uuid || ' lacks its files' FROM publication
WHERE id NOT IN (SELECT publication_id FROM publication_file);

-- name: published_things_have_publications
SELECT 'a published file or alias belongs to no publication'
FROM (SELECT publication_id FROM publication_file
  UNION SELECT publication_id FROM publication_alias)
WHERE publication_id NOT IN (SELECT id FROM publication);
