-- Storages, chunks and tensors.

-- name: storage_reserve
-- ?1 how many ids
UPDATE counter SET value = value + ?1 WHERE name = 'storage' RETURNING value;

-- name: storage_insert
-- ?1 rows: id, encoding, nbytes, stored bytes, base, context
INSERT OR FAIL INTO storage(id, encoding, nbytes, stored_bytes, base_id,
  context_id)
SELECT c1, c2, c3, c4, c5, c6 FROM temp.wh_rows(?1);

-- name: storage_get
-- ?1 id
SELECT encoding, nbytes, base_id, context_id FROM storage WHERE id = ?1;

-- name: storage_is_named
-- A storage that nothing names may be half swept, its row the last to go.
-- ?1 id
SELECT EXISTS (SELECT 1 FROM tensor WHERE storage_id = ?1)
  OR EXISTS (SELECT 1 FROM storage WHERE base_id = ?1);

-- name: chunk_insert
-- ?1 id, ?2 codec, ?3 raw bytes, ?4 crc32c, ?5 data
INSERT INTO chunk(id, codec, raw_bytes, crc32c, data)
VALUES (?1, ?2, ?3, ?4, ?5);

-- name: chunk_insert_rows
-- ?1 rows, as of chunk_insert. Where triggers run, which SQLite gives rows that
-- it has copied, large chunks go one by one.
INSERT OR FAIL INTO chunk(id, codec, raw_bytes, crc32c, data)
SELECT c1, c2, c3, c4, c5 FROM temp.wh_rows(?1);

-- name: chunk_get
-- ?1 id
SELECT codec, raw_bytes, crc32c, data FROM chunk WHERE id = ?1;

-- name: chunk_run
-- ?1 first id, ?2 the id that ends it
SELECT id, codec, raw_bytes, crc32c, data FROM chunk
WHERE id >= ?1 AND id < ?2
ORDER BY id;

-- name: chunk_head
-- ?1 id
-- Bytes that a statement names are read, also where nobody asks for them.
SELECT codec, raw_bytes, crc32c FROM chunk WHERE id = ?1;

-- name: tensor_find
-- ?1 sha256, ?2 dtype, ?3 shape
SELECT id FROM tensor WHERE sha256 = ?1 AND dtype = ?2 AND shape = ?3;

-- name: tensor_any
-- Whether there is any tensor or layer that may be known.
SELECT EXISTS (SELECT 1 FROM tensor) OR EXISTS (SELECT 1 FROM layer);

-- name: tensor_last
SELECT coalesce(max(id), 0) FROM tensor;

-- name: tensor_insert
-- ?1 rows: id, sha256, dtype, shape, nbytes, crc32c, crc32, storage
INSERT OR FAIL INTO tensor(id, sha256, dtype, shape, nbytes, crc32c, crc32,
  storage_id)
SELECT c1, c2, c3, c4, c5, c6, c7, c8 FROM temp.wh_rows(?1);

-- name: tensor_get
-- ?1 id
SELECT sha256, dtype, shape, nbytes, crc32c, crc32, storage_id
FROM tensor WHERE id = ?1;

-- name: statistics_insert
-- ?1 rows: tensor, version, four counts, five figures
INSERT OR IGNORE INTO tensor_statistics(tensor_id, version, n_elements, n_zero,
  n_nan, n_inf, min, max, mean, std, l2)
SELECT c1, c2, c3, c4, c5, c6, c7, c8, c9, c10, c11 FROM temp.wh_rows(?1);

-- name: statistics_get
-- ?1 tensor
SELECT n_elements, n_zero, n_nan, n_inf, min, max, mean, std, l2
FROM tensor_statistics WHERE tensor_id = ?1;

-- name: gc_begin
-- Facts may be deleted until gc_end, which comes in the same transaction.
INSERT INTO gc_running(epoch) VALUES (0);

-- name: gc_end
DELETE FROM gc_running;

-- name: chunk_abandon
-- ?1 storage
DELETE FROM chunk WHERE id BETWEEN ?1 << 24 AND ?1 << 24 | 16777215
  AND NOT EXISTS (SELECT 1 FROM tensor WHERE storage_id = ?1);

-- name: storage_abandon
-- ?1 storage
DELETE FROM storage WHERE id = ?1
  AND NOT EXISTS (SELECT 1 FROM tensor WHERE storage_id = ?1);

-- name: recode_tensor
-- ?1 id
SELECT storage_id, nbytes, dtype, sha256 FROM tensor WHERE id = ?1;

-- name: tensor_move
-- ?1 id, ?2 from this storage, ?3 to this one
UPDATE tensor SET storage_id = ?3 WHERE id = ?1 AND storage_id = ?2;
