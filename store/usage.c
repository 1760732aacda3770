/* What the parts of a store cost. */
#include "store.h"

static enum wh_status list_parts(struct db *db, enum statement which,
				 wh_usage_fn *fn, void *arg, bool *stopped,
				 struct wh_error *err)
{
	struct stmt *stmt;
	bool row;

	WH_TRY(db_stmt(db, which, &stmt, err));
	while (!*stopped) {
		struct wh_usage usage = {0};

		WH_TRY(stmt_step(stmt, &row, err));
		if (!row)
			break;
		usage.name = column_text(stmt, 0);
		usage.nbytes = (uint64_t)column_integer(stmt, 1);
		usage.stored_bytes = (uint64_t)column_integer(stmt, 2);
		usage.shared_bytes = (uint64_t)column_integer(stmt, 3);
		usage.own_bytes = usage.stored_bytes - usage.shared_bytes;
		*stopped = fn(arg, &usage);
	}
	stmt_reset(stmt);
	return WH_OK;
}

enum wh_status wh_usage(struct wh_store *store, enum wh_usage_by by,
			wh_usage_fn *fn, void *arg, struct wh_error *err)
{
	static const enum statement statements[] = {
		[WH_BY_SNAPSHOT] = STMT_USAGE_BY_SNAPSHOT,
		[WH_BY_LAYER] = STMT_USAGE_BY_LAYER,
		[WH_BY_TENSOR] = STMT_USAGE_BY_TENSOR,
		[WH_BY_RUN] = STMT_USAGE_BY_RUN,
	};
	struct wh_usage total = {.name = "total"};
	AUTO_TRANSACTION tx = {0};
	struct stmt *stmt;
	bool stopped = false;

	WH_TRY(transaction_read(&tx, store->db, err));
	WH_TRY(list_parts(store->db, statements[by], fn, arg, &stopped, err));
	if (stopped)
		return WH_OK;
	WH_TRY(db_stmt(store->db, STMT_USAGE_TOTAL, &stmt, err));
	WH_TRY(step_row(stmt, err));
	total.nbytes = (uint64_t)column_integer(stmt, 0);
	total.stored_bytes = (uint64_t)column_integer(stmt, 1);
	total.own_bytes = total.stored_bytes;
	stmt_reset(stmt);
	fn(arg, &total);
	return WH_OK;
}
