/* The sweep: windows of rows, each looked at and emptied in a turn of its own.
 *
 * A row goes if nothing names it at that moment, under the turn lock. A commit
 * that counts on a row looks it up again when it publishes, under the same
 * lock, so the two can take turns in any order; and a sweep that is killed
 * leaves rows that nothing names, for the next one.
 */
#include "gc.h"

#include "base/clock.h"

#define WINDOW 256 /* rows; the queries' LIMIT */

static enum wh_status run_plain(struct db *db, enum statement which,
				struct wh_error *err)
{
	struct stmt *stmt;

	WH_TRY(db_stmt(db, which, &stmt, err));
	return step_done(stmt, err);
}

static enum wh_status run_on(struct db *db, enum statement which, int64_t id,
			     struct wh_error *err)
{
	struct stmt *stmt;

	WH_TRY(db_stmt(db, which, &stmt, err));
	stmt_integer(stmt, 1, id);
	return step_done(stmt, err);
}

/* ---- Turns -----------------------------------------------------------------
 */

enum wh_status gc_turn_begin(struct gc_turn *turn, struct db *db,
			     struct wh_error *err)
{
	WH_TRY(transaction_begin(&turn->tx, db, err));
	turn->until_ms = clock_ms() + GC_TURN_MS;
	return run_plain(db, STMT_GC_BEGIN, err);
}

bool gc_turn_is_over(const struct gc_turn *turn)
{
	return clock_ms() >= turn->until_ms;
}

enum wh_status gc_turn_commit(struct gc_turn *turn, struct wh_error *err)
{
	WH_TRY(run_plain(turn->tx.db, STMT_GC_END, err));
	return transaction_commit(&turn->tx, err);
}

void gc_turn_end(struct gc_turn *turn)
{
	transaction_end(&turn->tx);
}

/* ---- What goes -------------------------------------------------------------
 */

static enum wh_status delete_snapshot(struct gc *gc, const struct gc_turn *turn,
				      int64_t id, bool *done,
				      struct wh_error *err)
{
	static const enum statement steps[] = {
		STMT_GC_BURY, STMT_GC_NOTE_GONE, STMT_GC_DETACH_METRICS,
		STMT_FORGOTTEN_DELETE, STMT_SNAPSHOT_DELETE};
	size_t i;

	(void)turn;
	for (i = 0; i < sizeof(steps) / sizeof(steps[0]); i++)
		WH_TRY(run_on(gc->db, steps[i], id, err));
	gc->result.n_snapshots++;
	*done = true;
	return WH_OK;
}

static enum wh_status delete_tree(struct gc *gc, const struct gc_turn *turn,
				  int64_t id, bool *done, struct wh_error *err)
{
	(void)turn;
	*done = true;
	WH_TRY(run_on(gc->db, STMT_TREE_LAYER_DELETE, id, err));
	return run_on(gc->db, STMT_TREE_DELETE, id, err);
}

static enum wh_status delete_template(struct gc *gc, const struct gc_turn *turn,
				      int64_t id, bool *done,
				      struct wh_error *err)
{
	(void)turn;
	*done = true;
	return run_on(gc->db, STMT_TEMPLATE_DELETE, id, err);
}

static enum wh_status delete_layer(struct gc *gc, const struct gc_turn *turn,
				   int64_t id, bool *done, struct wh_error *err)
{
	(void)turn;
	*done = true;
	WH_TRY(run_on(gc->db, STMT_VARIABLE_DELETE, id, err));
	return run_on(gc->db, STMT_LAYER_DELETE, id, err);
}

static enum wh_status delete_tensor(struct gc *gc, const struct gc_turn *turn,
				    int64_t id, bool *done,
				    struct wh_error *err)
{
	(void)turn;
	*done = true;
	gc->result.n_tensors++;
	WH_TRY(run_on(gc->db, STMT_CHANGE_DELETE, id, err));
	WH_TRY(run_on(gc->db, STMT_STATISTICS_DELETE, id, err));
	return run_on(gc->db, STMT_TENSOR_DELETE, id, err);
}

enum wh_status gc_delete_chunks(struct gc *gc, const struct gc_turn *turn,
				int64_t storage, bool *done,
				struct wh_error *err)
{
	AUTO_STMT *stmt = NULL;
	bool row, any;

	do {
		any = false;
		WH_TRY(db_stmt(gc->db, STMT_CHUNK_DELETE_SOME, &stmt, err));
		stmt_integer(stmt, 1, storage);
		for (;;) {
			WH_TRY(stmt_step(stmt, &row, err));
			if (!row)
				break;
			gc->result.freed_bytes +=
				(uint64_t)column_integer(stmt, 0);
			any = true;
		}
		stmt_reset(stmt);
	} while (any && !gc_turn_is_over(turn));
	*done = !any;
	return WH_OK;
}

/* The row last: while it is there, the next turn finds the rest. One that is
 * listed, but can't be found to be deleted, is of a damaged table: it would be
 * listed again for ever. */
static enum wh_status delete_storage(struct gc *gc, const struct gc_turn *turn,
				     int64_t id, bool *done,
				     struct wh_error *err)
{
	WH_TRY(gc_delete_chunks(gc, turn, id, done, err));
	if (!*done)
		return WH_OK;
	WH_TRY(run_on(gc->db, STMT_STORAGE_DELETE, id, err));
	if (db_changes(gc->db) == 0)
		return wh_fail(err, WH_ECORRUPT,
			       "'%s' is damaged (a row can't be deleted)",
			       db_path(gc->db));
	return WH_OK;
}

