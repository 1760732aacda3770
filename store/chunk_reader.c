/* A chunk may be a difference from the base's chunk, and that one from the
 * next base's. First the codecs down the chain are asked, to where one needs
 * no base; then chunks are decoded upwards from there, each from the value
 * before and, as its context, the one before that. A value is written over its
 * own context, of which each element is read before: so two buffers do, the
 * caller's among them, and stay in the processor's cache.
 */
#include "chunk_reader.h"

#include <stdlib.h>
#include <string.h>

#include "base/crc.h"
#include "storage.h"
#include "store.h"

#define N_VALUES     2u
#define MEDIUM_CHUNK ((size_t)64 << 10)

/* Of a model of many small tensors, which were stored one after the other, so
 * many are read in one turn: else each costs a dozen system calls. */
#define SMALL_CHUNK  ((size_t)16 << 10)
#define RUN_STORAGES 64u
#define RUN_BYTES    (RUN_STORAGES << 12)
#define RUN_NEAR     4 /* storages: as far on a next one is in order */

/* First chunks of storages, decoded and checked. A storage's number is never
 * used again, so they stay true. */
struct chunk_run {
	/* Storages; `first` 0: none. What isn't in [first, end) isn't known,
	 * and what is there and has no place here can't be had like this. */
	int64_t first, end, last_wanted;
	uint32_t offsets[RUN_STORAGES], sizes[RUN_STORAGES]; /* 0: not here */
	uint8_t *bytes;					     /* or NULL */
};

/* A chunk's row but for its bytes. */
struct head {
	int64_t codec, size, crc;
};

struct chunk_reader {
	struct db *db;
	pthread_mutex_t *turn;
	struct codec_coder *coder;
	struct storage_chain chain;   /* of the storage that was read last */
	struct head heads[MAX_CHAIN]; /* of its links' chunks at a position */
	uint8_t *values[N_VALUES];    /* in one piece of memory */
	size_t room;		      /* of each */
	struct wh_buf coded;	      /* of the row that was read last */
	struct chunk_run run;
};

void chunk_reader_free(struct chunk_reader *reader)
{
	if (!reader)
		return;
	codec_coder_free(reader->coder);
	free(reader->values[0]);
	wh_buf_free(&reader->coded);
	free(reader->run.bytes);
	free(reader);
}

enum wh_status chunk_reader_new(struct db *db, pthread_mutex_t *turn,
				struct chunk_reader **out, struct wh_error *err)
{
	struct chunk_reader *reader = calloc(1, sizeof(*reader));
	enum wh_status status;

	if (!reader)
		return wh_fail_memory(err);
	reader->db = db;
	reader->turn = turn;
	status = codec_coder_new(&reader->coder, err);
	if (status) {
		chunk_reader_free(reader);
		return status;
	}
	*out = reader;
	return WH_OK;
}

/* For values of up to `size` bytes. */
static enum wh_status make_values(struct chunk_reader *reader, size_t size,
				  struct wh_error *err)
{
	if (size <= reader->room)
		return WH_OK;
	reader->room = size < MEDIUM_CHUNK ? MEDIUM_CHUNK : (size_t)CHUNK_SIZE;
	free(reader->values[0]);
	reader->values[0] = malloc(N_VALUES * reader->room);
	if (!reader->values[0]) {
		reader->room = 0;
		return wh_fail_memory(err);
	}
	reader->values[1] = reader->values[0] + reader->room;
	return WH_OK;
}

static enum wh_status load_chain(struct chunk_reader *reader, int64_t storage,
				 struct wh_error *err)
{
	struct storage_chain *chain = &reader->chain;
	enum wh_status status;

	if (chain->n && chain->links[0].id == storage)
		return WH_OK;
	status = storage_chain_get(reader->db, storage, chain, err);
	if (status)
		chain->n = 0;
	return status;
}

/* Bytes of a storage's chunk; 0: it has none there. */
static size_t chunk_size(const struct storage *storage, uint32_t position)
{
	uint64_t begin = (uint64_t)position * CHUNK_SIZE;

	if (begin >= storage->nbytes)
		return 0;
	if (storage->nbytes - begin > CHUNK_SIZE)
		return (size_t)CHUNK_SIZE;
	return (size_t)(storage->nbytes - begin);
}

static enum wh_status missing(struct wh_error *err)
{
	return wh_fail(err, WH_ECORRUPT, "a chunk is missing");
}

static int64_t id_of(int64_t storage, uint32_t position)
{
	return storage << CHUNK_ID_BITS | (int64_t)position;
}

