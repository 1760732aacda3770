/* What the parts of a store cost. */
#include <stdio.h>

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

/* ---- The file: codings, free pages, and all that is no payload -------------
 */

static bool tell_part(wh_usage_fn *fn, void *arg, const char *name,
		      uint64_t nbytes, uint64_t stored)
{
	const struct wh_usage usage = {.name = name,
				       .nbytes = nbytes,
				       .stored_bytes = stored,
				       .own_bytes = stored};

	return fn(arg, &usage) != 0;
}

static enum wh_status list_codings(struct db *db, wh_usage_fn *fn, void *arg,
				   uint64_t *explained, bool *stopped,
				   struct wh_error *err)
{
	struct stmt *stmt;
	bool row;

	WH_TRY(db_stmt(db, STMT_USAGE_CODINGS, &stmt, err));
	while (!*stopped) {
		char name[48];
		uint64_t stored;

		WH_TRY(stmt_step(stmt, &row, err));
		if (!row)
			break;
		snprintf(name, sizeof(name), "payload, codec %lld",
			 (long long)column_integer(stmt, 0));
		stored = (uint64_t)column_integer(stmt, 2);
		*explained += stored;
		*stopped = tell_part(fn, arg, name,
				     (uint64_t)column_integer(stmt, 1), stored);
	}
	stmt_reset(stmt);
	return WH_OK;
}

static enum wh_status list_file(struct db *db, uint64_t total, wh_usage_fn *fn,
				void *arg, bool *stopped, struct wh_error *err)
{
	uint64_t explained = 0, n_free;
	struct stmt *stmt;

	WH_TRY(list_codings(db, fn, arg, &explained, stopped, err));
	WH_TRY(db_stmt(db, STMT_USAGE_FREE, &stmt, err));
	WH_TRY(step_row(stmt, err));
	n_free = (uint64_t)column_integer(stmt, 0);
	stmt_reset(stmt);
	explained += n_free;
	if (!*stopped)
		*stopped = tell_part(fn, arg, "free pages", 0, n_free);
	if (!*stopped)
		*stopped = tell_part(fn, arg, "rows, indexes, rests of pages",
				     0, total - explained);
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
	if (by != WH_BY_FILE)
		WH_TRY(list_parts(store->db, statements[by], fn, arg, &stopped,
				  err));
	if (stopped)
		return WH_OK;
	WH_TRY(db_stmt(store->db, STMT_USAGE_TOTAL, &stmt, err));
	WH_TRY(step_row(stmt, err));
	total.nbytes = (uint64_t)column_integer(stmt, 0);
	total.stored_bytes = (uint64_t)column_integer(stmt, 1);
	total.own_bytes = total.stored_bytes;
	stmt_reset(stmt);
	if (by == WH_BY_FILE)
		WH_TRY(list_file(store->db, total.stored_bytes, fn, arg,
				 &stopped, err));
	if (stopped)
		return WH_OK;
	fn(arg, &total);
	return WH_OK;
}