/* ---- Windows ---------------------------------------------------------------
 */

struct sweep {
	enum statement scan; /* of ids and whether something names them */
	bool falling;	     /* by falling ids */
	enum wh_status (*take)(struct gc *gc, const struct gc_turn *turn,
			       int64_t id, bool *done, struct wh_error *err);
};

struct window {
	int64_t ids[WINDOW];
	bool kept[WINDOW];
	size_t n;
};

static enum wh_status scan(struct gc *gc, const struct sweep *sweep, int64_t at,
			   struct window *window, struct wh_error *err)
{
	AUTO_STMT *stmt = NULL;
	bool row;

	window->n = 0;
	WH_TRY(db_stmt(gc->db, sweep->scan, &stmt, err));
	stmt_integer(stmt, 1, at);
	if (sweep->scan == STMT_GC_SNAPSHOTS)
		stmt_integer(stmt, 2, gc->forgotten_by);
	while (window->n < WINDOW) {
		WH_TRY(stmt_step(stmt, &row, err));
		if (!row)
			break;
		window->ids[window->n] = column_integer(stmt, 0);
		window->kept[window->n++] = column_integer(stmt, 1) != 0;
	}
	return WH_OK;
}

/* `*at` moves behind what was looked at; a row that needs another turn is
 * looked at again. */
static enum wh_status empty_window(struct gc *gc, const struct sweep *sweep,
				   const struct gc_turn *turn,
				   const struct window *window, int64_t *at,
				   uint64_t *n_gone, struct wh_error *err)
{
	size_t i;

	for (i = 0; i < window->n && !gc_turn_is_over(turn); i++) {
		bool done = true;

		if (!window->kept[i])
			WH_TRY(sweep->take(gc, turn, window->ids[i], &done,
					   err));
		if (!done)
			return WH_OK;
		*n_gone += !window->kept[i];
		*at = window->ids[i];
	}
	return WH_OK;
}

static enum wh_status report(const struct gc *gc, struct wh_error *err)
{
	const struct wh_gc_options *options = gc->options;

	if (!options->progress || options->progress(options->arg, "freeing",
						    gc->result.freed_bytes, 0))
		return WH_OK;
	return wh_fail(err, WH_ECANCELLED, "cancelled");
}

static enum wh_status sweep_turn(struct gc *gc, const struct sweep *sweep,
				 int64_t *at, bool *more, uint64_t *n_gone,
				 struct wh_error *err)
{
	AUTO_GC_TURN turn = {0};
	struct window window;

	WH_TRY(gc_turn_begin(&turn, gc->db, err));
	do {
		WH_TRY(scan(gc, sweep, *at, &window, err));
		*more = window.n > 0;
		WH_TRY(empty_window(gc, sweep, &turn, &window, at, n_gone,
				    err));
	} while (*more && !gc_turn_is_over(&turn));
	WH_TRY(gc_turn_commit(&turn, err));
	return report(gc, err);
}

static enum wh_status sweep_all(struct gc *gc, const struct sweep *sweep,
				uint64_t *n_gone, struct wh_error *err)
{
	int64_t at = sweep->falling ? INT64_MAX : 0;
	bool more = true;

	*n_gone = 0;
	while (more)
		WH_TRY(sweep_turn(gc, sweep, &at, &more, n_gone, err));
	return WH_OK;
}

static enum wh_status end_sweep(struct gc *gc, struct wh_error *err)
{
	AUTO_TRANSACTION tx = {0};

	WH_TRY(transaction_begin(&tx, gc->db, err));
	WH_TRY(run_plain(gc->db, STMT_GC_GONE, err));
	WH_TRY(run_plain(gc->db, STMT_GC_COUNT_SWEEP, err));
	return transaction_commit(&tx, err);
}

enum wh_status gc_sweep_storages(struct gc *gc, struct wh_error *err)
{
	static const struct sweep storages = {STMT_GC_STORAGES, true,
					      delete_storage};
	uint64_t n_gone;

	/* What is coded against others mostly has a higher id than they, so
	 * that falling ids free whole chains at once; recoding breaks that
	 * order, so until nothing more goes. */
	do
		WH_TRY(sweep_all(gc, &storages, &n_gone, err));
	while (n_gone);
	return WH_OK;
}

enum wh_status gc_sweep(struct gc *gc, struct wh_error *err)
{
	static const struct sweep sweeps[] = {
		{STMT_GC_SNAPSHOTS, false, delete_snapshot},
		{STMT_GC_TREES, false, delete_tree},
		{STMT_GC_TEMPLATES, false, delete_template},
		{STMT_GC_LAYERS, false, delete_layer},
		{STMT_GC_TENSORS, false, delete_tensor},
	};
	uint64_t n_gone;
	size_t i;

	for (i = 0; i < sizeof(sweeps) / sizeof(sweeps[0]); i++)
		WH_TRY(sweep_all(gc, &sweeps[i], &n_gone, err));
	WH_TRY(gc_sweep_storages(gc, err));
	return end_sweep(gc, err);
}
