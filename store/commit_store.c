/* Payloads that the store lacks, as chunks that nothing names yet.
 *
 * One thread reads and weighs or checks, one codes, and the caller's inserts:
 * SQLite is given one writer, and the others' work overlaps with it. The chunks
 * go in through transactions of at most 250 ms, so that other writers get their
 * turns.
 *
 * The coder reads the chunks of bases through the caller's own connection: a
 * second one would wait for the very transaction that waits for the coder.
 * `turn` is held by whoever uses the connection.
 */
#include "commit.h"

#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/clock.h"
#include "base/crc.h"
#include "chunk.h"
#include "chunk_reader.h"
#include "core/scale.h"
#include "storage.h"
#include "tensor.h"

#define RING	      5 /* chunks under way: 2 x 5 MiB at most */
#define TURN_MS	      250
#define PROGRESS_EACH ((uint64_t)8 << 20)

struct slot {
	struct chunk chunk;
	uint8_t *raw;	     /* 1 MiB */
	struct wh_buf coded; /* if it isn't raw */
	struct item *item;
	bool last; /* chunk of its item */
	bool uses_base, uses_context;
};

enum stage { READ, CODE, INSERT, N_STAGES };

struct pipeline {
	struct commit *commit;
	struct item **todo;
	uint32_t n_todo;
	struct slot slots[RING];
	unsigned passed[N_STAGES]; /* slots, by each stage; count up */
	bool ended[N_STAGES];	   /* will pass no more */
	bool stopped;		   /* by the caller, or a failure */
	pthread_mutex_t lock;
	pthread_cond_t moved;
	struct wh_error failure; /* the first one, of a helper */
	pthread_mutex_t turn;	 /* of the store's connection */
};

/* What the coder works with. */
struct tools {
	struct codec_coder *coder;
	struct chunk_reader *bases;
};

/* ---- From stage to stage ---------------------------------------------------
 */

/* The next slot that the stage before has passed on, or, to read into, that is
 * free again; NULL: there will be none. */
static struct slot *wait_for_slot(struct pipeline *line, enum stage stage)
{
	unsigned *passed = line->passed;
	struct slot *slot = NULL;

	pthread_mutex_lock(&line->lock);
	if (stage == READ)
		while (!line->stopped && passed[READ] - passed[INSERT] == RING)
			pthread_cond_wait(&line->moved, &line->lock);
	else
		/* One that is stopped ends. */
		while (!line->ended[stage - 1] &&
		       passed[stage] == passed[stage - 1])
			pthread_cond_wait(&line->moved, &line->lock);
	if (!line->stopped &&
	    (stage == READ || passed[stage] != passed[stage - 1]))
		slot = &line->slots[passed[stage] % RING];
	pthread_mutex_unlock(&line->lock);
	return slot;
}

static bool codes(const struct pipeline *line)
{
	return line->commit->effort != CODEC_NONE;
}

/* Where nothing is coded the reader stands for the coder, too. */
static void pass_on(struct pipeline *line, enum stage stage)
{
	pthread_mutex_lock(&line->lock);
	line->passed[stage]++;
	if (stage == READ && !codes(line))
		line->passed[CODE]++;
	pthread_cond_broadcast(&line->moved);
	pthread_mutex_unlock(&line->lock);
}

static void end_stage(struct pipeline *line, enum stage stage,
		      enum wh_status status, const struct wh_error *err)
{
	pthread_mutex_lock(&line->lock);
	if (status && !line->failure.status)
		line->failure = *err;
	line->stopped |= status != WH_OK;
	line->ended[stage] = true;
	if (!codes(line))
		line->ended[CODE] = true;
	pthread_cond_broadcast(&line->moved);
	pthread_mutex_unlock(&line->lock);
}

/* ---- The coder ------------------------------------------------------------
 */

/* gc may be taking the base: then this chunk is coded without it. A base that
 * is there and can't be read is damaged. */
static enum wh_status find_reference(struct slot *slot,
				     const struct tools *tools, struct db *db,
				     pthread_mutex_t *turn,
				     struct codec_reference *reference,
				     struct wh_error *err)
{
	enum wh_status status, asked;
	bool there;

