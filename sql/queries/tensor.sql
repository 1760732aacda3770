-- Storages, chunks and tensors.

-- name: storage_reserve
-- ?1 how many ids
UPDATE counter SET value = value + ?1 WHERE name = 'storage' RETURNING value;

-- name: storage_insert
-- ?1 id, ?2 encoding, ?3 nbytes, ?4 stored bytes, ?5 base, ?6 context
INSERT INTO storage(id, encoding, nbytes, stored_bytes, base_id, context_id)
VALUES (?1, ?2, ?3, ?4, ?5, ?6);

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

-- name: tensor_insert
-- ?1 sha256, ?2 dtype, ?3 shape, ?4 nbytes, ?5 crc32c, ?6 crc32, ?7 storage
INSERT INTO tensor(sha256, dtype, shape, nbytes, crc32c, crc32, storage_id)
VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7);

-- name: tensor_get
-- ?1 id
SELECT sha256, dtype, shape, nbytes, crc32c, crc32, storage_id
FROM tensor WHERE id = ?1;

-- name: statistics_insert
-- ?1 tensor, ?2 version, ?3..?6 counts, ?7..?11 figures
INSERT OR IGNORE INTO tensor_statistics(tensor_id, version, n_elements, n_zero,
  n_nan, n_inf, min, max, mean, std, l2)
VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11);

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
