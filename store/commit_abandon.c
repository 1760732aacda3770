/* A commit that failed takes back the chunks that it stored: nothing names
 * them. What a crash leaves, gc takes. */
#include "commit.h"

/* In the transaction that deletes, and only there: it lets facts go. */
static enum wh_status allow_deleting(struct db *db, bool allow,
				     struct wh_error *err)
{
	struct stmt *stmt;

	WH_TRY(db_stmt(db, allow ? STMT_GC_BEGIN : STMT_GC_END, &stmt, err));
	return step_done(stmt, err);
}

/* Unless a tensor lies there: what a COMMIT that reports an error has done is
 * not certain. */
static enum wh_status delete_storage(struct db *db, int64_t storage,
				     struct wh_error *err)
{
	struct stmt *stmt;

	WH_TRY(db_stmt(db, STMT_CHUNK_ABANDON, &stmt, err));
	stmt_integer(stmt, 1, storage);
	WH_TRY(step_done(stmt, err));
	WH_TRY(db_stmt(db, STMT_STORAGE_ABANDON, &stmt, err));
	stmt_integer(stmt, 1, storage);
	return step_done(stmt, err);
}

enum wh_status commit_take_back(struct db *db, int64_t storage,
				struct wh_error *err)
{
	WH_TRY(allow_deleting(db, true, err));
	WH_TRY(delete_storage(db, storage, err));
	return allow_deleting(db, false, err);
}

enum wh_status commit_abandon(struct commit *commit, struct wh_error *err)
{
	struct db *db = commit->store->db;
	AUTO_TRANSACTION tx = {0};
	uint32_t i;

	WH_TRY(transaction_begin(&tx, db, err));
	WH_TRY(allow_deleting(db, true, err));
	for (i = 0; i < commit->n_items; i++)
		/* Ids of what waited may be another's by now. */
		if (commit->items[i].storage && !commit->items[i].waits)
			WH_TRY(delete_storage(db, commit->items[i].storage,
					      err));
	WH_TRY(allow_deleting(db, false, err));
	WH_TRY(lease_end(db, &commit->lease, err));
	/* They lie at the file's end, so this is cheap. */
	WH_TRY(db_exec(db, "PRAGMA incremental_vacuum", err));
	return transaction_commit(&tx, err);
}