static enum wh_status read_head(struct chunk_reader *reader, int64_t storage,
				uint32_t position, struct head *head,
				struct wh_error *err)
{
	struct stmt *stmt;
	bool row;

	WH_TRY(db_stmt(reader->db, STMT_CHUNK_HEAD, &stmt, err));
	stmt_integer(stmt, 1, id_of(storage, position));
	WH_TRY(stmt_step(stmt, &row, err));
	if (row)
		*head = (struct head){column_integer(stmt, 0),
				      column_integer(stmt, 1),
				      column_integer(stmt, 2)};
	stmt_reset(stmt);
	return row ? WH_OK : missing(err);
}

/* The whole row of a small chunk: to open a blob takes longer than to copy
 * it. */
static enum wh_status read_small_row(struct chunk_reader *reader,
				     int64_t storage, uint32_t position,
				     struct head *head, struct wh_error *err)
{
	AUTO_STMT *stmt = NULL;
	const void *bytes;
	size_t len;
	bool row;

	WH_TRY(db_stmt(reader->db, STMT_CHUNK_GET, &stmt, err));
	stmt_integer(stmt, 1, id_of(storage, position));
	WH_TRY(stmt_step(stmt, &row, err));
	if (!row)
		return missing(err);
	*head = (struct head){column_integer(stmt, 0), column_integer(stmt, 1),
			      column_integer(stmt, 2)};
	bytes = column_blob(stmt, 3, &len);
	return wh_buf_append(&reader->coded, bytes, len, err);
}

/* A value that a chunk is decoded to. */
struct target {
	uint8_t *bytes;
	size_t size;
	bool checked; /* against the sum in its row */
	bool done;    /* the row has it as it is */
};

/* A large chunk's bytes. The memory for coded ones is as large as a chunk's
 * from the first one on that is no small one: what isn't used isn't touched. */
static enum wh_status read_bytes(struct chunk_reader *reader, int64_t id,
				 int64_t codec, struct target *to,
				 struct wh_error *err)
{
	struct wh_buf *coded = &reader->coded;
	AUTO_BLOB blob = {0};
	bool there = false;
	size_t size;

	WH_TRY(blob_open(reader->db, "chunk", "data", id, &blob, &there, err));
	if (!there)
		return missing(err);
	size = blob_size(&blob);
	to->done = codec == CODEC_RAW && size == to->size;
	if (to->done)
		return blob_read(&blob, to->bytes, err);
	if (to->size > MEDIUM_CHUNK)
		WH_TRY(wh_buf_reserve(coded, (size_t)CHUNK_SIZE, err));
	WH_TRY(wh_buf_reserve(coded, size, err));
	coded->size = size;
	return blob_read(&blob, coded->data, err);
}

/* A link's row, and its bytes into `coded`, or where they are wanted. */
static enum wh_status read_row(struct chunk_reader *reader, unsigned link,
			       uint32_t position, struct target *to,
			       struct wh_error *err)
{
	int64_t storage = reader->chain.links[link].id;
	struct head *head = &reader->heads[link];
	bool small = to->size <= SMALL_CHUNK;

	reader->coded.size = 0;
	if (small)
		WH_TRY(read_small_row(reader, storage, position, head, err));
	else if (reader->chain.n == 1) /* else find_depth() has read it */
		WH_TRY(read_head(reader, storage, position, head, err));
	if (head->size != (int64_t)to->size)
		return wh_fail(err, WH_ECORRUPT, "a chunk has a wrong length");
	return small ? WH_OK
		     : read_bytes(reader, id_of(storage, position), head->codec,
				  to, err);
}

/* How many links down the chain a chunk's decoding begins. SQLite reads what a
 * statement names, wanted or not: so this one names no bytes. */
static enum wh_status find_depth(struct chunk_reader *reader, uint32_t position,
				 unsigned *depth, struct wh_error *err)
{
	const struct storage_chain *chain = &reader->chain;
	struct head *heads = reader->heads;
	bool needs = false;
	unsigned i;

	for (i = 0; i < chain->n && chunk_size(&chain->links[i], position);
	     i++) {
		WH_TRY(read_head(reader, chain->links[i].id, position,
				 &heads[i], err));
		WH_TRY(codec_needs(heads[i].codec, &needs, err));
		*depth = i;
		if (!needs)
			return WH_OK;
	}
	return wh_fail(err, WH_ECORRUPT, "a chunk lacks its base");
}

static enum wh_status check_sum(const uint8_t *bytes, size_t size,
				int64_t expected, struct wh_error *err)
{
	uint32_t crc = crc32c_update(0, bytes, size);

	if (crc == (uint32_t)expected)
		return WH_OK;
	return wh_fail(err, WH_ECORRUPT,
		       "a chunk's CRC-32C is %08x instead of %08x", crc,
		       (unsigned)expected);
}

