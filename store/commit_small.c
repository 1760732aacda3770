/* Small payloads: they are read and coded into memory, and go in with the rows
 * that name them, in the one transaction that publishes. So a commit of little
 * data is one transaction, and a tensor of a kilobyte is handed to no thread.
 *
 * All are read before the first is coded: a source may be slow, or read from
 * this very store, while coding holds a reader's turn where there are bases.
 */
#include "commit.h"

#include <stdlib.h>
#include <string.h>

#include "base/auto.h"
#include "base/crc.h"
#include "chunk.h"
#include "chunk_reader.h"
#include "core/scale.h"
#include "storage.h"

#define SMALL_ITEM  ((uint64_t)64 << 10) /* bytes */
#define SMALL_TOTAL COMMIT_SMALL_TOTAL

/* What a chunk is of. */
struct origin {
	struct item *item;
	bool uses_base, uses_context;
};

struct small_chunks {
	uint8_t *bytes; /* first raw ones, then coded ones over them */
	uint64_t n_bytes;
	struct chunk *chunks; /* whose `bytes` are in `bytes` */
	struct origin *origins;
	uint32_t n, n_items;
	bool any_base;
};

void commit_free_small(struct commit *commit)
{
	struct small_chunks *small = commit->small;

	if (!small)
		return;
	free(small->bytes);
	free(small->chunks);
	free(small->origins);
	free(small);
	commit->small = NULL;
}

/* ---- Which ----------------------------------------------------------------
 */

static uint32_t count_chunks(const struct item *item)
{
	return (uint32_t)((item_tensor(item)->nbytes + CHUNK_SIZE - 1) /
			  CHUNK_SIZE);
}

/* Takes small items out of `todo`; all of them, if all together are few
 * bytes. */
static uint64_t choose_small(struct item **todo, uint32_t *n_todo,
			     uint32_t *n_chunks)
{
	uint64_t total = 0, taken = 0;
	uint32_t i, kept = 0;

	for (i = 0; i < *n_todo; i++)
		total += item_tensor(todo[i])->nbytes;
	for (i = 0; i < *n_todo; i++) {
		uint64_t nbytes = item_tensor(todo[i])->nbytes;

		todo[i]->waits =
			!todo[i]->eager &&
			(nbytes <= SMALL_ITEM || total <= SMALL_TOTAL) &&
			taken + nbytes <= SMALL_TOTAL;
		if (todo[i]->waits) {
			taken += nbytes;
			*n_chunks += count_chunks(todo[i]);
		} else {
			todo[kept++] = todo[i];
		}
	}
	*n_todo = kept;
	return taken;
}

/* ---- Read, then code ------------------------------------------------------
 */

static enum wh_status read_chunk(struct small_chunks *small, struct item *item,
				 uint64_t offset, struct wh_error *err)
{
	uint64_t left = item_tensor(item)->nbytes - offset;
	size_t size = (size_t)(left < CHUNK_SIZE ? left : CHUNK_SIZE);
	uint8_t *bytes = small->bytes + small->n_bytes;

	WH_TRY(wh_source_read(item->source, item->index, offset, bytes, size,
			      err));
	small->origins[small->n].item = item;
	small->chunks[small->n++] = (struct chunk){
		.position = (uint32_t)(offset / CHUNK_SIZE),
		.crc32c = crc32c_update(0, bytes, size),
		.bytes = bytes,
		.raw_size = size,
	};
	small->n_bytes += size;
	return WH_OK;
}

/* Of an item whose chunks from `first` on are in memory. */
static enum wh_status weigh_chunks(struct small_chunks *small,
				   struct scale *scale, struct item *item,
				   uint32_t first, struct wh_error *err)
{
	uint32_t i;

	WH_TRY(scale_begin(scale, &item->source->manifest.tensors[item->index],
			   commit_needs(), err));
	for (i = first; i < small->n; i++)
		WH_TRY(scale_add(scale, small->chunks[i].bytes,
				 small->chunks[i].raw_size, err));
	return scale_finish(scale, err);
}