	status = chunk_reader_reference(tools->bases, slot->item->base,
					slot->chunk.position, reference, err);
	if (!status)
		return WH_OK;
	pthread_mutex_lock(turn);
	asked = commit_base_is_there(db, slot->item, &there, NULL);
	pthread_mutex_unlock(turn);
	if (asked || there)
		return status;
	memset(reference, 0, sizeof(*reference));
	return WH_OK;
}

/* The slot takes the coder's memory for its own, unless the chunk stays raw. */
static enum wh_status code_chunk(struct pipeline *line, struct slot *slot,
				 const struct tools *tools,
				 struct wh_error *err)
{
	struct commit *commit = line->commit;
	struct chunk *chunk = &slot->chunk;
	struct codec_input input = {
		.bytes = slot->raw,
		.size = chunk->raw_size,
		.element = codec_element_of(item_tensor(slot->item)->dtype),
		.effort = commit->effort,
	};
	struct codec_output coded;

	if (slot->item->base)
		WH_TRY(find_reference(slot, tools, commit->store->db,
				      &line->turn, &input.reference, err));
	WH_TRY(codec_encode(tools->coder, &input, &coded, err));
	chunk->codec = coded.codec;
	chunk->size = coded.size;
	chunk->bytes = coded.bytes;
	slot->uses_base = coded.uses_base;
	slot->uses_context = coded.uses_context;
	if (coded.bytes != slot->raw)
		codec_take(tools->coder, &slot->coded);
	return WH_OK;
}

static enum wh_status code_all(struct pipeline *line, struct tools *tools,
			       struct wh_error *err)
{
	struct slot *slot;

	WH_TRY(codec_coder_new(&tools->coder, err));
	WH_TRY(chunk_reader_new(line->commit->store->db, &line->turn,
				&tools->bases, err));
	while ((slot = wait_for_slot(line, CODE))) {
		WH_TRY(code_chunk(line, slot, tools, err));
		pass_on(line, CODE);
	}
	return WH_OK;
}

static void *run_coder(void *arg)
{
	struct pipeline *line = arg;
	struct tools tools = {0};
	struct wh_error err = {0};
	enum wh_status status = code_all(line, &tools, &err);

	codec_coder_free(tools.coder);
	chunk_reader_free(tools.bases);
	end_stage(line, CODE, status, &err);
	return NULL;
}

/* ---- The reader: read, and weigh or check ---------------------------------
 */

static enum wh_status fill_slot(struct slot *slot, struct item *item,
				uint64_t offset, struct scale *scale,
				struct wh_error *err)
{
	const struct wh_tensor *tensor = item_tensor(item);
	uint64_t left = tensor->nbytes - offset;
	size_t size = (size_t)(left < CHUNK_SIZE ? left : CHUNK_SIZE);

	WH_TRY(wh_source_read(item->source, item->index, offset, slot->raw,
			      size, err));
	slot->item = item;
	slot->last = size == left;
	slot->uses_base = slot->uses_context = false;
	slot->chunk = (struct chunk){
		.storage = item->storage,
		.position = (uint32_t)(offset / CHUNK_SIZE),
		.codec = CODEC_RAW,
		.raw_size = size,
		.size = size,
		.bytes = slot->raw,
	};
	if (!item->eager && !item->half) {
		slot->chunk.crc32c = crc32c_update(0, slot->raw, size);
		return WH_OK;
	}
	WH_TRY(scale_add(scale, slot->raw, size, err));
	slot->chunk.crc32c = scale_chunk_crc32c(scale);
	return slot->last ? scale_finish(scale, err) : WH_OK;
}

static enum wh_status feed_item(struct pipeline *line, struct item *item,
				struct scale *scale, struct wh_error *err)
{
	struct wh_tensor *tensor = &item->source->manifest.tensors[item->index];
	uint64_t offset;
	uint32_t crc = 0;

	if (item->eager || item->half)
		WH_TRY(scale_begin(scale, tensor, commit_needs(), err));
	for (offset = 0; offset < tensor->nbytes; offset += CHUNK_SIZE) {
		struct slot *slot = wait_for_slot(line, READ);

		if (!slot)
			return WH_OK;
		WH_TRY(fill_slot(slot, item, offset, scale, err));
		crc = crc32c_combine(crc, slot->chunk.crc32c,
				     slot->chunk.raw_size);
		if (slot->last && crc != tensor->crc32c)
			return wh_fail(err, WH_EMISMATCH,
				       "tensor '%s' changed while it was read",
				       tensor->key);
		pass_on(line, READ);
	}
	return WH_OK;
}

