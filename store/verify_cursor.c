/* How far a verification went that was cut short: two counters of the store,
 * ids of the last snapshot and the last tensor that were looked at. */
#include "verify.h"

#include "base/clock.h"

#define SNAPSHOT_AT "verify snapshot"
#define TENSOR_AT   "verify tensor"

bool verify_is_partial(const struct verification *all)
{
	return all->options->resume || all->options->time_limit_s;
}

bool verify_time_is_over(const struct verification *all)
{
	return all->end_ms && clock_ms() >= all->end_ms;
}

static enum wh_status load(struct db *db, const char *name, int64_t *value,
			   struct wh_error *err)
{
	struct stmt *stmt;

	WH_TRY(db_stmt(db, STMT_COUNTER_GET, &stmt, err));
	stmt_text(stmt, 1, name);
	return step_id(stmt, value, err);
}

enum wh_status verify_begin(struct verification *all, struct wh_error *err)
{
	const struct wh_verify_options *options = all->options;

	if (!verify_is_partial(all))
		return WH_OK;
	if (options->revision)
		return wh_fail(err, WH_EINVAL,
			       "only a whole store is verified in parts");
	if (!db_is_writable(all->db))
		return wh_fail(err, WH_EIO,
			       "'%s' is open for reading only: how far a part "
			       "went can't be noted",
			       db_path(all->db));
	if (options->time_limit_s)
		all->end_ms =
			clock_ms() + (int64_t)options->time_limit_s * 1000;
	if (!options->resume)
		return WH_OK;
	WH_TRY(load(all->db, SNAPSHOT_AT, &all->snapshot_at, err));
	return load(all->db, TENSOR_AT, &all->tensor_at, err);
}

static enum wh_status save(struct db *db, const char *name, int64_t value,
			   struct wh_error *err)
{
	struct stmt *stmt;

	WH_TRY(db_stmt(db, STMT_COUNTER_PUT, &stmt, err));
	stmt_text(stmt, 1, name);
	stmt_integer(stmt, 2, value);
	return step_done(stmt, err);
}

enum wh_status verify_end(struct verification *all, bool whole,
			  struct wh_error *err)
{
	AUTO_TRANSACTION tx = {0};

	if (!verify_is_partial(all))
		return WH_OK;
	WH_TRY(transaction_begin(&tx, all->db, err));
	WH_TRY(save(all->db, SNAPSHOT_AT, whole ? 0 : all->snapshot_at, err));
	WH_TRY(save(all->db, TENSOR_AT, whole ? 0 : all->tensor_at, err));
	return transaction_commit(&tx, err);
}