static enum wh_status decode_row(struct chunk_reader *reader,
				 const struct head *head,
				 const struct codec_reference *reference,
				 const struct target *to, struct wh_error *err)
{
	const struct wh_buf *coded = &reader->coded;

	if (!to->done)
		WH_TRY(codec_decode(reader->coder, head->codec, coded->data,
				    coded->size, reference, to->bytes, to->size,
				    err));
	return to->checked ? check_sum(to->bytes, to->size, head->crc, err)
			   : WH_OK;
}

static enum wh_status decode_link(struct chunk_reader *reader, unsigned link,
				  uint32_t position,
				  const struct codec_reference *reference,
				  struct target *to, struct wh_error *err)
{
	enum wh_status status;

	WH_TRY(read_row(reader, link, position, to, err));
	/* Who waits for the connection doesn't wait for the decoder. */
	if (reader->turn)
		pthread_mutex_unlock(reader->turn);
	status = decode_row(reader, &reader->heads[link], reference, to, err);
	if (reader->turn)
		pthread_mutex_lock(reader->turn);
	return status;
}

/* From the deepest link upwards, to `values` in turn; the last goes to the
 * first of them. `reference` then is what that last one was coded against, the
 * base alone. Only the last one's sum is looked at: it fits no value that a
 * damaged one below it led to. */
static enum wh_status decode_chain(struct chunk_reader *reader,
				   uint32_t position, unsigned depth,
				   uint8_t *const values[N_VALUES],
				   struct codec_reference *reference,
				   struct wh_error *err)
{
	unsigned i = depth + 1;

	memset(reference, 0, sizeof(*reference));
	while (i-- > 0) {
		uint8_t *out = values[i % N_VALUES];
		size_t size = chunk_size(&reader->chain.links[i], position);
		struct target to = {
			.bytes = out, .size = size, .checked = i == 0};

		WH_TRY(decode_link(reader, i, position, reference, &to, err));
		if (i == 0)
			break;
		reference->context = reference->base;
		reference->context_size = reference->base_size;
		reference->base = out;
		reference->base_size = size;
	}
	return WH_OK;
}

/* Of all chunks that one is decoded through. */
static size_t longest(const struct storage_chain *chain, unsigned depth,
		      uint32_t position)
{
	size_t most = 0;
	unsigned i;

	for (i = 0; i <= depth; i++) {
		size_t size = chunk_size(&chain->links[i], position);

		most = size > most ? size : most;
	}
	return most;
}

static enum wh_status read_chunk(struct chunk_reader *reader, int64_t storage,
				 uint32_t position, uint8_t *buf, size_t size,
				 struct wh_error *err)
{
	struct codec_reference reference;
	uint8_t *values[N_VALUES] = {buf};
	unsigned depth = 0;
	size_t most = size;

	WH_TRY(load_chain(reader, storage, err));
	if (chunk_size(&reader->chain.links[0], position) != size)
		return wh_fail(err, WH_ECORRUPT,
			       "a tensor's storage has a wrong length");
	if (reader->chain.n > 1)
		WH_TRY(find_depth(reader, position, &depth, err));
	if (depth > 0) {
		most = longest(&reader->chain, depth, position);
		WH_TRY(make_values(reader, most, err));
		values[1] = reader->values[1];
	}
	/* The tensor may have shrunk since: then it takes memory of its own. */
	if (most > size)
		values[0] = reader->values[0];
	WH_TRY(decode_chain(reader, position, depth, values, &reference, err));
	if (values[0] != buf)
		memcpy(buf, values[0], size);
	return WH_OK;
}

/* ---- Runs of small ones ---------------------------------------------------
 */

/* False where the run has no room left. What can't be had like this, large and
 * damaged rows among it, is left to a read of its own. */
static bool add_to_run(struct chunk_reader *reader, struct stmt *stmt,
		       uint32_t *n_bytes)
{
	const struct codec_reference none = {0};
	struct chunk_run *run = &reader->run;
	int64_t id = column_integer(stmt, 0), size = column_integer(stmt, 2);
	int64_t codec = column_integer(stmt, 1);
	size_t at = (size_t)((id >> CHUNK_ID_BITS) - run->first), n_coded;
	uint8_t *out = run->bytes + *n_bytes;
	const uint8_t *coded;
	bool base;

	if (size > (int64_t)(RUN_BYTES - *n_bytes))
		return false;
	if (id & ((INT64_C(1) << CHUNK_ID_BITS) - 1) || size < 1 ||
	    size > (int64_t)SMALL_CHUNK || codec_needs(codec, &base, NULL) ||
	    base)
		return true;
	coded = column_blob(stmt, 4, &n_coded);
	if (codec_decode(reader->coder, codec, coded, n_coded, &none, out,
			 (size_t)size, NULL) ||
	    check_sum(out, (size_t)size, column_integer(stmt, 3), NULL))
		return true;
	run->offsets[at] = *n_bytes;
	run->sizes[at] = (uint32_t)size;
	*n_bytes += (uint32_t)size;
	return true;
}

