/* chunk.h: payloads as rows of at most 1 MiB.
 *
 * A chunk's id is `storage << 24 | position`, so a storage's chunks are
 * neighbours and need no index. What is read of them is checked against its
 * CRC-32C.
 */
#ifndef WH_STORE_CHUNK_H
#define WH_STORE_CHUNK_H

#include "codec/codec.h"
#include "db.h"

/** One coded chunk on its way into the store. */
struct chunk {
	int64_t storage;
	uint32_t position;
	enum codec codec;
	uint32_t crc32c; /* of the raw bytes */
	size_t raw_size, size;
	const void *bytes; /* coded */
};

enum wh_status chunk_put(struct db *db, const struct chunk *chunk,
			 struct wh_error *err);
/** Many small ones. */
enum wh_status chunk_put_all(struct db *db, const struct chunk *chunks,
			     uint32_t n, struct wh_error *err);

/* ---- Reading ------------------------------------------------------------ */

/** Read connections to one store, for as many threads as there are. */
struct chunk_pool;

enum wh_status chunk_pool_new(const struct db *db, struct chunk_pool **pool,
			      struct wh_error *err);
void chunk_pool_free(struct chunk_pool *pool);

/** Bytes [offset, offset + len) of a storage that holds `nbytes` of payload.
 *  Safe from several threads. WH_ECORRUPT for a missing or damaged chunk. */
enum wh_status chunk_pool_read(struct chunk_pool *pool, int64_t storage,
			       uint64_t nbytes, uint64_t offset, void *buf,
			       size_t len, struct wh_error *err);

/** Where a tensor lies now; safe from several threads. */
enum wh_status chunk_pool_locate(struct chunk_pool *pool, int64_t tensor,
				 int64_t *storage, struct wh_error *err);

#endif
