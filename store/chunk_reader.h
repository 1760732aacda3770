/* chunk_reader.h: whole chunks of one connection, through chains of bases. */
#ifndef WH_STORE_CHUNK_READER_H
#define WH_STORE_CHUNK_READER_H

#include <pthread.h>

#include "codec/codec.h"
#include "db.h"

struct chunk_reader; /* for one thread at a time */

/** Borrows `db`. `turn`, or NULL: held while the connection is used, for one
 *  that another thread writes with; reading then happens in its transaction.
 *  Without it every read waits for the writers' turns. */
enum wh_status chunk_reader_new(struct db *db, pthread_mutex_t *turn,
				struct chunk_reader **reader,
				struct wh_error *err);
void chunk_reader_free(struct chunk_reader *reader);

/** Chunk `position` of a storage, decoded and checked; it is of exactly `size`
 *  bytes. Memory: 2 MiB however long the chain is. WH_ECORRUPT, also for a
 *  missing chunk; WH_EUNSUPPORTED. */
enum wh_status chunk_reader_read(struct chunk_reader *reader, int64_t storage,
				 uint32_t position, void *buf, size_t size,
				 struct wh_error *err);

/** What a chunk at this position may be coded against, with `storage` as its
 *  base; nothing if that has no such chunk. Valid until the next call. */
enum wh_status chunk_reader_reference(struct chunk_reader *reader,
				      int64_t storage, uint32_t position,
				      struct codec_reference *reference,
				      struct wh_error *err);

#endif
