/* Moves of a branch that say what they expect, and taking the last one back.
 */
#include <string.h>

#include "ref.h"
#include "snapshot.h"
#include "store.h"

#define UNDO "undo"

enum wh_status wh_branch_move(struct wh_store *store,
			      const struct wh_branch_move *request,
			      struct wh_move *move, struct wh_error *err)
{
	AUTO_TRANSACTION tx = {0};
	struct wh_move done;
	char name[REF_NAME_SIZE];
	int64_t from, to, expected;

	WH_TRY(transaction_begin(&tx, store->db, err));
	WH_TRY(ref_branch_or_head(store->db, request->branch, name, err));
	WH_TRY(ref_require(store->db, REF_BRANCH, name, &from, err));
	if (request->expect)
		WH_TRY(revision_resolve(store->db, request->expect, &expected,
					err));
	if (request->expect && expected != from)
		return wh_fail(err, WH_EMISMATCH,
			       "branch '%s' has moved: its tip is not '%s'",
			       name, request->expect);
	WH_TRY(revision_resolve(store->db, request->revision, &to, err));
	WH_TRY(ref_move(store->db, REF_BRANCH, name, from, to,
			request->why ? request->why : "rollback", ref_now(),
			err));
	WH_TRY(ref_fill_move(store->db, from, to, &done, err));
	WH_TRY(transaction_commit(&tx, err));
	if (move)
		*move = done;
	return WH_OK;
}

enum wh_status wh_rollback(struct wh_store *store, const char *branch,
			   const char *revision, const char *why,
			   struct wh_move *move, struct wh_error *err)
{
	const struct wh_branch_move request = {
		.branch = branch, .revision = revision, .why = why};

	return wh_branch_move(store, &request, move, err);
}

/* ---- undo ------------------------------------------------------------------
 */

struct last_move {
	bool found;
	bool had_from;
	uint8_t from[WH_SHA256_SIZE];
};

static void take_from(struct stmt *stmt, struct last_move *last)
{
	last->found = true;
	last->had_from = column_digest(stmt, 1, last->from);
}

/* The newest move that no undo has taken back: each undo in the reflog pairs
 * with the nearest older move that isn't one, as brackets do. So undoing
 * twice goes back two moves. */
static enum wh_status find_last(struct db *db, const char *branch,
				struct last_move *last, struct wh_error *err)
{
	uint64_t undone = 0;
	AUTO_STMT *stmt = NULL;
	bool row;

	WH_TRY(db_stmt(db, STMT_REFLOG_OF_BRANCH, &stmt, err));
	stmt_text(stmt, 1, branch);
	while (!last->found) {
		WH_TRY(stmt_step(stmt, &row, err));
		if (!row)
			break;
		if (strcmp(column_text_or_empty(stmt, 3), UNDO) == 0)
			undone++;
		else if (undone)
			undone--;
		else
			take_from(stmt, last);
	}
	if (last->found)
		return WH_OK;
	return wh_fail(err, WH_ENOTFOUND,
		       "branch '%s' has no move that could be undone", branch);
}

enum wh_status wh_undo(struct wh_store *store, const char *branch,
		       struct wh_move *move, struct wh_error *err)
{
	struct last_move last = {0};
	AUTO_TRANSACTION tx = {0};
	struct wh_move done;
	char name[REF_NAME_SIZE];
	int64_t tip, to = 0;
	bool found;

	WH_TRY(transaction_begin(&tx, store->db, err));
	WH_TRY(ref_branch_or_head(store->db, branch, name, err));
	WH_TRY(ref_get(store->db, REF_BRANCH, name, &found, &tip, err));
	WH_TRY(find_last(store->db, name, &last, err));
	if (last.had_from)
		WH_TRY(snapshot_find_living(store->db, last.from, &to, err));
	WH_TRY(ref_move(store->db, REF_BRANCH, name, tip, to, UNDO, ref_now(),
			err));
	WH_TRY(ref_fill_move(store->db, tip, to, &done, err));
	WH_TRY(transaction_commit(&tx, err));
	if (move)
		*move = done;
	return WH_OK;
}
