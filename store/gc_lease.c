/* Leases of commits that died: the chunks that have no storage row yet can't
 * be found from above, but only through the ids that were reserved for them.
 * What has a row is swept like any other.
 */
#include "gc.h"
#include "lease.h"

static enum wh_status find_id(struct db *db, enum statement which, int64_t from,
			      int64_t before, int64_t *id, struct wh_error *err)
{
	struct stmt *stmt;
	bool row;

	WH_TRY(db_stmt(db, which, &stmt, err));
	stmt_integer(stmt, 1, from);
	if (which == STMT_CHUNK_BETWEEN)
		stmt_integer(stmt, 2, before);
	WH_TRY(stmt_step(stmt, &row, err));
	*id = row ? column_integer(stmt, 0) : before;
	stmt_reset(stmt);
	return WH_OK;
}

/* Chunks of ids in [*from, end) without a row, while there is time: from one
 * gap between storages to the next. */
static enum wh_status empty_gaps(struct gc *gc, const struct gc_turn *turn,
				 int64_t *from, int64_t end,
				 struct wh_error *err)
{
	while (*from < end && !gc_turn_is_over(turn)) {
		int64_t storage, orphan;
		bool done = true;

		WH_TRY(find_id(gc->db, STMT_STORAGE_AFTER, *from, end, &storage,
			       err));
		if (storage > end)
			storage = end;
		WH_TRY(find_id(gc->db, STMT_CHUNK_BETWEEN, *from, storage,
			       &orphan, err));
		if (orphan < storage)
			WH_TRY(gc_delete_chunks(gc, turn, orphan, &done, err));
		*from = orphan + done;
	}
	return WH_OK;
}

static enum wh_status first_range(struct db *db, int64_t lease, int64_t after,
				  int64_t *first, int64_t *end,
				  struct wh_error *err)
{
	AUTO_STMT *stmt = NULL;
	bool row;

	*first = *end = 0;
	WH_TRY(db_stmt(db, STMT_LEASE_RANGES, &stmt, err));
	stmt_integer(stmt, 1, lease);
	do {
		WH_TRY(stmt_step(stmt, &row, err));
		if (row && column_integer(stmt, 0) > after) {
			*first = column_integer(stmt, 0);
			*end = column_integer(stmt, 1);
			row = false;
		}
	} while (row);
	return WH_OK;
}

static enum wh_status empty_range(struct gc *gc, int64_t from, int64_t end,
				  struct wh_error *err)
{
	while (from < end) {
		AUTO_GC_TURN turn = {0};

		WH_TRY(gc_turn_begin(&turn, gc->db, err));
		WH_TRY(empty_gaps(gc, &turn, &from, end, err));
		WH_TRY(gc_turn_commit(&turn, err));
	}
	return WH_OK;
}

/* Also 0, which a migration left and which is none that a commit takes. */
static enum wh_status end_lease(struct gc *gc, int64_t id, struct wh_error *err)
{
	AUTO_TRANSACTION tx = {0};
	struct stmt *stmt;
	int64_t first = -1, end;

	do {
		WH_TRY(first_range(gc->db, id, first, &first, &end, err));
		WH_TRY(empty_range(gc, first, end, err));
	} while (end);
	WH_TRY(transaction_begin(&tx, gc->db, err));
	WH_TRY(db_stmt(gc->db, STMT_LEASE_DELETE, &stmt, err));
	stmt_integer(stmt, 1, id);
	WH_TRY(step_done(stmt, err));
	return transaction_commit(&tx, err);
}

enum wh_status gc_end_leases(struct gc *gc, struct wh_error *err)
{
	struct stmt *stmt;
	int64_t id = -1;
	bool row, alive;

	for (;;) {
		WH_TRY(db_stmt(gc->db, STMT_LEASE_NEXT, &stmt, err));
		stmt_integer(stmt, 1, id);
		WH_TRY(stmt_step(stmt, &row, err));
		id = row ? column_integer(stmt, 0) : id;
		stmt_reset(stmt);
		if (!row)
			return WH_OK;
		WH_TRY(lease_is_alive(gc->db, id, &alive, err));
		if (!alive)
			WH_TRY(end_lease(gc, id, err));
	}
}
