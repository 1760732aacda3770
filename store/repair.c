/* Damaged tensors, restored.
 *
 * A tensor is its SHA-256: bytes of the same digest are it, whoever has them.
 * Its sound payload becomes a new storage that stands alone, which is read
 * back before the tensor moves there (recode.h). What is coded against the
 * damaged one still names the old storage, but for its values alone: they are
 * those of the new one, so that the chunks of such a tensor decode from them,
 * are held against its own digest, and get a new storage too. Bases come
 * before what is coded against them, since their storages have lower ids.
 */
#include "verify.h"

#include <stdlib.h>
#include <string.h>

#include "base/crc.h"
#include "canonical.h"
#include "chunk.h"
#include "chunk_reader.h"
#include "gc.h"
#include "recode.h"
#include "storage.h"
#include "store.h"

/* Where sound copies may be. */
struct origin {
	struct wh_source *source; /* borrowed */
	struct db *db;		  /* of another store */
	struct chunk_pool *pool;
	struct wh_buf texts[3]; /* that this store keeps as tensors */
};

/* The values of storage `old` lie in `now`. */
struct moved {
	int64_t old, now;
};

struct repair {
	struct verification *all;
	struct recoder *recoder;
	struct chunk_reader *reader;
	struct codec_coder *coder;
	struct origin *origins;
	size_t n_origins;
	struct moved *moved;
	size_t n_moved;
};

/* ---- From copies -----------------------------------------------------------
 */

/* One payload of an origin. */
struct copy {
	const struct origin *origin;
	uint32_t index;	 /* of a source's tensor */
	int64_t storage; /* of a store's */
	const struct wh_buf *text;
	uint64_t nbytes;
};

static enum wh_status read_copy(void *arg, uint64_t offset, void *buf,
				size_t len, struct wh_error *err)
{
	const struct copy *copy = arg;

	if (copy->text)
		memcpy(buf, copy->text->data + offset, len);
	else if (copy->origin->pool)
		return chunk_pool_read(copy->origin->pool, copy->storage,
				       copy->nbytes, offset, buf, len, err);
	else
		return wh_source_read(copy->origin->source, copy->index, offset,
				      buf, len, err);
	return WH_OK;
}

static bool find_in_source(const struct origin *origin,
			   const struct recode_tensor *tensor,
			   struct copy *copy)
{
	const struct wh_manifest *manifest = &origin->source->manifest;
	uint32_t i, n = manifest->n_tensors + manifest->n_hidden;
	uint8_t digest[WH_SHA256_SIZE];

	for (i = 0; i < n; i++)
		if (manifest->tensors[i].nbytes == tensor->nbytes &&
		    memcmp(manifest->tensors[i].sha256, tensor->sha256,
			   WH_SHA256_SIZE) == 0) {
			copy->index = i;
			return true;
		}
	for (i = 0; i < 3; i++)
		if (origin->texts[i].size == tensor->nbytes &&
		    !sha256_of(origin->texts[i].data, origin->texts[i].size,
			       digest, NULL) &&
		    memcmp(digest, tensor->sha256, sizeof(digest)) == 0) {
			copy->text = &origin->texts[i];
			return true;
		}
	return false;
}

static bool find_in_store(const struct origin *origin,
			  const struct recode_tensor *tensor, struct copy *copy)
{
	struct stmt *stmt;
	bool row = false;

	if (db_stmt(origin->db, STMT_TENSOR_BY_PAYLOAD, &stmt, NULL))
		return false;
	stmt_blob(stmt, 1, tensor->sha256, sizeof(tensor->sha256));
	stmt_integer(stmt, 2, (int64_t)tensor->nbytes);
	if (stmt_step(stmt, &row, NULL))
		return false;
	copy->storage = row ? column_integer(stmt, 0) : 0;
	stmt_reset(stmt);
	return row;
}

static enum wh_status write_texts(struct origin *origin, struct wh_error *err)
{
	const struct wh_manifest *manifest = &origin->source->manifest;

	if (manifest->graph)
		WH_TRY(canonical_graph(&origin->texts[0], manifest->graph,
				       err));
	if (manifest->n_attributes)
		WH_TRY(canonical_attributes(&origin->texts[1], manifest, err));
	if (manifest->template_)
		WH_TRY(canonical_template(&origin->texts[2], manifest, err));
	return WH_OK;
}

static enum wh_status open_origin(struct repair *repair, struct origin *origin,
				  const struct wh_repair_from *from,
				  struct wh_error *err)
{
	const struct wh_verify_options *options = repair->all->options;

	if (from->store) {
		origin->db = from->store->db;
		return chunk_pool_new(origin->db, &origin->pool, err);
	}
	origin->source = from->source;
	WH_TRY(wh_source_weigh(from->source, WH_SHA256, 0, options->progress,
			       options->arg, err));
	return write_texts(origin, err);
}