static enum wh_status weigh_rest(struct small_chunks *small, struct item *item,
				 uint32_t first, struct wh_error *err)
{
	enum wh_status status;
	struct scale *scale;

	WH_TRY(scale_new(&scale, err));
	status = weigh_chunks(small, scale, item, first, err);
	scale_free(scale);
	return status;
}

static enum wh_status read_item(struct small_chunks *small, struct item *item,
				struct wh_error *err)
{
	const struct wh_tensor *tensor = item_tensor(item);
	uint32_t first = small->n, i, crc = 0;
	uint64_t at;

	for (at = 0; at < tensor->nbytes; at += CHUNK_SIZE)
		WH_TRY(read_chunk(small, item, at, err));
	for (i = first; i < small->n; i++)
		crc = crc32c_combine(crc, small->chunks[i].crc32c,
				     small->chunks[i].raw_size);
	if (crc != tensor->crc32c)
		return wh_fail(err, WH_EMISMATCH,
			       "tensor '%s' changed while it was read",
			       tensor->key);
	if (item->half)
		WH_TRY(weigh_rest(small, item, first, err));
	small->n_items++;
	small->any_base |= item->base != 0;
	return WH_OK;
}

/* Chunk `i`, to `out`, which is not beyond where the raw bytes lie. */
static enum wh_status code_chunk(const struct commit *commit, uint32_t i,
				 struct codec_coder *coder,
				 struct chunk_reader *bases, uint8_t *out,
				 struct wh_error *err)
{
	struct origin *origin = &commit->small->origins[i];
	struct chunk *chunk = &commit->small->chunks[i];
	struct codec_input input = {
		.bytes = chunk->bytes,
		.size = chunk->raw_size,
		.element = codec_element_of(item_tensor(origin->item)->dtype),
		.effort = commit->effort,
	};
	struct codec_output coded;

	if (origin->item->base)
		WH_TRY(chunk_reader_reference(bases, origin->item->base,
					      chunk->position, &input.reference,
					      err));
	WH_TRY(codec_encode(coder, &input, &coded, err));
	chunk->codec = coded.codec;
	chunk->size = coded.size;
	origin->uses_base = coded.uses_base;
	origin->uses_context = coded.uses_context;
	if (coded.size)
		memmove(out, coded.bytes, coded.size);
	chunk->bytes = out;
	return WH_OK;
}

/* While the source was read gc may have begun with a base. In this transaction
 * it goes no further. */
static enum wh_status drop_lost_bases(struct commit *commit,
				      struct wh_error *err)
{
	uint32_t i;
	bool there;

	for (i = 0; i < commit->n_items; i++) {
		struct item *item = &commit->items[i];

		if (!item->waits)
			continue;
		WH_TRY(commit_base_is_there(commit->store->db, item, &there,
					    err));
		if (!there)
			item->base = 0;
	}
	return WH_OK;
}

static enum wh_status code_all(struct commit *commit, struct codec_coder *coder,
			       struct chunk_reader *bases, struct wh_error *err)
{
	struct small_chunks *small = commit->small;
	AUTO_TRANSACTION tx = {0};
	uint8_t *out = small->bytes;
	uint32_t i;

	if (small->any_base) {
		WH_TRY(transaction_read(&tx, commit->store->db, err));
		WH_TRY(drop_lost_bases(commit, err));
	}
	for (i = 0; i < small->n; i++) {
		WH_TRY(code_chunk(commit, i, coder, bases, out, err));
		out += small->chunks[i].size;
	}
	return WH_OK;
}

static enum wh_status code(struct commit *commit, struct wh_error *err)
{
	struct codec_coder *coder = NULL;
	struct chunk_reader *bases = NULL;
	enum wh_status status = codec_coder_new(&coder, err);

	if (!status)
		status = chunk_reader_new(commit->store->db, NULL, &bases, err);
	if (!status)
		status = code_all(commit, coder, bases, err);
	codec_coder_free(coder);
	chunk_reader_free(bases);
	return status;
}

static enum wh_status report(const struct commit *commit, struct wh_error *err)
{
	const struct wh_commit_options *options = commit->options;
	uint64_t nbytes = commit->small->n_bytes;

	if (!options->progress ||
	    options->progress(options->arg, "storing", nbytes, nbytes))
		return WH_OK;
	return wh_fail(err, WH_ECANCELLED, "cancelled");
}