static enum wh_status feed_all(struct pipeline *line, struct scale **scale,
			       struct wh_error *err)
{
	uint32_t i;

	WH_TRY(scale_new(scale, err));
	for (i = 0; i < line->n_todo; i++)
		WH_TRY(feed_item(line, line->todo[i], *scale, err));
	return WH_OK;
}

static void *run_reader(void *arg)
{
	struct pipeline *line = arg;
	struct scale *scale = NULL;
	struct wh_error err = {0};
	enum wh_status status = feed_all(line, &scale, &err);

	scale_free(scale);
	end_stage(line, READ, status, &err);
	return NULL;
}

/* ---- The caller: insert -----------------------------------------------------
 */

/* NULL at the end, or with a turn's end `until` then: a source that is slow,
 * or that reads from this very store, must not find it held against it. */
static struct slot *wait_to_insert(struct pipeline *line,
				   const struct timespec *until)
{
	struct slot *slot = NULL;
	int code = 0;

	pthread_mutex_lock(&line->lock);
	while (!line->ended[CODE] &&
	       line->passed[INSERT] == line->passed[CODE] && code != ETIMEDOUT)
		code = until ? pthread_cond_timedwait(&line->moved, &line->lock,
						      until)
			     : pthread_cond_wait(&line->moved, &line->lock);
	if (line->passed[INSERT] != line->passed[CODE])
		slot = &line->slots[line->passed[INSERT] % RING];
	pthread_mutex_unlock(&line->lock);
	return slot;
}

struct inserter {
	struct pipeline *line;
	struct coded_sum sum; /* of the item under way */
	uint64_t done, reported, total;
};

/* A tensor of which no chunk uses its base has none: it begins a chain. */
enum wh_status commit_make_storage(struct db *db, const struct item *item,
				   const struct coded_sum *sum,
				   struct storage *storage, bool *lost,
				   struct wh_error *err)
{
	struct storage base;
	bool there;

	*storage = (struct storage){.id = item->storage,
				    .nbytes = item_tensor(item)->nbytes,
				    .stored_bytes = sum->stored};
	*lost = false;
	if (sum->uses_base) {
		WH_TRY(commit_base_is_there(db, item, &there, err));
		if (!there) {
			*lost = true;
			return WH_OK;
		}
		/* From here on the row keeps it. */
		WH_TRY(storage_get(db, item->base, &base, err));
		storage->base = item->base;
		storage->generation = item->generation;
		storage->context = sum->uses_context ? base.base : 0;
	}
	return WH_OK;
}

/* Its chunks are of no use without their base; commit_store stores it anew. */
static enum wh_status lose(struct commit *commit, struct item *item,
			   struct wh_error *err)
{
	WH_TRY(commit_take_back(commit->store->db, item->storage, err));
	item->storage = 0;
	commit->lost = true;
	return WH_OK;
}

static enum wh_status end_item(struct inserter *to, struct db *db,
			       struct item *item, struct wh_error *err)
{
	struct commit *commit = to->line->commit;
	bool known = false, lost = false;
	struct storage storage;

	if (item->eager)
		WH_TRY(commit_settle(commit, item, &known, err));
	item->eager = false;
	if (!known)
		WH_TRY(commit_make_storage(db, item, &to->sum, &storage, &lost,
					   err));
	item->stored = !known && !lost;
	if (item->stored)
		return storage_insert(db, &storage, 1, err);
	commit->result.stored_bytes -= to->sum.stored;
	return known ? WH_OK : lose(commit, item, err);
}

static enum wh_status insert_slot(struct inserter *to, struct db *db,
				  struct slot *slot, struct wh_error *err)
{
	WH_TRY(chunk_put(db, &slot->chunk, err));
	db_write_behind(db);
	to->sum.stored += slot->chunk.size;
	to->sum.uses_base |= slot->uses_base;
	to->sum.uses_context |= slot->uses_context;
	to->done += slot->chunk.raw_size;
	to->line->commit->result.stored_bytes += slot->chunk.size;
	if (!slot->last)
		return WH_OK;
	WH_TRY(end_item(to, db, slot->item, err));
	to->sum = (struct coded_sum){0};
	return WH_OK;
}