/* Where that fails the run ends: what follows may not even be wanted. */
static void load_run(struct chunk_reader *reader, int64_t storage)
{
	struct chunk_run *run = &reader->run;
	uint32_t n_bytes = 0;
	struct stmt *stmt;
	bool row;

	run->first = run->end = 0;
	if (!run->bytes)
		run->bytes = malloc(RUN_BYTES);
	if (!run->bytes || db_stmt(reader->db, STMT_CHUNK_RUN, &stmt, NULL))
		return;
	run->first = storage;
	run->end = storage + RUN_STORAGES;
	memset(run->sizes, 0, sizeof(run->sizes));
	stmt_integer(stmt, 1, storage << CHUNK_ID_BITS);
	stmt_integer(stmt, 2, run->end << CHUNK_ID_BITS);
	while (!stmt_step(stmt, &row, NULL) && row) {
		if (add_to_run(reader, stmt, &n_bytes))
			continue;
		run->end = column_integer(stmt, 0) >> CHUNK_ID_BITS;
		break;
	}
	stmt_reset(stmt);
}

static bool copy_from_run(const struct chunk_run *run, int64_t storage,
			  void *buf, size_t size)
{
	int64_t at = storage - run->first;

	if (!run->first || at < 0 || at >= RUN_STORAGES ||
	    run->sizes[at] != size)
		return false;
	memcpy(buf, run->bytes + run->offsets[at], size);
	return true;
}

/* Whether a first chunk came out of the run, or of the one that it begins where
 * chunks are wanted in order. */
static bool read_small(struct chunk_reader *reader, int64_t storage, void *buf,
		       size_t size)
{
	struct chunk_run *run = &reader->run;
	int64_t ahead = storage - run->last_wanted;

	run->last_wanted = storage;
	if (copy_from_run(run, storage, buf, size))
		return true;
	if (storage >= run->first && storage < run->end)
		return false;
	if (ahead < 1 || ahead > RUN_NEAR ||
	    storage > MAX_STORAGE_ID - RUN_STORAGES)
		return false;
	db_lock_shared(reader->db);
	load_run(reader, storage);
	db_unlock(reader->db);
	return copy_from_run(run, storage, buf, size);
}

enum wh_status chunk_reader_read(struct chunk_reader *reader, int64_t storage,
				 uint32_t position, void *buf, size_t size,
				 struct wh_error *err)
{
	AUTO_TRANSACTION tx = {0};

	if (position == 0 && size && size <= SMALL_CHUNK && !reader->turn &&
	    read_small(reader, storage, buf, size))
		return WH_OK;
	WH_TRY(transaction_batch(&tx, reader->db, err));
	return read_chunk(reader, storage, position, buf, size, err);
}

static enum wh_status read_reference(struct chunk_reader *reader,
				     int64_t storage, uint32_t position,
				     struct codec_reference *reference,
				     struct wh_error *err)
{
	struct codec_reference own;
	unsigned depth = 0;
	size_t size;

	WH_TRY(load_chain(reader, storage, err));
	size = chunk_size(&reader->chain.links[0], position);
	if (size == 0)
		return WH_OK;
	WH_TRY(find_depth(reader, position, &depth, err));
	WH_TRY(make_values(reader, longest(&reader->chain, depth, position),
			   err));
	WH_TRY(decode_chain(reader, position, depth, reader->values, &own,
			    err));
	reference->base = reader->values[0];
	reference->base_size = size;
	reference->context = own.base;
	reference->context_size = own.base_size;
	return WH_OK;
}

enum wh_status chunk_reader_reference(struct chunk_reader *reader,
				      int64_t storage, uint32_t position,
				      struct codec_reference *reference,
				      struct wh_error *err)
{
	enum wh_status status;

	memset(reference, 0, sizeof(*reference));
	if (reader->turn)
		pthread_mutex_lock(reader->turn);
	status = read_reference(reader, storage, position, reference, err);
	if (reader->turn)
		pthread_mutex_unlock(reader->turn);
	return status;
}