/* ---- From values of a base that was restored -------------------------------
 */

static int64_t now_at(const struct repair *repair, int64_t storage)
{
	size_t i;

	for (i = 0; i < repair->n_moved; i++)
		if (repair->moved[i].old == storage)
			return repair->moved[i].now;
	return 0;
}

static size_t chunk_size(uint64_t nbytes, uint32_t position)
{
	uint64_t begin = (uint64_t)position * CHUNK_SIZE;

	if (begin >= nbytes)
		return 0;
	return (size_t)(nbytes - begin < CHUNK_SIZE ? nbytes - begin
						    : CHUNK_SIZE);
}

struct value {
	uint8_t *bytes; /* owned */
	size_t size;	/* 0: there is none */
};

static enum wh_status decode(struct repair *repair, int64_t storage,
			     uint32_t position, const struct value *base,
			     const struct value *context, uint8_t *buf,
			     size_t size, struct wh_error *err)
{
	const struct codec_reference reference = {
		.base = base->size ? base->bytes : NULL,
		.base_size = base->size,
		.context = context->size ? context->bytes : NULL,
		.context_size = context->size,
	};
	enum wh_status status;
	struct stmt *stmt;
	const void *bytes;
	size_t n_bytes;

	WH_TRY(db_stmt(repair->all->db, STMT_CHUNK_GET, &stmt, err));
	stmt_integer(stmt, 1, storage << CHUNK_ID_BITS | (int64_t)position);
	WH_TRY(step_row(stmt, err));
	bytes = column_blob(stmt, 3, &n_bytes);
	status = codec_decode(repair->coder, column_integer(stmt, 0), bytes,
			      n_bytes, &reference, buf, size, err);
	if (!status &&
	    crc32c_update(0, buf, size) != (uint32_t)column_integer(stmt, 2))
		status = wh_fail(err, WH_ECORRUPT, "a chunk is damaged");
	stmt_reset(stmt);
	return status;
}

static enum wh_status read_value(struct repair *repair, int64_t storage,
				 uint32_t position, unsigned depth,
				 uint8_t *buf, size_t size,
				 struct wh_error *err);

static enum wh_status get_value(struct repair *repair, int64_t id,
				uint32_t position, unsigned depth,
				struct value *value, struct wh_error *err)
{
	struct storage storage;

	memset(value, 0, sizeof(*value));
	if (!id)
		return WH_OK;
	WH_TRY(storage_get(repair->all->db, id, &storage, err));
	value->size = chunk_size(storage.nbytes, position);
	value->bytes = malloc(value->size + 1);
	if (!value->bytes)
		return wh_fail_memory(err);
	if (!value->size)
		return WH_OK;
	return read_value(repair, id, position, depth + 1, value->bytes,
			  value->size, err);
}

/* The row says that some chunk reads the context; whether this one does shows
 * by its sum. */
static enum wh_status decode_from(struct repair *repair,
				  const struct storage *storage,
				  uint32_t position, unsigned depth,
				  uint8_t *buf, size_t size,
				  struct wh_error *err)
{
	const struct value none = {NULL, 0};
	struct value base = {NULL, 0}, context = {NULL, 0};
	enum wh_status status =
		get_value(repair, storage->base, position, depth, &base, err);

	if (!status) {
		status = get_value(repair, storage->context, position, depth,
				   &context, err);
		if (!status)
			status = decode(repair, storage->id, position, &base,
					&context, buf, size, err);
		if (status)
			status = decode(repair, storage->id, position, &base,
					&none, buf, size, err);
	}
	free(base.bytes);
	free(context.bytes);
	return status;
}

static enum wh_status read_value(struct repair *repair, int64_t id,
				 uint32_t position, unsigned depth,
				 uint8_t *buf, size_t size,
				 struct wh_error *err)
{
	int64_t now = now_at(repair, id);
	struct storage storage;

	if (depth >= MAX_CHAIN)
		return wh_fail(err, WH_ECORRUPT, "a chain is too long");
	if (!chunk_reader_read(repair->reader, now ? now : id, position, buf,
			       size, err))
		return WH_OK;
	WH_TRY(storage_get(repair->all->db, id, &storage, err));
	if (!storage.base)
		return wh_fail(err, WH_ECORRUPT, "a chunk is damaged");
	return decode_from(repair, &storage, position, depth, buf, size, err);
}

struct derived {
	struct repair *repair;
	int64_t storage;
};

static enum wh_status read_derived(void *arg, uint64_t offset, void *buf,
				   size_t len, struct wh_error *err)
{
	struct derived *derived = arg;

	return read_value(derived->repair, derived->storage,
			  (uint32_t)(offset / CHUNK_SIZE), 0, buf, len, err);
}

/* ---- One tensor ------------------------------------------------------------
 */

