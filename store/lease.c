#include "lease.h"

#include <errno.h>
#include <unistd.h>

#include "store.h"

static enum wh_status reserve_id(struct db *db, int64_t *id,
				 struct wh_error *err)
{
	struct stmt *stmt;

	WH_TRY(db_stmt(db, STMT_LEASE_RESERVE, &stmt, err));
	WH_TRY(step_row(stmt, err));
	*id = column_integer(stmt, 0);
	return step_done(stmt, err);
}

enum wh_status lease_take(struct db *db, struct lease *lease, int64_t first,
			  int64_t end, struct wh_error *err)
{
	struct stmt *stmt;

	if (!lease->id) {
		int64_t id;

		WH_TRY(reserve_id(db, &id, err));
		/* Locked before gc can see the row. */
		WH_TRY(db_lock_byte(db, id, &lease->fd, err));
		lease->id = id;
	}
	WH_TRY(db_stmt(db, STMT_LEASE_INSERT, &stmt, err));
	stmt_integer(stmt, 1, lease->id);
	stmt_integer(stmt, 2, first);
	stmt_integer(stmt, 3, end);
	return step_done(stmt, err);
}

enum wh_status lease_end(struct db *db, const struct lease *lease,
			 struct wh_error *err)
{
	struct stmt *stmt;

	if (!lease->id)
		return WH_OK;
	WH_TRY(db_stmt(db, STMT_LEASE_DELETE, &stmt, err));
	stmt_integer(stmt, 1, lease->id);
	return step_done(stmt, err);
}

void lease_free(struct lease *lease)
{
	if (lease->id)
		close(lease->fd);
	lease->id = 0;
}

enum wh_status lease_is_alive(struct db *db, int64_t id, bool *alive,
			      struct wh_error *err)
{
	/* 0: what there was before leases. */
	*alive = false;
	return id ? db_test_byte(db, id, alive, err) : WH_OK;
}
