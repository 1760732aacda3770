-- Layers, trees and templates.

-- name: layer_find
-- ?1 sha256
SELECT id FROM layer WHERE sha256 = ?1;

-- name: layer_last
SELECT coalesce(max(id), 0) FROM layer;

-- name: layer_insert
-- ?1 rows: id, sha256, name, class, kind, nbytes
INSERT OR FAIL INTO layer(id, sha256, name, class_name, kind, nbytes)
SELECT c1, c2, c3, c4, c5, c6 FROM temp.wh_rows(?1);

-- name: variable_insert
-- ?1 rows: layer, position, name, key, object path, Keras 3 path, role,
-- trainable, tensor
INSERT OR FAIL INTO variable(layer_id, position, name, key, object_path,
  keras3_path, role, trainable, tensor_id)
SELECT c1, c2, c3, c4, c5, c6, c7, c8, c9 FROM temp.wh_rows(?1);

-- name: tree_find
-- ?1 sha256
SELECT id FROM tree WHERE sha256 = ?1;

-- name: tree_insert
-- ?1 sha256, ?2 graph, ?3 attributes, ?4 tensors, ?5 layers, ?6 nbytes
INSERT INTO tree(sha256, graph_id, attributes_id, n_tensors, n_layers, nbytes)
VALUES (?1, ?2, ?3, ?4, ?5, ?6);

-- name: tree_layer_insert
-- ?1 rows: tree, position, layer, container
INSERT OR FAIL INTO tree_layer(tree_id, position, layer_id, container)
SELECT c1, c2, c3, c4 FROM temp.wh_rows(?1);

-- name: tree_get
-- ?1 id
SELECT graph_id, attributes_id, n_tensors, n_layers FROM tree WHERE id = ?1;

-- name: tree_layers
-- ?1 tree
SELECT t.layer_id, t.container, l.name, l.class_name, l.kind, t.position
FROM tree_layer AS t JOIN layer AS l ON l.id = t.layer_id
WHERE t.tree_id = ?1 ORDER BY t.position;

-- name: tree_variables
-- ?1 tree
-- In the order of tree_layers: one statement for all is half the work of one a
-- layer. With storages and statistics, as storage_get and statistics_get have
-- them.
SELECT p.position, v.name, v.key, v.object_path, v.keras3_path, v.role,
  v.trainable, v.tensor_id, t.sha256, t.dtype, t.shape, t.nbytes, t.crc32c,
  t.crc32, t.storage_id, s.encoding, s.nbytes, s.base_id, s.context_id,
  x.n_elements, x.n_zero, x.n_nan, x.n_inf, x.min, x.max, x.mean, x.std, x.l2
FROM tree_layer AS p CROSS JOIN variable AS v ON v.layer_id = p.layer_id
  CROSS JOIN tensor AS t ON t.id = v.tensor_id
  LEFT JOIN storage AS s ON s.id = t.storage_id
  LEFT JOIN tensor_statistics AS x ON x.tensor_id = t.id
WHERE p.tree_id = ?1 ORDER BY p.position, v.position;

-- name: layer_figures
-- ?1 layer
SELECT coalesce(v.object_path, v.name), t.dtype, t.shape, x.n_nan, x.n_inf, x.l2
FROM variable AS v JOIN tensor AS t ON t.id = v.tensor_id
  LEFT JOIN tensor_statistics AS x ON x.tensor_id = t.id
WHERE v.layer_id = ?1 ORDER BY v.position;

-- name: template_find
-- ?1 sha256
SELECT id FROM template WHERE sha256 = ?1;

-- name: template_insert
-- ?1 sha256, ?2 format, ?3 text, ?4 skeleton
INSERT INTO template(sha256, format, text_id, skeleton_id)
VALUES (?1, ?2, ?3, ?4);

-- name: template_get
-- ?1 id
SELECT format, text_id, skeleton_id FROM template WHERE id = ?1;

-- name: tree_storages
-- ?1 tree
SELECT v.key, t.dtype, t.shape, t.storage_id
FROM tree_layer AS l JOIN variable AS v ON v.layer_id = l.layer_id
JOIN tensor AS t ON t.id = v.tensor_id
WHERE l.tree_id = ?1;
