-- What the store's bytes are for.

-- name: usage_parts
-- ?1 by what: 0 snapshots, 1 layers, 2 weights, 3 runs
-- Parts, then what several of them name, once, and what none names: rest says
-- which of the two a row is. Texts that are tensors belong to snapshots and
-- runs, and are no weights.
WITH models(part, tree_id, template_id) AS (
  SELECT CASE ?1 WHEN 0 THEN s.id ELSE r.name END, s.tree_id, s.template_id
  FROM snapshot AS s JOIN run AS r ON r.id = s.run_id WHERE ?1 IN (0, 3)),
texts(part, tensor_id) AS (
  SELECT m.part, t.graph_id FROM models AS m JOIN tree AS t ON t.id = m.tree_id
  UNION SELECT m.part, t.attributes_id FROM models AS m
    JOIN tree AS t ON t.id = m.tree_id
  UNION SELECT m.part, x.text_id FROM models AS m
    JOIN template AS x ON x.id = m.template_id
  UNION SELECT m.part, x.skeleton_id FROM models AS m
    JOIN template AS x ON x.id = m.template_id),
named(part, storage_id, nbytes) AS (
  SELECT m.part, t.storage_id, t.nbytes
  FROM models AS m JOIN tree_layer AS p ON p.tree_id = m.tree_id
    JOIN variable AS v ON v.layer_id = p.layer_id
    JOIN tensor AS t ON t.id = v.tensor_id
  UNION SELECT l.name, t.storage_id, t.nbytes
  FROM layer AS l JOIN variable AS v ON v.layer_id = l.id
    JOIN tensor AS t ON t.id = v.tensor_id WHERE ?1 = 1
  UNION SELECT v.key, t.storage_id, t.nbytes
  FROM variable AS v JOIN tensor AS t ON t.id = v.tensor_id WHERE ?1 = 2
  UNION SELECT x.part, t.storage_id, 0
  FROM texts AS x JOIN tensor AS t ON t.id = x.tensor_id),
pairs AS MATERIALIZED (
  SELECT part, storage_id, max(nbytes) AS nbytes FROM named
  GROUP BY part, storage_id),
owners AS MATERIALIZED (
  SELECT storage_id, count(*) AS n FROM pairs GROUP BY storage_id),
all_texts(id) AS MATERIALIZED (
  SELECT graph_id FROM tree UNION SELECT attributes_id FROM tree
  UNION SELECT text_id FROM template UNION SELECT skeleton_id FROM template),
others AS (
  SELECT g.stored_bytes AS stored_bytes,
    CASE WHEN EXISTS (SELECT 1 FROM tensor WHERE storage_id = g.id
        AND id IN (SELECT id FROM all_texts))
      THEN 'graphs, attributes, files around the weights'
    WHEN EXISTS (SELECT 1 FROM storage WHERE base_id = g.id)
        OR EXISTS (SELECT 1 FROM storage WHERE context_id = g.id)
      THEN 'what others are differences from'
    ELSE 'what nothing needs, until gc' END AS what
  FROM storage AS g
  WHERE g.id NOT IN (SELECT storage_id FROM owners))
SELECT 0 AS rest, p.part AS part,
  CASE ?1 WHEN 0
    THEN (SELECT substr(lower(hex(sha256)), 1, 12) FROM snapshot
      WHERE id = p.part)
    ELSE p.part END,
  sum(p.nbytes), sum(g.stored_bytes),
  sum(CASE WHEN o.n > 1 THEN g.stored_bytes ELSE 0 END)
FROM pairs AS p JOIN storage AS g ON g.id = p.storage_id
  JOIN owners AS o ON o.storage_id = p.storage_id
GROUP BY p.part
UNION ALL
SELECT 1, 0, 'what several share', 0, sum(g.stored_bytes), 0
FROM owners AS o JOIN storage AS g ON g.id = o.storage_id
WHERE o.n > 1 HAVING count(*) > 0
UNION ALL
SELECT 1, what, what, 0, sum(stored_bytes), 0 FROM others GROUP BY what
ORDER BY rest, part;

-- name: usage_codings
SELECT codec, sum(raw_bytes), sum(length(data)) FROM chunk
GROUP BY codec ORDER BY codec;

-- name: usage_unnamed
-- Chunks of commits under way, or that died.
SELECT coalesce(sum(length(c.data)), 0) FROM chunk AS c
WHERE NOT EXISTS (SELECT 1 FROM storage WHERE id = c.id >> 24);

-- name: usage_pages
SELECT (SELECT page_size FROM pragma_page_size),
  (SELECT page_count FROM pragma_page_count),
  (SELECT freelist_count FROM pragma_freelist_count),
  (SELECT auto_vacuum FROM pragma_auto_vacuum);

-- name: usage_trees
-- The pages of every table and index but chunk, whose payload would have to be
-- read to count them. The schema's own table isn't among its rows.
WITH named(type, name) AS (
  SELECT 'table', 'sqlite_schema'
  UNION ALL SELECT type, name FROM sqlite_schema
  WHERE rootpage > 0 AND name <> 'chunk')
SELECT n.type, n.name, d.pgsize
FROM named AS n CROSS JOIN dbstat AS d ON d.name = n.name
WHERE d.aggregate = 1 ORDER BY d.pgsize DESC, n.name;

-- name: usage_total
SELECT coalesce(sum(nbytes), 0) FROM tensor;
