/* gc --deep: old history, coded more densely.
 *
 * Weights are walked version by version along the lines of snapshots, oldest
 * first, so that what a tensor may be coded against has been looked at before
 * it. A tensor moves (recode.h) where that saves something, and wherever its
 * old chain names a storage that is only kept as a base: one that this run has
 * replaced, or one whose own tensor is gone. So no base stays behind for one
 * dependant alone. Identities are of the payloads and stay as they are.
 *
 * Each tensor is a matter of its own: ended anywhere, all is as readable as
 * before. Memory is that of a chunk and its bases.
 */
#include "gc.h"

#include <string.h>

#include "chunk_reader.h"
#include "former_names.h"
#include "lineage.h"
#include "mark.h"
#include "recode.h"
#include "storage.h"

#define BATCH	   256 /* changes; the query's LIMIT */
#define GAIN	   3u  /* percent, below which nothing moves */
#define MAX_PASSES 4

struct deep {
	struct gc *gc;
	struct recoder *recoder;
	struct chunk_reader *reader;
	enum codec_effort effort;
	struct bitmap seen; /* tensors of this pass */
	struct former_names names;
	bool first_pass;
	uint64_t n_moved; /* in this pass */
	uint64_t done, total;
};

/* A weight's tensor from a place of a line on. */
struct change {
	int64_t weight, line, generation, tensor, snapshot;
};

/* ---- What a tensor may be coded against ------------------------------------
 */

/* Of one weight, in one line. */
static bool is_beside(const struct change *a, const struct change *b)
{
	return a->weight == b->weight && a->line == b->line;
}

static enum wh_status version_of(struct deep *deep, int64_t weight,
				 const struct change *before, int64_t *tensor,
				 struct wh_error *err)
{
	const struct lineage_range range = {before->line,
					    before->generation - 1};

	return lineage_version(deep->gc->db, weight, range, tensor, err);
}

/* 0: there is none. Where a line begins it is in the one that it left; where a
 * weight begins it may have had another name, and where it comes back `latest`
 * is what it had in this line. */
static enum wh_status version_before(struct deep *deep,
				     const struct change *change,
				     const struct change *last, int64_t latest,
				     int64_t *tensor, struct wh_error *err)
{
	int64_t former;

	*tensor = last->tensor;
	if (!is_beside(change, last))
		WH_TRY(version_of(deep, change->weight, change, tensor, err));
	if (*tensor || !change->tensor)
		return WH_OK;
	WH_TRY(former_name(deep->gc->db, &deep->names, change->weight,
			   change->snapshot, &former, err));
	if (former)
		return version_of(deep, former, change, tensor, err);
	*tensor = latest;
	return WH_OK;
}

/* Never a chain that leads through the tensor's own storage, which would have
 * to stay for it. */
static enum wh_status choose_base(struct deep *deep,
				  const struct recode_tensor *previous,
				  struct recode_request *request,
				  struct wh_error *err)
{
	struct storage_chain chain;
	unsigned link, generation, k;

	WH_TRY(storage_chain_get(deep->gc->db, previous->storage, &chain, err));
	if (!storage_next_base(&chain, deep->effort == CODEC_DENSE, &link,
			       &generation))
		return WH_OK;
	for (k = link; k < chain.n; k++)
		if (chain.links[k].id == request->tensor.storage)
			return WH_OK;
	request->base = chain.links[link].id;
	request->generation = generation;
	return WH_OK;
}

/* The version before, whatever it is like: chunks that it doesn't help are
 * coded without it. */
static enum wh_status find_base(struct deep *deep, int64_t previous,
				struct recode_request *request,
				struct wh_error *err)
{
	struct recode_tensor tensor;
	bool there;

	WH_TRY(recode_tensor_get(deep->gc->db, previous, &tensor, &there, err));
	return there ? choose_base(deep, &tensor, request, err) : WH_OK;
}

/* ---- One tensor ------------------------------------------------------------
 */

/* Whether its chain holds on to something that is no tensor's any more. */
static enum wh_status holds_on(struct deep *deep, int64_t storage, bool *yes,
			       struct wh_error *err)
{
	struct storage_chain chain;
	struct stmt *stmt;
	unsigned i;