static enum wh_status make_room(struct commit *commit, uint64_t n_bytes,
				uint32_t n_chunks, struct wh_error *err)
{
	struct small_chunks *small = calloc(1, sizeof(*small));

	commit->small = small;
	if (!small)
		return wh_fail_memory(err);
	small->bytes = malloc((size_t)n_bytes + 1);
	small->chunks = calloc((size_t)n_chunks + 1, sizeof(*small->chunks));
	small->origins = calloc((size_t)n_chunks + 1, sizeof(*small->origins));
	return small->bytes && small->chunks && small->origins
		       ? WH_OK
		       : wh_fail_memory(err);
}

enum wh_status commit_code_small(struct commit *commit, struct item **todo,
				 uint32_t *n_todo, struct wh_error *err)
{
	uint32_t i, n_chunks = 0;
	uint64_t n_bytes;

	commit_free_small(commit);
	n_bytes = choose_small(todo, n_todo, &n_chunks);
	WH_TRY(make_room(commit, n_bytes, n_chunks, err));
	for (i = 0; i < commit->n_items; i++)
		if (commit->items[i].waits)
			WH_TRY(read_item(commit->small, &commit->items[i],
					 err));
	if (commit->small->n == 0)
		return WH_OK;
	WH_TRY(code(commit, err));
	return report(commit, err);
}

/* ---- Put ------------------------------------------------------------------
 */

static enum wh_status reserve(struct commit *commit, struct wh_error *err)
{
	int64_t next;
	uint32_t i;

	WH_TRY(storage_reserve(commit->store->db, commit->small->n_items, &next,
			       err));
	for (i = 0; i < commit->n_items; i++)
		if (commit->items[i].waits)
			commit->items[i].storage = next++;
	return WH_OK;
}

/* Its chunks begin at `*at`. */
static enum wh_status make_row(struct commit *commit, struct item *item,
			       uint32_t *at, struct storage *row, bool *lost,
			       struct wh_error *err)
{
	struct small_chunks *small = commit->small;
	struct coded_sum sum = {0};

	for (; *at < small->n && small->origins[*at].item == item; ++*at) {
		small->chunks[*at].storage = item->storage;
		sum.stored += small->chunks[*at].size;
		sum.uses_base |= small->origins[*at].uses_base;
		sum.uses_context |= small->origins[*at].uses_context;
	}
	commit->small_stored += sum.stored;
	return commit_make_storage(commit->store->db, item, &sum, row, lost,
				   err);
}

/* One row for each item that waits. */
static enum wh_status make_rows(struct commit *commit, struct storage *rows,
				bool *lost, struct wh_error *err)
{
	uint32_t i, at = 0, n = 0;

	WH_TRY(reserve(commit, err));
	for (i = 0; i < commit->n_items && !*lost; i++)
		if (commit->items[i].waits)
			WH_TRY(make_row(commit, &commit->items[i], &at,
					&rows[n++], lost, err));
	return WH_OK;
}

/* Triggers make SQLite copy the rows of a statement first. */
static enum wh_status put_chunks(struct commit *commit, bool trusted,
				 struct wh_error *err)
{
	const struct small_chunks *small = commit->small;
	struct db *db = commit->store->db;
	uint32_t i;

	if (trusted)
		return chunk_put_all(db, small->chunks, small->n, err);
	for (i = 0; i < small->n; i++)
		WH_TRY(chunk_put(db, &small->chunks[i], err));
	return WH_OK;
}

enum wh_status commit_put_small(struct commit *commit, bool trusted,
				bool *again, struct wh_error *err)
{
	struct storage *rows wh_free_auto = NULL;

	commit->small_stored = 0;
	if (!commit->small->n_items)
		return WH_OK;
	rows = calloc(commit->small->n_items, sizeof(*rows));
	if (!rows)
		return wh_fail_memory(err);
	WH_TRY(make_rows(commit, rows, again, err));
	commit->n_lost += *again;
	if (*again)
		return WH_OK;
	WH_TRY(put_chunks(commit, trusted, err));
	return storage_insert(commit->store->db, rows, commit->small->n_items,
			      err);
}