static enum wh_status report(struct inserter *to, struct wh_error *err)
{
	const struct wh_commit_options *options = to->line->commit->options;

	if (!options->progress ||
	    (to->done - to->reported < PROGRESS_EACH && to->done < to->total))
		return WH_OK;
	to->reported = to->done;
	if (options->progress(options->arg, "storing", to->done, to->total))
		return WH_OK;
	return wh_fail(err, WH_ECANCELLED, "cancelled");
}

/* Lets the coder at the connection while there is nothing to insert. */
static struct slot *next_slot(struct pipeline *line, int64_t until_ms)
{
	const struct timespec until = {
		.tv_sec = (time_t)(until_ms / 1000),
		.tv_nsec = (long)(until_ms % 1000) * 1000000,
	};
	struct slot *slot;

	pthread_mutex_unlock(&line->turn);
	slot = wait_to_insert(line, &until);
	pthread_mutex_lock(&line->turn);
	return slot;
}

/* One turn at the lock: chunks until the time is up or there are no more. */
static enum wh_status use_turn(struct inserter *to, struct slot *slot,
			       struct wh_error *err)
{
	struct db *db = to->line->commit->store->db;
	AUTO_TRANSACTION tx = {0};
	int64_t until;

	WH_TRY(transaction_begin(&tx, db, err));
	until = clock_ms() + TURN_MS;
	while (slot) {
		WH_TRY(insert_slot(to, db, slot, err));
		pass_on(to->line, INSERT);
		WH_TRY(report(to, err));
		slot = clock_ms() < until ? next_slot(to->line, until) : NULL;
	}
	return transaction_commit(&tx, err);
}

static enum wh_status take_turn(struct inserter *to, struct slot *slot,
				struct wh_error *err)
{
	enum wh_status status;

	pthread_mutex_lock(&to->line->turn);
	status = use_turn(to, slot, err);
	pthread_mutex_unlock(&to->line->turn);
	return status;
}

static enum wh_status insert_all(struct pipeline *line, struct wh_error *err)
{
	struct inserter to = {.line = line};
	struct slot *slot;
	uint32_t i;

	for (i = 0; i < line->n_todo; i++)
		to.total += item_tensor(line->todo[i])->nbytes;
	while ((slot = wait_to_insert(line, NULL)) != NULL)
		WH_TRY(take_turn(&to, slot, err));
	if (!line->failure.status)
		return WH_OK;
	if (err)
		*err = line->failure;
	return line->failure.status;
}

/* ---- Which, and under which ids
 * ---------------------------------------------- */

/* Items that have a place in it already: open addressing, by digest. */
struct item_set {
	struct item **slots;
	size_t mask; /* slots are a power of two */
};

static bool set_add(struct item_set *set, struct item *item)
{
	uint64_t hash;
	size_t at;

	memcpy(&hash, item_tensor(item)->sha256, sizeof(hash));
	for (at = (size_t)hash & set->mask; set->slots[at];
	     at = (at + 1) & set->mask)
		if (item_is_same(set->slots[at], item))
			return false;
	set->slots[at] = item;
	return true;
}

static enum wh_status set_new(struct item_set *set, uint32_t n,
			      struct wh_error *err)
{
	set->mask = 15;
	while (set->mask < (size_t)n * 2)
		set->mask = set->mask * 2 + 1;
	set->slots = calloc(set->mask + 1, sizeof(struct item *));
	return set->slots ? WH_OK : wh_fail_memory(err);
}

/* The same payload under several names is stored once: the first item of an
 * identity gets a storage, the others find its row when they are published. */
static uint32_t list_new(struct commit *commit, struct item_set *seen,
			 struct item **todo)
{
	uint32_t i, n = 0;

	/* What an earlier round has stored is there, as are its doubles. */
	for (i = 0; i < commit->n_items; i++)
		if (commit->items[i].stored)
			set_add(seen, &commit->items[i]);
	for (i = 0; i < commit->n_items; i++) {
		struct item *item = &commit->items[i];

		/* Ids of a transaction that came to nothing. */
		if (item->waits)
			item->storage = 0;
		item->waits = false;
		if (!item->id && (item->eager || set_add(seen, item)))
			todo[n++] = item;
	}
	return n;
}