	*yes = false;
	WH_TRY(storage_chain_get(deep->gc->db, storage, &chain, err));
	for (i = 1; i < chain.n && !*yes; i++) {
		WH_TRY(db_stmt(deep->gc->db, STMT_DEEP_NAMED, &stmt, err));
		stmt_integer(stmt, 1, chain.links[i].id);
		WH_TRY(step_row(stmt, err));
		*yes = column_integer(stmt, 0) == 0;
		stmt_reset(stmt);
	}
	return WH_OK;
}

static enum wh_status report(struct deep *deep, struct wh_error *err)
{
	const struct wh_gc_options *options = deep->gc->options;

	if (!options->progress || options->progress(options->arg, "recoding",
						    deep->done, deep->total))
		return WH_OK;
	return wh_fail(err, WH_ECANCELLED, "cancelled");
}

struct reading {
	struct deep *deep;
	int64_t storage;
};

static enum wh_status read_payload(void *arg, uint64_t offset, void *buf,
				   size_t len, struct wh_error *err)
{
	struct reading *reading = arg;

	WH_TRY(report(reading->deep, err));
	return chunk_reader_read(reading->deep->reader, reading->storage,
				 (uint32_t)(offset / CHUNK_SIZE), buf, len,
				 err);
}

static enum wh_status stored_bytes(struct db *db, int64_t storage,
				   uint64_t *nbytes, struct wh_error *err)
{
	struct stmt *stmt;

	WH_TRY(db_stmt(db, STMT_MARK_STORAGE, &stmt, err));
	stmt_integer(stmt, 1, storage);
	WH_TRY(step_row(stmt, err));
	*nbytes = (uint64_t)column_integer(stmt, 2);
	stmt_reset(stmt);
	return WH_OK;
}

static void note_move(struct deep *deep, uint64_t before, uint64_t after)
{
	struct wh_gc_result *result = &deep->gc->result;

	result->n_recoded++;
	result->recoded_before += before;
	result->recoded_after += after;
	deep->n_moved++;
}

/* What is damaged stays for verify; what a commit or gc has taken in between
 * is tried another time. */
static bool is_passed_over(enum wh_status status)
{
	return status == WH_ECORRUPT || status == WH_EUNSUPPORTED ||
	       status == WH_EBUSY;
}

/* At least a byte less, else small tensors would move each time. */
static uint64_t less_gain(uint64_t nbytes)
{
	return nbytes - (nbytes * GAIN + 99) / 100;
}

static enum wh_status move_tensor(struct deep *deep,
				  struct recode_request *request,
				  int64_t previous, struct wh_error *err)
{
	struct reading reading = {.deep = deep,
				  .storage = request->tensor.storage};
	uint64_t before, after = 0;
	int64_t storage = 0;
	bool held;

	WH_TRY(holds_on(deep, reading.storage, &held, err));
	WH_TRY(stored_bytes(deep->gc->db, reading.storage, &before, err));
	if (!held && (before == 0 || !deep->first_pass))
		return WH_OK;
	WH_TRY(find_base(deep, previous, request, err));
	request->effort = deep->effort;
	request->limit = held ? UINT64_MAX : less_gain(before);
	request->count_only = deep->gc->options->dry_run;
	request->read = read_payload;
	request->arg = &reading;
	WH_TRY(recode(deep->recoder, request, &storage, &after, err));
	/* A dry run counts what fits. */
	if (request->count_only ? after <= request->limit : storage != 0)
		note_move(deep, before, after);
	return WH_OK;
}

static enum wh_status look_at(struct deep *deep, int64_t tensor,
			      int64_t previous, struct wh_error *err)
{
	struct recode_request request = {.count_only = false};
	struct wh_error found = {0};
	enum wh_status status;
	bool was, there;

	WH_TRY(bitmap_set(&deep->seen, tensor, &was, err));
	if (was)
		return WH_OK;
	WH_TRY(recode_tensor_get(deep->gc->db, tensor, &request.tensor, &there,
				 err));
	if (!there)
		return WH_OK;
	status = move_tensor(deep, &request, previous, &found);
	if (deep->first_pass)
		deep->done += request.tensor.nbytes;
	if (status && !is_passed_over(status)) {
		if (err)
			*err = found;
		return status;
	}
	return report(deep, err);
}

/* ---- Along the weights -----------------------------------------------------
 */

