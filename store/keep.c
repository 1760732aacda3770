/* keep: decides, forgets, lists. */
#include "keep.h"

#include <stdlib.h>
#include <string.h>

#include "mark.h"
#include "ref.h"
#include "snapshot.h"

#define MAX_WHY 300 /* rules and names of one snapshot */

static enum wh_status insert_forgotten(struct keeping *keeping, int64_t id,
				       struct wh_error *err)
{
	struct stmt *stmt;

	WH_TRY(db_stmt(keeping->db, STMT_FORGOTTEN_INSERT, &stmt, err));
	stmt_integer(stmt, 1, id);
	stmt_integer(stmt, 2, keeping->now);
	return step_done(stmt, err);
}

static enum wh_status forget(struct keeping *keeping, struct wh_error *err)
{
	size_t i;

	for (i = 0; i < keeping->n; i++)
		if (!keeping->candidates[i].why)
			WH_TRY(insert_forgotten(
				keeping, keeping->candidates[i].id, err));
	return WH_OK;
}

/* ---- The listing -----------------------------------------------------------
 */

/* All that stays, whether in scope or not. */
static enum wh_status mark_staying(struct keeping *keeping,
				   const struct bitmap *going,
				   struct marks *marks, struct wh_error *err)
{
	struct stmt *stmt;
	bool row;

	WH_TRY(db_stmt(keeping->db, STMT_KEEP_STAYING, &stmt, err));
	for (;;) {
		WH_TRY(stmt_step(stmt, &row, err));
		if (!row)
			break;
		if (!bitmap_has(going, column_integer(stmt, 0)))
			WH_TRY(marks_add(marks, keeping->db,
					 column_integer(stmt, 1),
					 column_integer(stmt, 2), err));
	}
	stmt_reset(stmt);
	return WH_OK;
}

struct telling {
	struct keeping *keeping;
	struct marks marks;
	struct bitmap going;
	wh_kept_fn *fn;
	void *arg;
	bool stopped;
};

/* A gc without a grace period may have taken what was forgotten just now. */
static enum wh_status is_there(struct db *db, int64_t id, bool *there,
			       struct wh_error *err)
{
	struct stmt *stmt;

	WH_TRY(db_stmt(db, STMT_SNAPSHOT_THERE, &stmt, err));
	stmt_integer(stmt, 1, id);
	WH_TRY(stmt_step(stmt, there, err));
	stmt_reset(stmt);
	return WH_OK;
}

static enum wh_status tell(struct telling *telling, const struct candidate *one,
			   struct arena *arena, struct wh_error *err)
{
	struct db *db = telling->keeping->db;
	const char *why[MAX_WHY + 1] = {NULL};
	const struct keep_why *at = one->why;
	struct wh_snapshot snapshot;
	struct snapshot_row row;
	struct wh_kept kept = {
		.snapshot = &snapshot, .keep = one->why != NULL, .why = why};
	uint64_t before = telling->marks.stored_bytes;
	bool there;
	size_t n;

	WH_TRY(is_there(db, one->id, &there, err));
	if (!there)
		return WH_OK;
	for (n = 0; at && n < MAX_WHY; at = at->next)
		why[n++] = at->text;
	WH_TRY(snapshot_load(db, one->id, arena, &row, err));
	WH_TRY(snapshot_describe(db, arena, &row, &snapshot, err));
	if (!kept.keep)
		WH_TRY(marks_add(&telling->marks, db, row.tree_id,
				 row.template_id, err));
	kept.frees = telling->marks.stored_bytes - before;
	telling->stopped = telling->fn(telling->arg, &kept) != 0;
	return WH_OK;
}

static enum wh_status tell_all(struct telling *telling, struct wh_error *err)
{
	struct keeping *keeping = telling->keeping;
	enum wh_status status = WH_OK;
	size_t i;
	bool was;

	for (i = 0; i < keeping->n; i++)
		if (!keeping->candidates[i].why)
			WH_TRY(bitmap_set(&telling->going,
					  keeping->candidates[i].id, &was,
					  err));
	WH_TRY(mark_staying(keeping, &telling->going, &telling->marks, err));
	for (i = 0; i < keeping->n && !status && !telling->stopped; i++) {
		struct arena arena = {0};

		status = tell(telling, &keeping->candidates[i], &arena, err);
		arena_free(&arena);
	}
	return status;
}

