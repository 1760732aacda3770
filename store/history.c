#include <weighhouse/history.h>

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/arena.h"
#include "base/array.h"
#include "base/text.h"
#include "lineage.h"
#include "snapshot.h"
#include "store.h"

#define MAX_PATH 8300 /* layer, '/', weight */

struct weight {
	int64_t id;
	const char *layer, *name;
};

struct history {
	struct db *db;
	const struct wh_history_options *options;
	struct arena arena; /* of the weights */
	struct weight *weights;
	size_t n_weights, room;
	struct lineage_range newest;
	wh_weight_change_fn *fn;
	void *arg;
	bool stopped;
};

/* ---- Weights ---------------------------------------------------------------
 */

static bool matches(const struct history *history, const char *layer,
		    const char *name)
{
	const char *const *glob = history->options->globs;
	char path[MAX_PATH];

	if (!glob || !*glob)
		return true;
	snprintf(path, sizeof(path), "%s/%s", layer, name);
	for (; *glob; glob++)
		if (text_glob(*glob, path) || text_glob(*glob, layer) ||
		    text_glob(*glob, name))
			return true;
	return false;
}

static enum wh_status add_weight(struct history *history, struct stmt *stmt,
				 struct wh_error *err)
{
	struct weight *weight;

	WH_TRY(array_grow(&history->weights, history->n_weights, &history->room,
			  sizeof(*history->weights), err));
	weight = &history->weights[history->n_weights++];
	weight->id = column_integer(stmt, 0);
	weight->layer = column_copy(stmt, 1, &history->arena);
	weight->name = column_copy(stmt, 2, &history->arena);
	return weight->layer && weight->name ? WH_OK : wh_fail_memory(err);
}

static enum wh_status find_weights(struct history *history,
				   struct wh_error *err)
{
	AUTO_STMT *stmt = NULL;
	bool row;

	WH_TRY(db_stmt(history->db, STMT_WEIGHT_LIST, &stmt, err));
	for (;;) {
		WH_TRY(stmt_step(stmt, &row, err));
		if (!row)
			break;
		if (matches(history, column_text_or_empty(stmt, 1),
			    column_text_or_empty(stmt, 2)))
			WH_TRY(add_weight(history, stmt, err));
	}
	return WH_OK;
}

/* ---- Changes ---------------------------------------------------------------
 */

struct changes {
	struct arena arena; /* of the names of runs */
	struct wh_weight_change *rows;
	size_t n, room;
};

static enum wh_status read_row(struct changes *changes, struct stmt *stmt,
			       struct wh_weight_change *row,
			       struct wh_error *err)
{
	const char *run = column_text(stmt, 3);

	memset(row, 0, sizeof(*row));
	column_hex(stmt, 0, row->snapshot);
	row->gone = column_is_null(stmt, 1);
	row->time = column_integer(stmt, 2);
	row->has_step = !column_is_null(stmt, 4);
	row->step = column_integer(stmt, 4);
	row->has_epoch = !column_is_null(stmt, 5);
	row->epoch = column_integer(stmt, 5);
	column_hex(stmt, 6, row->sha256);
	row->removed = !*row->sha256;
	row->l2 = column_is_null(stmt, 7) ? (double)NAN : column_real(stmt, 7);
	row->l2_before = (double)NAN;
	row->n_nan = (uint64_t)column_integer(stmt, 8);
	row->n_inf = (uint64_t)column_integer(stmt, 9);
	row->run = run ? arena_strdup(&changes->arena, run) : NULL;
	return run && !row->run ? wh_fail_memory(err) : WH_OK;
}

static enum wh_status add_row(struct changes *changes, struct stmt *stmt,
			      struct wh_error *err)
{
	WH_TRY(array_grow(&changes->rows, changes->n, &changes->room,
			  sizeof(*changes->rows), err));
	return read_row(changes, stmt, &changes->rows[changes->n++], err);
}

static enum wh_status read_range(struct history *history,
				 const struct weight *weight,
				 const struct lineage_range *range,
				 uint64_t wanted, struct changes *changes,
				 struct wh_error *err)
{
	AUTO_STMT *stmt = NULL;
	bool row;

	WH_TRY(db_stmt(history->db, STMT_CHANGE_LIST, &stmt, err));
	stmt_integer(stmt, 1, weight->id);
	stmt_integer(stmt, 2, range->line);
	stmt_integer(stmt, 3, range->generation);
	stmt_integer(stmt, 4, wanted ? (int64_t)(wanted - changes->n) : -1);
	for (;;) {
		WH_TRY(stmt_step(stmt, &row, err));
		if (!row)
			break;
		WH_TRY(add_row(changes, stmt, err));
	}
	return WH_OK;
}

/* One more than is told, whose norm is the one before. */
static enum wh_status read_changes(struct history *history,
				   const struct weight *weight,
				   struct changes *changes,
				   struct wh_error *err)
{
	AUTO_TRANSACTION tx = {0};
	uint64_t limit = history->options->limit;
	uint64_t wanted = limit ? limit + 1 : 0;
	struct lineage_range range = history->newest;

	WH_TRY(transaction_read(&tx, history->db, err));
	while (range.line && (!wanted || changes->n < wanted)) {
		WH_TRY(read_range(history, weight, &range, wanted, changes,
				  err));
		WH_TRY(lineage_next(history->db, &range, err));
	}
	return WH_OK;
}

static void tell(struct history *history, const struct weight *weight,
		 struct changes *changes)
{
	uint64_t limit = history->options->limit, i;

	for (i = 0; i < changes->n && (!limit || i < limit); i++) {
		struct wh_weight_change *row = &changes->rows[i];

		row->layer = weight->layer;
		row->weight = weight->name;
		if (i + 1 < changes->n)
			row->l2_before = changes->rows[i + 1].l2;
		history->stopped = history->fn(history->arg, row) != 0;
		if (history->stopped)
			return;
	}
}

static enum wh_status find(struct history *history, struct wh_error *err)
{
	const char *revision = history->options->revision;
	AUTO_TRANSACTION tx = {0};
	int64_t snapshot;

	WH_TRY(transaction_read(&tx, history->db, err));
	WH_TRY(revision_resolve(history->db, revision ? revision : "HEAD",
				&snapshot, err));
	WH_TRY(lineage_of(history->db, snapshot, &history->newest, err));
	WH_TRY(find_weights(history, err));
	if (!history->n_weights)
		return wh_fail(err, WH_ENOTFOUND, "no weight is called so");
	return WH_OK;
}

/* Places in lines never change. Each weight is read by itself: who is told may
 * be slow, and must not hold the store. */
static enum wh_status run_history(struct history *history, struct wh_error *err)
{
	enum wh_status status = find(history, err);
	size_t i;

	for (i = 0; i < history->n_weights && !status && !history->stopped;
	     i++) {
		struct changes changes = {.rows = NULL};

		status = read_changes(history, &history->weights[i], &changes,
				      err);
		if (!status)
			tell(history, &history->weights[i], &changes);
		free(changes.rows);
		arena_free(&changes.arena);
	}
	return status;
}

enum wh_status wh_history(struct wh_store *store,
			  const struct wh_history_options *options,
			  wh_weight_change_fn *fn, void *arg,
			  struct wh_error *err)
{
	static const struct wh_history_options defaults;
	struct history history = {.db = store->db,
				  .options = options ? options : &defaults,
				  .fn = fn,
				  .arg = arg};
	enum wh_status status = run_history(&history, err);

	free(history.weights);
	arena_free(&history.arena);
	return status;
}