static enum wh_status changes_after(struct db *db, const struct change *last,
				    struct change batch[BATCH], size_t *n,
				    struct wh_error *err)
{
	AUTO_STMT *stmt = NULL;
	bool row;

	*n = 0;
	WH_TRY(db_stmt(db, STMT_DEEP_CHANGES, &stmt, err));
	stmt_integer(stmt, 1, last->weight);
	stmt_integer(stmt, 2, last->line);
	stmt_integer(stmt, 3, last->generation);
	while (*n < BATCH) {
		WH_TRY(stmt_step(stmt, &row, err));
		if (!row)
			break;
		batch[(*n)++] = (struct change){
			.weight = column_integer(stmt, 0),
			.line = column_integer(stmt, 1),
			.generation = column_integer(stmt, 2),
			.tensor = column_integer(stmt, 3),
			.snapshot = column_integer(stmt, 4),
		};
	}
	return WH_OK;
}

static enum wh_status walk(struct deep *deep, struct wh_error *err)
{
	struct change batch[BATCH], last = {.weight = 0};
	int64_t latest = 0;
	size_t n, i;

	do {
		WH_TRY(changes_after(deep->gc->db, &last, batch, &n, err));
		for (i = 0; i < n; i++) {
			const struct change *change = &batch[i];
			int64_t previous;

			if (!is_beside(change, &last))
				latest = 0;
			WH_TRY(version_before(deep, change, &last, latest,
					      &previous, err));
			if (change->tensor)
				WH_TRY(look_at(deep, change->tensor, previous,
					       err));
			latest = change->tensor ? change->tensor : latest;
			last = *change;
		}
	} while (n);
	return WH_OK;
}

static enum wh_status walk_until_nothing_moves(struct deep *deep,
					       struct wh_error *err)
{
	int pass;

	for (pass = 0; pass < MAX_PASSES; pass++) {
		deep->first_pass = pass == 0;
		deep->n_moved = 0;
		bitmap_free(&deep->seen);
		WH_TRY(walk(deep, err));
		if (!deep->n_moved || deep->gc->options->dry_run)
			break;
	}
	return WH_OK;
}

/* ---- The whole -------------------------------------------------------------
 */

/* A commit under way may have chosen a base that was replaced meanwhile: what
 * this leaves goes with the next gc. */
static enum wh_status anyone_commits(struct db *db, bool *yes,
				     struct wh_error *err)
{
	AUTO_STMT *stmt = NULL;

	WH_TRY(db_stmt(db, STMT_LEASE_NEXT, &stmt, err));
	stmt_integer(stmt, 1, 0);
	return stmt_step(stmt, yes, err);
}

static enum wh_status choose_effort(struct deep *deep, struct wh_error *err)
{
	const char *name = deep->gc->options->codec;

	deep->effort = CODEC_DENSE;
	if (!name || (codec_effort_of(name, &deep->effort) &&
		      deep->effort != CODEC_NONE))
		return WH_OK;
	return wh_fail(err, WH_EINVAL,
		       "old history can't be recoded by '%s', only by fast or "
		       "dense",
		       name);
}

static enum wh_status run(struct deep *deep, struct wh_error *err)
{
	struct db *db = deep->gc->db;
	struct stmt *stmt;
	bool busy;

	WH_TRY(choose_effort(deep, err));
	WH_TRY(recoder_new(db, &deep->recoder, err));
	WH_TRY(chunk_reader_new(db, NULL, &deep->reader, err));
	WH_TRY(db_stmt(db, STMT_USAGE_TOTAL, &stmt, err));
	WH_TRY(step_row(stmt, err));
	deep->total = (uint64_t)column_integer(stmt, 0);
	stmt_reset(stmt);
	WH_TRY(walk_until_nothing_moves(deep, err));
	if (deep->gc->options->dry_run)
		return WH_OK;
	WH_TRY(anyone_commits(db, &busy, err));
	return busy ? WH_OK : gc_sweep_storages(deep->gc, err);
}

enum wh_status gc_deepen(struct gc *gc, struct wh_error *err)
{
	struct deep deep = {.gc = gc};
	enum wh_status status = run(&deep, err);

	recoder_free(deep.recoder);
	chunk_reader_free(deep.reader);
	bitmap_free(&deep.seen);
	former_names_free(&deep.names);
	return status;
}
