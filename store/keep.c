/* keep: decides, forgets, lists. */
#include "keep.h"

#include <stdlib.h>
#include <string.h>

#include "base/array.h"
#include "mark.h"
#include "ref.h"
#include "snapshot.h"

#define MAX_WHY 300 /* rules and names of one snapshot */
#define BATCH	32  /* snapshots that are loaded at a time */

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

/* ---- What it frees ---------------------------------------------------------
 */

/* All that stays, whether in scope or not. */
static enum wh_status mark_staying(const struct keeping *keeping,
				   struct marks *marks, struct wh_error *err)
{
	AUTO_STMT *stmt = NULL;
	bool row;

	WH_TRY(db_stmt(keeping->db, STMT_KEEP_STAYING, &stmt, err));
	for (;;) {
		const struct candidate *one;

		WH_TRY(stmt_step(stmt, &row, err));
		if (!row)
			break;
		one = keep_find(keeping, column_integer(stmt, 0));
		if (!one || one->why)
			WH_TRY(marks_add(marks, keeping->db,
					 column_integer(stmt, 1),
					 column_integer(stmt, 2), err));
	}
	return WH_OK;
}

static enum wh_status mark_going(const struct keeping *keeping,
				 struct marks *marks, struct wh_error *err)
{
	size_t i;

	for (i = 0; i < keeping->n; i++) {
		struct candidate *one = &keeping->candidates[i];
		uint64_t before = marks->stored_bytes;

		if (!one->why)
			WH_TRY(marks_add(marks, keeping->db, one->tree_id,
					 one->template_id, err));
		one->frees = marks->stored_bytes - before;
	}
	return WH_OK;
}

static enum wh_status count_freed(const struct keeping *keeping,
				  struct wh_error *err)
{
	struct marks marks = {0};
	enum wh_status status = mark_staying(keeping, &marks, err);

	if (!status)
		status = mark_going(keeping, &marks, err);
	marks_free(&marks);
	return status;
}

/* ---- The listing -----------------------------------------------------------
 */

struct told {
	struct wh_snapshot snapshot;
	bool there;
};

/* A gc without a grace period may have taken what was forgotten just now. */
static enum wh_status load(struct db *db, int64_t id, struct arena *arena,
			   struct told *told, struct wh_error *err)
{
	struct snapshot_row row;
	struct stmt *stmt;

	WH_TRY(db_stmt(db, STMT_SNAPSHOT_THERE, &stmt, err));
	stmt_integer(stmt, 1, id);
	WH_TRY(stmt_step(stmt, &told->there, err));
	stmt_reset(stmt);
	if (!told->there)
		return WH_OK;
	WH_TRY(snapshot_load(db, id, arena, &row, err));
	return snapshot_describe(db, arena, &row, &told->snapshot, err);
}

static enum wh_status load_batch(struct db *db, const struct candidate *of,
				 size_t n, struct arena *arena,
				 struct told batch[BATCH], struct wh_error *err)
{
	AUTO_TRANSACTION tx = {0};
	size_t i;

	WH_TRY(transaction_read(&tx, db, err));
	for (i = 0; i < n; i++)
		WH_TRY(load(db, of[i].id, arena, &batch[i], err));
	return WH_OK;
}

static bool tell(const struct candidate *one, const struct told *told,
		 wh_kept_fn *fn, void *arg)
{
	const char *why[MAX_WHY + 1] = {NULL};
	const struct keep_why *at = one->why;
	const struct wh_kept kept = {.snapshot = &told->snapshot,
				     .keep = one->why != NULL,
				     .why = why,
				     .frees = one->frees};
	size_t n;

	for (n = 0; at && n < MAX_WHY; at = at->next)
		why[n++] = at->text;
	return !told->there || fn(arg, &kept) == 0;
}

/* In batches: who is told may be slow, and must not hold the store. */
static enum wh_status list(const struct keeping *keeping, wh_kept_fn *fn,
			   void *arg, struct wh_error *err)
{
	struct told batch[BATCH];
	enum wh_status status = WH_OK;
	size_t at, n, i;
	bool goes_on = true;

	for (at = 0; at < keeping->n && goes_on && !status; at += n) {
		const struct candidate *of = keeping->candidates + at;
		struct arena arena = {0};

		n = keeping->n - at < BATCH ? keeping->n - at : BATCH;
		status = load_batch(keeping->db, of, n, &arena, batch, err);
		for (i = 0; i < n && goes_on && !status; i++)
			goes_on = tell(&of[i], &batch[i], fn, arg);
		arena_free(&arena);
	}
	return status;
}

/* ---- The whole -------------------------------------------------------------
 */

static enum wh_status decide(struct keeping *keeping,
			     const struct wh_keep_options *options,
			     struct wh_error *err)
{
	if (options->policies)
		return policy_decide(keeping, options->branch, options->run,
				     err);
	WH_TRY(keep_find_scope(keeping, options->branch, options->run, err));
	return keep_decide(keeping, err);
}

/* All that is told of, and done, stands as it was found in one transaction. */
static enum wh_status decide_and_forget(struct keeping *keeping,
					const struct wh_keep_options *options,
					bool told, struct wh_error *err)
{
	AUTO_TRANSACTION tx = {0};

	if (options->dry_run)
		WH_TRY(transaction_read(&tx, keeping->db, err));
	else
		WH_TRY(transaction_begin(&tx, keeping->db, err));
	WH_TRY(decide(keeping, options, err));
	if (told)
		WH_TRY(count_freed(keeping, err));
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
		status = decide_and_forget(&keeping, options, fn != NULL, err);
	if (!status && fn)
		status = list(&keeping, fn, arg, err);
	keeping_free(&keeping);
	return status;
}

/* ---- undo ------------------------------------------------------------------
 */

struct forgotten {
	int64_t *ids;
	size_t n, room;
};

static enum wh_status find_forgotten(const struct keeping *keeping,
				     struct forgotten *found,
				     struct wh_error *err)
{
	AUTO_STMT *stmt = NULL;
	bool row;

	WH_TRY(db_stmt(keeping->db, STMT_FORGOTTEN_LIST, &stmt, err));
	for (;;) {
		WH_TRY(stmt_step(stmt, &row, err));
		if (!row)
			break;
		if (!keep_in_scope(keeping, column_integer(stmt, 1),
				   column_integer(stmt, 2),
				   column_integer(stmt, 3)))
			continue;
		WH_TRY(array_grow(&found->ids, found->n, &found->room,
				  sizeof(*found->ids), err));
		found->ids[found->n++] = column_integer(stmt, 0);
	}
	return WH_OK;
}

static enum wh_status bring_back(struct keeping *keeping, uint64_t *n,
				 struct wh_error *err)
{
	struct forgotten found = {0};
	enum wh_status status = find_forgotten(keeping, &found, err);
	struct stmt *stmt;

	for (*n = 0; !status && *n < found.n; ++*n) {
		status =
			db_stmt(keeping->db, STMT_FORGOTTEN_DELETE, &stmt, err);
		if (status)
			break;
		stmt_integer(stmt, 1, found.ids[*n]);
		status = step_done(stmt, err);
	}
	free(found.ids);
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