static enum wh_status choose_items(struct commit *commit, struct item **todo,
				   uint32_t *n_todo, struct wh_error *err)
{
	struct item_set seen;

	WH_TRY(set_new(&seen, commit->n_items, err));
	*n_todo = list_new(commit, &seen, todo);
	free(seen.slots);
	return WH_OK;
}

/* Ids are durable before a chunk uses one, and never used again. */
static enum wh_status reserve(struct commit *commit, struct item **todo,
			      uint32_t n, struct wh_error *err)
{
	struct db *db = commit->store->db;
	AUTO_TRANSACTION tx = {0};
	int64_t next;
	uint32_t i;

	WH_TRY(transaction_begin(&tx, db, err));
	WH_TRY(storage_reserve(db, n, &next, err));
	for (i = 0; i < n; i++)
		todo[i]->storage = next + i;
	WH_TRY(lease_take(db, &commit->lease, next, next + n, err));
	return transaction_commit(&tx, err);
}

static enum wh_status open_ring(struct pipeline *line, struct wh_error *err)
{
	int i;

	for (i = 0; i < RING; i++) {
		line->slots[i].raw = malloc((size_t)CHUNK_SIZE);
		if (!line->slots[i].raw)
			return wh_fail_memory(err);
	}
	return WH_OK;
}

static void close_ring(struct pipeline *line)
{
	int i;

	for (i = 0; i < RING; i++) {
		free(line->slots[i].raw);
		wh_buf_free(&line->slots[i].coded);
	}
}

static void stop(struct pipeline *line)
{
	pthread_mutex_lock(&line->lock);
	line->stopped = true;
	pthread_cond_broadcast(&line->moved);
	pthread_mutex_unlock(&line->lock);
}

static enum wh_status run_pipeline(struct pipeline *line, struct wh_error *err)
{
	static void *(*const helpers[])(void *) = {run_reader, run_coder};
	unsigned n = codes(line) ? 2 : 1, n_started = 0;
	enum wh_status status;
	pthread_t threads[2];

	while (n_started < n && pthread_create(&threads[n_started], NULL,
					       helpers[n_started], line) == 0)
		n_started++;
	status = n_started == n ? insert_all(line, err) : wh_fail_memory(err);
	stop(line);
	while (n_started)
		pthread_join(threads[--n_started], NULL);
	return status;
}

/* Its time is that of clock_ms. */
static void init_condition(pthread_cond_t *condition)
{
	pthread_condattr_t how;

	pthread_condattr_init(&how);
	pthread_condattr_setclock(&how, CLOCK_MONOTONIC);
	pthread_cond_init(condition, &how);
	pthread_condattr_destroy(&how);
}

static enum wh_status store_large(struct pipeline *line, struct wh_error *err)
{
	enum wh_status status;

	WH_TRY(reserve(line->commit, line->todo, line->n_todo, err));
	WH_TRY(open_ring(line, err));
	pthread_mutex_init(&line->lock, NULL);
	init_condition(&line->moved);
	pthread_mutex_init(&line->turn, NULL);
	status = run_pipeline(line, err);
	pthread_cond_destroy(&line->moved);
	pthread_mutex_destroy(&line->turn);
	pthread_mutex_destroy(&line->lock);
	return status;
}

static enum wh_status store_new(struct commit *commit, struct wh_error *err)
{
	struct pipeline line = {.commit = commit};
	enum wh_status status;

	line.todo = calloc(commit->n_items + 1, sizeof(struct item *));
	if (!line.todo)
		return wh_fail_memory(err);
	status = choose_items(commit, line.todo, &line.n_todo, err);
	if (!status)
		status = commit_choose_bases(commit, line.todo, line.n_todo,
					     err);
	if (!status)
		status =
			commit_code_small(commit, line.todo, &line.n_todo, err);
	if (!status && line.n_todo)
		status = store_large(&line, err);
	close_ring(&line);
	free(line.todo);
	return status;
}

/* Rounds end: after a few with losses nothing is coded against a base. */
enum wh_status commit_store(struct commit *commit, struct wh_error *err)
{
	do {
		commit->lost = false;
		WH_TRY(store_new(commit, err));
		commit->n_lost += commit->lost;
	} while (commit->lost);
	return WH_OK;
}
