#include "chunk.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "base/auto.h"
#include "chunk_reader.h"
#include "store.h"
#include "tensor.h"

#define MAX_READERS 8

static int64_t chunk_id(const struct chunk *chunk)
{
	return chunk->storage << CHUNK_ID_BITS | (int64_t)chunk->position;
}

enum wh_status chunk_put(struct db *db, const struct chunk *chunk,
			 struct wh_error *err)
{
	struct stmt *stmt;

	WH_TRY(db_stmt(db, STMT_CHUNK_INSERT, &stmt, err));
	stmt_integer(stmt, 1, chunk_id(chunk));
	stmt_integer(stmt, 2, chunk->codec);
	stmt_integer(stmt, 3, (int64_t)chunk->raw_size);
	stmt_integer(stmt, 4, chunk->crc32c);
	stmt_blob(stmt, 5, chunk->bytes, chunk->size);
	return step_done(stmt, err);
}

static bool fill_row(void *arg, uint32_t i, struct row *row)
{
	const struct chunk *const *chunks = arg, *chunk = *chunks + i;

	row_integer(row, 1, chunk_id(chunk));
	row_integer(row, 2, chunk->codec);
	row_integer(row, 3, (int64_t)chunk->raw_size);
	row_integer(row, 4, chunk->crc32c);
	row_blob(row, 5, chunk->bytes, chunk->size);
	return true;
}

enum wh_status chunk_put_all(struct db *db, const struct chunk *chunks,
			     uint32_t n, struct wh_error *err)
{
	struct rows rows = {.n = n, .fill = fill_row, .arg = &chunks};
	struct stmt *stmt;

	WH_TRY(db_stmt(db, STMT_CHUNK_INSERT_ROWS, &stmt, err));
	return step_rows(stmt, &rows, err);
}

/* A connection, and the last chunk that was wanted in part. */
struct reader {
	struct db *db;
	struct chunk_reader *chunks;
	bool busy;
	int64_t cached; /* chunk id, or -1 */
	uint8_t *cache;
};

struct chunk_pool {
	const struct db *origin;
	pthread_mutex_t lock;
	pthread_cond_t freed;
	struct reader readers[MAX_READERS];
	unsigned n_open;
};

enum wh_status chunk_pool_new(const struct db *db, struct chunk_pool **out,
			      struct wh_error *err)
{
	struct chunk_pool *pool = calloc(1, sizeof(*pool));

	if (!pool)
		return wh_fail_memory(err);
	pool->origin = db;
	pthread_mutex_init(&pool->lock, NULL);
	pthread_cond_init(&pool->freed, NULL);
	*out = pool;
	return WH_OK;
}

static void close_reader(struct reader *reader)
{
	chunk_reader_free(reader->chunks);
	db_close(reader->db);
	free(reader->cache);
	memset(reader, 0, sizeof(*reader));
}

void chunk_pool_free(struct chunk_pool *pool)
{
	unsigned i;

	if (!pool)
		return;
	for (i = 0; i < pool->n_open; i++)
		close_reader(&pool->readers[i]);
	pthread_cond_destroy(&pool->freed);
	pthread_mutex_destroy(&pool->lock);
	free(pool);
}

static enum wh_status open_reader(struct chunk_pool *pool, struct reader **out,
				  struct wh_error *err)
{
	struct reader *reader = &pool->readers[pool->n_open];
	enum wh_status status;

	reader->cache = malloc((size_t)CHUNK_SIZE);
	status = reader->cache ? db_clone(pool->origin, &reader->db, err)
			       : wh_fail_memory(err);
	if (!status)
		status = chunk_reader_new(reader->db, NULL, &reader->chunks,
					  err);
	if (status) {
		close_reader(reader);
		return status;
	}
	reader->cached = -1;
	pool->n_open++;
	*out = reader;
	return WH_OK;
}

/* A free reader, best the one that has the chunk at hand. */
static struct reader *find_free(struct chunk_pool *pool, int64_t id)
{
	struct reader *found = NULL;
	unsigned i;

	for (i = 0; i < pool->n_open; i++) {
		if (pool->readers[i].busy)
			continue;
		if (!found || pool->readers[i].cached == id)
			found = &pool->readers[i];
	}
	return found;
}

static enum wh_status take_reader(struct chunk_pool *pool, int64_t id,
				  struct reader **out, struct wh_error *err)
{
	enum wh_status status = db_check_process(pool->origin, err);
	struct reader *reader = NULL;

	if (status)
		return status;
	pthread_mutex_lock(&pool->lock);
	while (!status && !(reader = find_free(pool, id))) {
		if (pool->n_open < MAX_READERS) {
			status = open_reader(pool, &reader, err);
			break;
		}
		pthread_cond_wait(&pool->freed, &pool->lock);
	}
	if (!status) {
		reader->busy = true;
		*out = reader;
	}
	pthread_mutex_unlock(&pool->lock);
	return status;
}

static void give_back(struct chunk_pool *pool, struct reader *reader)
{
	pthread_mutex_lock(&pool->lock);
	reader->busy = false;
	pthread_cond_signal(&pool->freed);
	pthread_mutex_unlock(&pool->lock);
}

/* The part of one chunk that a read wants. */
static enum wh_status read_part(struct reader *reader, int64_t storage,
				uint32_t position, size_t size, size_t skip,
				void *buf, size_t len, struct wh_error *err)
{
	int64_t id = storage << CHUNK_ID_BITS | (int64_t)position;

	if (skip == 0 && len == size && reader->cached != id)
		return chunk_reader_read(reader->chunks, storage, position, buf,
					 size, err);
	if (reader->cached != id) {
		reader->cached = -1;
		WH_TRY(chunk_reader_read(reader->chunks, storage, position,
					 reader->cache, size, err));
		reader->cached = id;
	}
	memcpy(buf, reader->cache + skip, len);
	return WH_OK;
}

enum wh_status chunk_pool_read(struct chunk_pool *pool, int64_t storage,
			       uint64_t nbytes, uint64_t offset, void *buf,
			       size_t len, struct wh_error *err)
{
	int64_t first = storage << CHUNK_ID_BITS;
	enum wh_status status = WH_OK;
	struct reader *reader;
	uint8_t *out = buf;

	if (len == 0)
		return WH_OK;
	WH_TRY(take_reader(pool, first + (int64_t)(offset / CHUNK_SIZE),
			   &reader, err));
	while (len && !status) {
		uint64_t position = offset / CHUNK_SIZE;
		uint64_t begin = position * CHUNK_SIZE;
		uint64_t left = nbytes - begin;
		size_t size = (size_t)(left < CHUNK_SIZE ? left : CHUNK_SIZE);
		size_t skip = (size_t)(offset - begin), some = size - skip;

		if (some > len)
			some = len;
		status = read_part(reader, storage, (uint32_t)position, size,
				   skip, out, some, err);
		out += some;
		offset += some;
		len -= some;
	}
	give_back(pool, reader);
	return status;
}

enum wh_status chunk_pool_locate(struct chunk_pool *pool, int64_t tensor,
				 int64_t *storage, struct wh_error *err)
{
	struct reader *reader;
	enum wh_status status;
	uint64_t nbytes;

	WH_TRY(take_reader(pool, -1, &reader, err));
	db_lock_shared(reader->db);
	status = tensor_locate(reader->db, tensor, storage, &nbytes, err);
	db_unlock(reader->db);
	give_back(pool, reader);
	return status;
}