static enum wh_status list(struct keeping *keeping, wh_kept_fn *fn, void *arg,
			   struct wh_error *err)
{
	struct telling telling = {.keeping = keeping, .fn = fn, .arg = arg};
	AUTO_TRANSACTION tx = {0};
	enum wh_status status;

	WH_TRY(transaction_read(&tx, keeping->db, err));
	status = tell_all(&telling, err);
	marks_free(&telling.marks);
	bitmap_free(&telling.going);
	return status;
}

/* ---- The whole -------------------------------------------------------------
 */

static enum wh_status decide_and_forget(struct keeping *keeping,
					const struct wh_keep_options *options,
					struct wh_error *err)
{
	AUTO_TRANSACTION tx = {0};

	if (options->dry_run)
		WH_TRY(transaction_read(&tx, keeping->db, err));
	else
		WH_TRY(transaction_begin(&tx, keeping->db, err));
	if (options->policies) {
		WH_TRY(policy_decide(keeping, options->branch, options->run,
				     err));
	} else {
		WH_TRY(keep_find_scope(keeping, options->branch, options->run,
				       err));
		WH_TRY(keep_decide(keeping, err));
	}
	if (options->dry_run)
		return WH_OK;
	WH_TRY(forget(keeping, err));
	return transaction_commit(&tx, err);
}

enum wh_status wh_keep(struct wh_store *store,
		       const struct wh_keep_options *options, wh_kept_fn *fn,
		       void *arg, struct wh_error *err)
{
	struct keeping keeping = {.db = store->db,
				  .now = ref_now(),
				  .grace_s = options->grace_s ? options->grace_s
							      : WH_GRACE_S};
	enum wh_status status =
		options->policies
			? WH_OK
			: keep_parse(options->rules, &keeping.arena,
				     keeping.rules, &keeping.n_rules, err);

	if (!status)
		status = decide_and_forget(&keeping, options, err);
	if (!status && fn)
		status = list(&keeping, fn, arg, err);
	keeping_free(&keeping);
	return status;
}

/* ---- undo ------------------------------------------------------------------
 */

static enum wh_status find_forgotten(const struct keeping *keeping,
				     struct bitmap *found, int64_t *last,
				     struct wh_error *err)
{
	struct stmt *stmt;
	bool row, was;

	*last = 0;
	WH_TRY(db_stmt(keeping->db, STMT_FORGOTTEN_LIST, &stmt, err));
	for (;;) {
		int64_t id;

		WH_TRY(stmt_step(stmt, &row, err));
		if (!row)
			break;
		id = column_integer(stmt, 0);
		if (!keep_in_scope(keeping, column_integer(stmt, 1),
				   column_integer(stmt, 2),
				   column_integer(stmt, 3)))
			continue;
		WH_TRY(bitmap_set(found, id, &was, err));
		*last = id > *last ? id : *last;
	}
	stmt_reset(stmt);
	return WH_OK;
}

static enum wh_status bring_back(struct keeping *keeping, uint64_t *n,
				 struct wh_error *err)
{
	struct bitmap found = {0};
	int64_t id, last;
	enum wh_status status = find_forgotten(keeping, &found, &last, err);
	struct stmt *stmt;

	for (id = 1; !status && id <= last; id++) {
		if (!bitmap_has(&found, id))
			continue;
		status =
			db_stmt(keeping->db, STMT_FORGOTTEN_DELETE, &stmt, err);
		if (status)
			break;
		stmt_integer(stmt, 1, id);
		status = step_done(stmt, err);
		++*n;
	}
	bitmap_free(&found);
	return status;
}

enum wh_status wh_keep_undo(struct wh_store *store, const char *branch,
			    const char *run, uint64_t *n, struct wh_error *err)
{
	struct keeping keeping = {.db = store->db};
	AUTO_TRANSACTION tx = {0};
	enum wh_status status;
	uint64_t count = 0;

	WH_TRY(transaction_begin(&tx, store->db, err));
	status = keep_find_scope(&keeping, branch, run, err);
	if (!status)
		status = bring_back(&keeping, &count, err);
	keeping_free(&keeping);
	if (status)
		return status;
	WH_TRY(transaction_commit(&tx, err));
	*n = count;
	return WH_OK;
}
