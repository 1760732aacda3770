#include "recode.h"

#include <stdlib.h>
#include <string.h>

#include "base/sha256.h"
#include "base/crc.h"
#include "chunk.h"
#include "chunk_reader.h"
#include "gc.h"
#include "lease.h"
#include "storage.h"

#define HOLD_BYTES  ((size_t)8 << 20) /* coded, before they are inserted */
#define HOLD_CHUNKS 64

/* A chunk that waits for the transaction; its bytes lie in `coded`. */
struct held {
	struct chunk chunk;
	size_t offset;
};

struct recoder {
	struct db *db;
	struct codec_coder *coder;
	struct chunk_reader *bases, *back;
	struct sha256 *hash;
	uint8_t *raw; /* CHUNK_SIZE */
	struct wh_buf coded;
	struct held held[HOLD_CHUNKS];
	size_t n_held;
};

/* One tensor on its way. */
struct moving {
	struct recoder *recoder;
	const struct recode_request *request;
	struct lease lease;
	int64_t storage; /* reserved, 0: not yet */
	uint64_t stored;
	bool uses_base, uses_context;
};

void recoder_free(struct recoder *recoder)
{
	if (!recoder)
		return;
	codec_coder_free(recoder->coder);
	chunk_reader_free(recoder->bases);
	chunk_reader_free(recoder->back);
	sha256_free(recoder->hash);
	free(recoder->raw);
	wh_buf_free(&recoder->coded);
	free(recoder);
}

enum wh_status recoder_new(struct db *db, struct recoder **out,
			   struct wh_error *err)
{
	struct recoder *recoder = calloc(1, sizeof(*recoder));
	enum wh_status status;

	if (!recoder)
		return wh_fail_memory(err);
	recoder->db = db;
	recoder->raw = malloc((size_t)CHUNK_SIZE);
	status = recoder->raw ? codec_coder_new(&recoder->coder, err)
			      : wh_fail_memory(err);
	if (!status)
		status = chunk_reader_new(db, NULL, &recoder->bases, err);
	if (!status)
		status = chunk_reader_new(db, NULL, &recoder->back, err);
	if (!status)
		status = sha256_new(&recoder->hash, err);
	if (status) {
		recoder_free(recoder);
		return status;
	}
	*out = recoder;
	return WH_OK;
}

enum wh_status recode_tensor_get(struct db *db, int64_t id,
				 struct recode_tensor *tensor, bool *there,
				 struct wh_error *err)
{
	const char *dtype;
	struct stmt *stmt;

	WH_TRY(db_stmt(db, STMT_RECODE_TENSOR, &stmt, err));
	stmt_integer(stmt, 1, id);
	WH_TRY(stmt_step(stmt, there, err));
	if (!*there)
		return WH_OK;
	memset(tensor, 0, sizeof(*tensor));
	tensor->id = id;
	tensor->storage = column_integer(stmt, 0);
	tensor->nbytes = (uint64_t)column_integer(stmt, 1);
	dtype = column_text(stmt, 2);
	tensor->dtype = dtype ? wh_dtype_from_name(dtype) : WH_DTYPE_NONE;
	column_digest(stmt, 3, tensor->sha256);
	stmt_reset(stmt);
	if (tensor->nbytes <= MAX_STORED_BYTES)
		return WH_OK;
	return wh_fail(err, WH_ECORRUPT, "a tensor's row has a wrong length");
}

/* ---- Coding ----------------------------------------------------------------
 */

static enum wh_status find_reference(struct moving *moving, uint32_t position,
				     struct codec_reference *reference,
				     struct wh_error *err)
{
	struct recoder *recoder = moving->recoder;
	enum wh_status status;

	memset(reference, 0, sizeof(*reference));
	if (!moving->request->base)
		return WH_OK;
	db_lock_shared(recoder->db);
	status = chunk_reader_reference(recoder->bases, moving->request->base,
					position, reference, err);
	db_unlock(recoder->db);
	return status;
}

static enum wh_status hold(struct moving *moving, const struct chunk *chunk,
			   struct wh_error *err)
{
	struct recoder *recoder = moving->recoder;
	struct held *held = &recoder->held[recoder->n_held];