/* Damage to a copy is no failure: the next may be sound. */
static enum wh_status try_request(struct repair *repair,
				  const struct recode_request *request,
				  struct damaged *one, struct wh_error *err)
{
	struct wh_error found = {0};
	int64_t storage = 0;
	uint64_t stored;
	enum wh_status status =
		recode(repair->recoder, request, &storage, &stored, &found);

	if (status == WH_ECORRUPT || status == WH_EUNSUPPORTED ||
	    status == WH_EMISMATCH)
		return WH_OK;
	if (status) {
		if (err)
			*err = found;
		return status;
	}
	if (!storage)
		return WH_OK;
	one->repaired = true;
	repair->all->result->n_repaired++;
	repair->moved[repair->n_moved++] =
		(struct moved){.old = one->storage, .now = storage};
	return WH_OK;
}

static enum wh_status derive(struct repair *repair, struct damaged *one,
			     struct recode_request *request,
			     struct wh_error *err)
{
	struct derived derived = {.repair = repair, .storage = one->storage};
	struct storage storage;

	if (storage_get(repair->all->db, one->storage, &storage, NULL) ||
	    !storage.base)
		return WH_OK;
	request->read = read_derived;
	request->arg = &derived;
	request->base = now_at(repair, storage.base);
	request->generation = request->base ? storage.generation : 0;
	return try_request(repair, request, one, err);
}

static enum wh_status restore(struct repair *repair, struct damaged *one,
			      struct wh_error *err)
{
	struct recode_request request = {.effort = CODEC_FAST,
					 .limit = UINT64_MAX};
	bool there;
	size_t i;

	WH_TRY(recode_tensor_get(repair->all->db, one->tensor, &request.tensor,
				 &there, err));
	if (!there)
		return WH_OK;
	for (i = 0; i < repair->n_origins && !one->repaired; i++) {
		const struct origin *origin = &repair->origins[i];
		struct copy copy = {.origin = origin,
				    .nbytes = request.tensor.nbytes};

		if (origin->db
			    ? !find_in_store(origin, &request.tensor, &copy)
			    : !find_in_source(origin, &request.tensor, &copy))
			continue;
		request.read = read_copy;
		request.arg = &copy;
		WH_TRY(try_request(repair, &request, one, err));
	}
	return one->repaired ? WH_OK : derive(repair, one, &request, err);
}

/* ---- The whole -------------------------------------------------------------
 */

static int by_storage(const void *a, const void *b)
{
	const struct damaged *x = a, *y = b;

	return x->storage < y->storage ? -1 : x->storage > y->storage;
}

static enum wh_status restore_all(struct repair *repair, struct wh_error *err)
{
	struct verification *all = repair->all;
	struct db *db = all->db;
	size_t i;

	repair->moved = calloc(all->n_damaged + 1, sizeof(*repair->moved));
	repair->origins =
		calloc(all->options->n_repair_from, sizeof(*repair->origins));
	if (!repair->moved || !repair->origins)
		return wh_fail_memory(err);
	for (i = 0; i < all->options->n_repair_from; i++) {
		repair->n_origins++;
		WH_TRY(open_origin(repair, &repair->origins[i],
				   &all->options->repair_from[i], err));
	}
	WH_TRY(recoder_new(db, &repair->recoder, err));
	WH_TRY(chunk_reader_new(db, NULL, &repair->reader, err));
	WH_TRY(codec_coder_new(&repair->coder, err));
	qsort(all->damaged, all->n_damaged, sizeof(*all->damaged), by_storage);
	for (i = 0; i < all->n_damaged; i++) {
		WH_TRY(restore(repair, &all->damaged[i], err));
		WH_TRY(verify_report(all, err));
	}
	return WH_OK;
}

static void close_origins(struct repair *repair)
{
	size_t i, k;

	for (i = 0; repair->origins && i < repair->n_origins; i++) {
		chunk_pool_free(repair->origins[i].pool);
		for (k = 0; k < 3; k++)
			wh_buf_free(&repair->origins[i].texts[k]);
	}
	free(repair->origins);
}

/* What was damaged is named by nothing now. Where its pages can't be read
 * either it stays, and does no harm. */
static void sweep(struct repair *repair)
{
	static const struct wh_gc_options defaults;
	struct gc gc = {.db = repair->all->db, .options = &defaults};

	(void)gc_sweep_storages(&gc, NULL);
}

enum wh_status verify_repair(struct verification *all, struct wh_error *err)
{
	struct repair repair = {.all = all};
	enum wh_status status;

	if (!db_is_writable(all->db))
		return wh_fail(err, WH_EIO, "'%s' is open for reading only",
			       db_path(all->db));
	if (!all->n_damaged)
		return WH_OK;
	status = restore_all(&repair, err);
	if (!status && all->result->n_repaired)
		sweep(&repair);
	close_origins(&repair);
	free(repair.moved);
	recoder_free(repair.recoder);
	chunk_reader_free(repair.reader);
	codec_coder_free(repair.coder);
	return status;
}
