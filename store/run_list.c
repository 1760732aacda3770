/* Runs as they are listed: rows and summaries, no metric and no snapshot. */
#include <weighhouse/run.h>

#include <math.h>
#include <string.h>

#include "run.h"

#define MAX_ROWS 65536 /* params, metrics or tags of one run that are shown */

static enum wh_status begin(struct db *db, enum statement which, int64_t run,
			    struct stmt **stmt, struct wh_error *err)
{
	WH_TRY(db_stmt(db, which, stmt, err));
	stmt_integer(*stmt, 1, run);
	return WH_OK;
}

enum wh_status run_params(struct db *db, int64_t id, struct arena *arena,
			  const struct wh_param **params, size_t *n_params,
			  struct wh_error *err)
{
	void *rows = NULL;
	AUTO_STMT *stmt = NULL;
	size_t n = 0, room = 0;
	bool row;

	WH_TRY(begin(db, STMT_PARAM_LIST, id, &stmt, err));
	while (n < MAX_ROWS) {
		struct wh_param *param;

		WH_TRY(stmt_step(stmt, &row, err));
		if (!row)
			break;
		if (!arena_grow(arena, &rows, n, &room, sizeof(*param)))
			return wh_fail_memory(err);
		param = (struct wh_param *)rows + n++;
		param->key = column_copy(stmt, 0, arena);
		param->value = column_copy(stmt, 1, arena);
		if (!param->key || !param->value)
			return wh_fail_memory(err);
	}
	*params = rows;
	*n_params = n;
	return WH_OK;
}

static double bound(struct stmt *stmt, int column)
{
	return column_is_null(stmt, column) ? (double)NAN
					    : column_real(stmt, column);
}

static enum wh_status list_metrics(struct db *db, struct arena *arena,
				   int64_t id, struct wh_run *run,
				   struct wh_error *err)
{
	void *rows = NULL;
	AUTO_STMT *stmt = NULL;
	size_t n = 0, room = 0;
	bool row;

	WH_TRY(begin(db, STMT_RUN_METRICS, id, &stmt, err));
	while (n < MAX_ROWS) {
		struct wh_run_metric *metric;

		WH_TRY(stmt_step(stmt, &row, err));
		if (!row)
			break;
		if (!arena_grow(arena, &rows, n, &room, sizeof(*metric)))
			return wh_fail_memory(err);
		metric = (struct wh_run_metric *)rows + n++;
		metric->key = column_copy(stmt, 0, arena);
		if (!metric->key)
			return wh_fail_memory(err);
		metric->last = metric_value(column_integer(stmt, 1),
					    column_real(stmt, 2));
		metric->n = (uint64_t)column_integer(stmt, 3);
		metric->step = column_integer(stmt, 4);
		metric->min = bound(stmt, 5);
		metric->max = bound(stmt, 6);
	}
	run->metrics = rows;
	run->n_metrics = n;
	return WH_OK;
}

static enum wh_status list_tags(struct db *db, struct arena *arena, int64_t id,
				struct wh_run *run, struct wh_error *err)
{
	void *rows = NULL;
	AUTO_STMT *stmt = NULL;
	size_t n = 0, room = 0;
	bool row;

	WH_TRY(begin(db, STMT_RUN_TAGS, id, &stmt, err));
	for (;;) {
		WH_TRY(stmt_step(stmt, &row, err));
		if (!arena_grow(arena, &rows, n, &room, sizeof(const char *)))
			return wh_fail_memory(err);
		if (!row || n == MAX_ROWS)
			break;
		((const char **)rows)[n] = column_copy(stmt, 0, arena);
		if (!((const char **)rows)[n++])
			return wh_fail_memory(err);
	}
	((const char **)rows)[n] = NULL;
	run->tags = rows;
	return WH_OK;
}

static bool copy(struct arena *arena, struct stmt *stmt, int column,
		 const char **out)
{
	const char *text = column_text(stmt, column);

	*out = text ? arena_strdup(arena, text) : NULL;
	return !text || *out;
}

static enum wh_status read_row(struct stmt *stmt, struct arena *arena,
			       struct wh_run *run, struct wh_error *err)
{
	struct wh_run_origin *origin = &run->origin;

	run->name = column_copy(stmt, 1, arena);
	run->uuid = column_copy(stmt, 2, arena);
	run->status = column_copy(stmt, 3, arena);
	if (!run->name || !run->uuid || !run->status ||
	    !copy(arena, stmt, 7, &origin->host) ||
	    !copy(arena, stmt, 8, &origin->folder) ||
	    !copy(arena, stmt, 9, &origin->command) ||
	    !copy(arena, stmt, 10, &origin->git_commit) ||
	    !copy(arena, stmt, 12, &origin->versions))
		return wh_fail_memory(err);
	run->started = column_integer(stmt, 4);
	run->has_ended = !column_is_null(stmt, 5);
	run->ended = column_integer(stmt, 5);
	run->n_snapshots = (uint64_t)column_integer(stmt, 6);
	origin->git_dirty =
		column_is_null(stmt, 11) ? -1 : (int)column_integer(stmt, 11);
	run->exit_status =
		column_is_null(stmt, 13) ? -1 : (int)column_integer(stmt, 13);
	return WH_OK;
}

/* The newest below `*below` or, with a name, that one. */
static enum wh_status load_next(struct db *db, struct arena *arena,
				const char *name, int64_t *below, bool *found,
				struct wh_run *run, struct wh_error *err)
{
	AUTO_TRANSACTION tx = {0};
	AUTO_STMT *stmt = NULL;

	memset(run, 0, sizeof(*run));
	WH_TRY(transaction_read(&tx, db, err));
	WH_TRY(db_stmt(db, STMT_RUN_ROWS, &stmt, err));
	stmt_integer(stmt, 1, *below);
	if (name)
		stmt_text(stmt, 2, name);
	WH_TRY(stmt_step(stmt, found, err));
	if (!*found)
		return WH_OK;
	*below = column_integer(stmt, 0);
	WH_TRY(read_row(stmt, arena, run, err));
	WH_TRY(run_params(db, *below, arena, &run->params, &run->n_params,
			  err));
	WH_TRY(list_metrics(db, arena, *below, run, err));
	return list_tags(db, arena, *below, run, err);
}

/* Who is told may be slow, and must not hold the store. */
static enum wh_status list(struct db *db, const char *name, wh_run_fn *fn,
			   void *arg, struct wh_error *err)
{
	enum wh_status status = WH_OK;
	int64_t below = INT64_MAX;
	bool found = true, stopped = false;

	while (!status && found && !stopped) {
		struct arena arena = {0};
		struct wh_run run;

		status = load_next(db, &arena, name, &below, &found, &run, err);
		if (!status && found)
			stopped = fn(arg, &run) != 0 || name;
		arena_free(&arena);
	}
	return status;
}

enum wh_status wh_run_list(struct wh_store *store, wh_run_fn *fn, void *arg,
			   struct wh_error *err)
{
	return list(store->db, NULL, fn, arg, err);
}

enum wh_status wh_run_get(struct wh_store *store, const char *name,
			  wh_run_fn *fn, void *arg, struct wh_error *err)
{
	int64_t id;

	WH_TRY(run_require(store->db, name, &id, err));
	return list(store->db, name, fn, arg, err);
}