	moving->stored += chunk->size;
	if (moving->request->count_only)
		return WH_OK;
	held->chunk = *chunk;
	held->offset = recoder->coded.size;
	WH_TRY(wh_buf_append(&recoder->coded, chunk->bytes, chunk->size, err));
	recoder->n_held++;
	return WH_OK;
}

static enum wh_status code_chunk(struct moving *moving, uint64_t offset,
				 size_t size, struct wh_error *err)
{
	const struct recode_request *request = moving->request;
	struct recoder *recoder = moving->recoder;
	struct chunk chunk = {.position = (uint32_t)(offset / CHUNK_SIZE),
			      .raw_size = size};
	struct codec_input input = {
		.bytes = recoder->raw,
		.size = size,
		.element = codec_element_of(request->tensor.dtype),
		.effort = request->effort,
	};
	struct codec_output coded;

	WH_TRY(request->read(request->arg, offset, recoder->raw, size, err));
	WH_TRY(sha256_update(recoder->hash, recoder->raw, size, err));
	WH_TRY(find_reference(moving, chunk.position, &input.reference, err));
	WH_TRY(codec_encode(recoder->coder, &input, &coded, err));
	chunk.crc32c = crc32c_update(0, recoder->raw, size);
	chunk.codec = coded.codec;
	chunk.size = coded.size;
	chunk.bytes = coded.bytes;
	moving->uses_base |= coded.uses_base;
	moving->uses_context |= coded.uses_context;
	return hold(moving, &chunk, err);
}

/* ---- Storing ---------------------------------------------------------------
 */

static enum wh_status reserve(struct moving *moving, struct wh_error *err)
{
	struct db *db = moving->recoder->db;
	AUTO_TRANSACTION tx = {0};
	int64_t id;

	WH_TRY(transaction_begin(&tx, db, err));
	WH_TRY(storage_reserve(db, 1, &id, err));
	WH_TRY(lease_take(db, &moving->lease, id, id + 1, err));
	WH_TRY(transaction_commit(&tx, err));
	moving->storage = id;
	return WH_OK;
}

/* From here on this row keeps the base. */
static enum wh_status insert_row(struct moving *moving, struct wh_error *err)
{
	const struct recode_request *request = moving->request;
	struct db *db = moving->recoder->db;
	struct storage storage = {.id = moving->storage,
				  .nbytes = request->tensor.nbytes,
				  .stored_bytes = moving->stored};
	struct storage base;
	bool named;

	if (moving->uses_base) {
		WH_TRY(storage_is_named(db, request->base, &named, err));
		if (!named)
			return wh_fail(err, WH_EBUSY,
				       "the store is being cleaned up; try "
				       "again");
		WH_TRY(storage_get(db, request->base, &base, err));
		storage.base = request->base;
		storage.generation = request->generation;
		storage.context = moving->uses_context ? base.base : 0;
	}
	return storage_insert(db, &storage, 1, err);
}

static enum wh_status flush(struct moving *moving, bool last,
			    struct wh_error *err)
{
	struct recoder *recoder = moving->recoder;
	AUTO_TRANSACTION tx = {0};
	size_t i;

	if (!moving->storage)
		WH_TRY(reserve(moving, err));
	WH_TRY(transaction_begin(&tx, recoder->db, err));
	for (i = 0; i < recoder->n_held; i++) {
		struct chunk *chunk = &recoder->held[i].chunk;

		chunk->storage = moving->storage;
		chunk->bytes = recoder->coded.data + recoder->held[i].offset;
		WH_TRY(chunk_put(recoder->db, chunk, err));
	}
	if (last)
		WH_TRY(insert_row(moving, err));
	WH_TRY(transaction_commit(&tx, err));
	recoder->n_held = 0;
	recoder->coded.size = 0;
	return WH_OK;
}

/* `*fits` false: it takes more than the limit. */
static enum wh_status write_all(struct moving *moving, bool *fits,
				struct wh_error *err)
{
	const struct recode_request *request = moving->request;
	struct recoder *recoder = moving->recoder;
	uint64_t offset = 0, nbytes = request->tensor.nbytes;

	recoder->n_held = 0;
	recoder->coded.size = 0;
	WH_TRY(sha256_reset(recoder->hash, err));
	while (offset < nbytes && *fits) {
		uint64_t left = nbytes - offset;
		size_t size = (size_t)(left < CHUNK_SIZE ? left : CHUNK_SIZE);

		WH_TRY(code_chunk(moving, offset, size, err));
		*fits = moving->stored <= request->limit;
		offset += size;
		if (*fits && offset < nbytes &&
		    (recoder->n_held == HOLD_CHUNKS ||
		     recoder->coded.size >= HOLD_BYTES))
			WH_TRY(flush(moving, false, err));
	}
	return WH_OK;
}

/* ---- Moving ----------------------------------------------------------------
 */

static enum wh_status check_digest(struct moving *moving, struct wh_error *err)
{
	uint8_t digest[WH_SHA256_SIZE];

	WH_TRY(sha256_final(moving->recoder->hash, digest, err));
	if (memcmp(digest, moving->request->tensor.sha256, sizeof(digest)) == 0)
		return WH_OK;
	return wh_fail(err, WH_ECORRUPT, "its payload is not of its SHA-256");
}

static enum wh_status read_back(struct moving *moving, struct wh_error *err)
{
	struct recoder *recoder = moving->recoder;
	uint64_t offset, nbytes = moving->request->tensor.nbytes;

	WH_TRY(sha256_reset(recoder->hash, err));
	for (offset = 0; offset < nbytes; offset += CHUNK_SIZE) {
		uint64_t left = nbytes - offset;
		size_t size = (size_t)(left < CHUNK_SIZE ? left : CHUNK_SIZE);

		WH_TRY(chunk_reader_read(recoder->back, moving->storage,
					 (uint32_t)(offset / CHUNK_SIZE),
					 recoder->raw, size, err));
		WH_TRY(sha256_update(recoder->hash, recoder->raw, size, err));
	}
	return check_digest(moving, err);
}

static enum wh_status move_tensor(struct moving *moving, bool *moved,
				  struct wh_error *err)
{
	const struct recode_tensor *tensor = &moving->request->tensor;
	struct db *db = moving->recoder->db;
	AUTO_TRANSACTION tx = {0};
	struct stmt *stmt;

	WH_TRY(transaction_begin(&tx, db, err));
	WH_TRY(db_stmt(db, STMT_TENSOR_MOVE, &stmt, err));
	stmt_integer(stmt, 1, tensor->id);
	stmt_integer(stmt, 2, tensor->storage);
	stmt_integer(stmt, 3, moving->storage);
	WH_TRY(step_done(stmt, err));
	*moved = db_changes(db) == 1;
	WH_TRY(lease_end(db, &moving->lease, err));
	return transaction_commit(&tx, err);
}

/* Nothing names it: what can't be taken back now is gc's. */
static void abandon(struct moving *moving)
{
	struct gc gc = {.db = moving->recoder->db};
	bool done = moving->storage == 0;
	struct stmt *stmt;

	while (!done) {
		AUTO_GC_TURN turn = {0};

		if (gc_turn_begin(&turn, gc.db, NULL) ||
		    gc_delete_chunks(&gc, &turn, moving->storage, &done, NULL))
			return;
		if (done) {
			if (db_stmt(gc.db, STMT_STORAGE_ABANDON, &stmt, NULL))
				return;
			stmt_integer(stmt, 1, moving->storage);
			if (step_done(stmt, NULL) ||
			    lease_end(gc.db, &moving->lease, NULL))
				return;
		}
		if (gc_turn_commit(&turn, NULL))
			return;
	}
}

static enum wh_status write_and_move(struct moving *moving, bool *moved,
				     struct wh_error *err)
{
	bool fits = true;

	*moved = false;
	WH_TRY(write_all(moving, &fits, err));
	if (!fits || moving->request->count_only)
		return WH_OK;
	WH_TRY(check_digest(moving, err));
	WH_TRY(flush(moving, true, err));
	WH_TRY(read_back(moving, err));
	return move_tensor(moving, moved, err);
}

enum wh_status recode(struct recoder *recoder,
		      const struct recode_request *request, int64_t *storage,
		      uint64_t *stored, struct wh_error *err)
{
	struct moving moving = {.recoder = recoder, .request = request};
	bool moved;
	enum wh_status status = write_and_move(&moving, &moved, err);

	if (status || !moved)
		abandon(&moving);
	lease_free(&moving.lease);
	if (status)
		return status;
	*storage = moved ? moving.storage : 0;
	*stored = moving.stored;
	return WH_OK;
}
