#include <weighhouse/run.h>

#include <math.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/random.h>

#include "base/nearest.h"
#include "base/text.h"
#include "metric_summary.h"
#include "ref.h"
#include "run.h"

#define MAX_KEY 4096 /* bytes of a metric's or a param's name */

/* RFC 9562, version 4. */
enum wh_status run_make_uuid(char uuid[37], struct wh_error *err)
{
	uint8_t b[16];
	char hex[33];

	if (getrandom(b, sizeof(b), 0) != (ssize_t)sizeof(b))
		return wh_fail_errno(err, errno, "random bytes");
	b[6] = (uint8_t)((b[6] & 0x0f) | 0x40);
	b[8] = (uint8_t)((b[8] & 0x3f) | 0x80);
	text_hex(b, sizeof(b), hex);
	snprintf(uuid, 37, "%.8s-%.4s-%.4s-%.4s-%.12s", hex, hex + 8, hex + 12,
		 hex + 16, hex + 20);
	return WH_OK;
}

/* ---- Finding and making ----------------------------------------------------
 */

static enum wh_status check_name(const char *what, const char *name,
				 struct wh_error *err)
{
	size_t len = name ? strlen(name) : 0;

	if (len && len <= MAX_KEY && text_is_name(name, len))
		return WH_OK;
	return wh_fail(err, WH_EINVAL,
		       "a %s must be valid UTF-8 of 1 to %d bytes", what,
		       MAX_KEY);
}

static enum wh_status find(struct db *db, const char *name, int64_t *id,
			   struct wh_error *err)
{
	struct stmt *stmt;

	WH_TRY(db_stmt(db, STMT_RUN_FIND, &stmt, err));
	stmt_text(stmt, 1, name);
	return step_id(stmt, id, err);
}

static enum wh_status not_found(struct db *db, const char *name,
				struct wh_error *err)
{
	struct nearest nearest;
	AUTO_STMT *stmt = NULL;
	bool row;

	nearest_begin(&nearest, name);
	WH_TRY(db_stmt(db, STMT_RUN_NAMES, &stmt, err));
	for (;;) {
		WH_TRY(stmt_step(stmt, &row, err));
		if (!row)
			break;
		nearest_offer(&nearest, column_text_or_empty(stmt, 0));
	}
	if (*nearest.name)
		return wh_fail(err, WH_ENOTFOUND,
			       "there is no run '%s'; did you mean '%s'?", name,
			       nearest.name);
	return wh_fail(err, WH_ENOTFOUND, "there is no run '%s'", name);
}

enum wh_status run_require(struct db *db, const char *name, int64_t *id,
			   struct wh_error *err)
{
	WH_TRY(find(db, name, id, err));
	return *id ? WH_OK : not_found(db, name, err);
}

static enum wh_status insert(struct db *db, const char *name, int64_t *id,
			     struct wh_error *err)
{
	struct stmt *stmt;
	char uuid[37];

	WH_TRY(check_name("run's name", name, err));
	WH_TRY(run_make_uuid(uuid, err));
	WH_TRY(db_stmt(db, STMT_RUN_INSERT, &stmt, err));
	stmt_text(stmt, 1, uuid);
	stmt_text(stmt, 2, name);
	stmt_text(stmt, 3, "running");
	stmt_integer(stmt, 4, ref_now());
	return step_insert(stmt, id, err);
}

/* ---- Start and end ---------------------------------------------------------
 */

static enum wh_status put_origin(struct db *db, int64_t run,
				 const struct wh_run_origin *origin,
				 struct wh_error *err)
{
	struct stmt *stmt;

	WH_TRY(db_stmt(db, STMT_RUN_ORIGIN_PUT, &stmt, err));
	stmt_integer(stmt, 1, run);
	stmt_text(stmt, 2, origin->host);
	stmt_text(stmt, 3, origin->folder);
	stmt_text(stmt, 4, origin->command);
	stmt_text(stmt, 5, origin->git_commit);
	if (origin->git_commit && origin->git_dirty >= 0)
		stmt_integer(stmt, 6, origin->git_dirty != 0);
	stmt_text(stmt, 7, origin->versions);
	return step_done(stmt, err);
}

static enum wh_status put_params(struct db *db, int64_t run,
				 const struct wh_param *params, size_t n,
				 struct wh_error *err)
{
	struct stmt *stmt;
	size_t i;

	for (i = 0; i < n; i++) {
		WH_TRY(check_name("param's name", params[i].key, err));
		if (!text_is_name(params[i].value, strlen(params[i].value)))
			return wh_fail(err, WH_EINVAL,
				       "a param's value must be valid UTF-8");
		WH_TRY(db_stmt(db, STMT_PARAM_PUT, &stmt, err));
		stmt_integer(stmt, 1, run);
		stmt_text(stmt, 2, params[i].key);
		stmt_text(stmt, 3, params[i].value);
		WH_TRY(step_done(stmt, err));
	}
	return WH_OK;
}

static enum wh_status put_tags(struct db *db, int64_t run,
			       const char *const *tags, struct wh_error *err)
{
	struct stmt *stmt;

	for (; tags && *tags; tags++) {
		WH_TRY(check_name("tag", *tags, err));
		WH_TRY(db_stmt(db, STMT_RUN_TAG_PUT, &stmt, err));
		stmt_integer(stmt, 1, run);
		stmt_text(stmt, 2, *tags);
		WH_TRY(step_done(stmt, err));
	}
	return WH_OK;
}

enum wh_status wh_run_start(struct wh_store *store,
			    const struct wh_run_request *request,
			    struct wh_error *err)
{
	AUTO_TRANSACTION tx = {0};
	struct db *db = store->db;
	int64_t id;

	WH_TRY(transaction_begin(&tx, db, err));
	WH_TRY(find(db, request->name, &id, err));
	if (id)
		return wh_fail(err, WH_EEXISTS, "there is a run '%s' already",
			       request->name);
	WH_TRY(insert(db, request->name, &id, err));
	WH_TRY(put_origin(db, id, &request->origin, err));
	WH_TRY(put_params(db, id, request->params, request->n_params, err));
	WH_TRY(put_tags(db, id, request->tags, err));
	return transaction_commit(&tx, err);
}

static bool is_status(const char *status)
{
	return strcmp(status, "finished") == 0 ||
	       strcmp(status, "failed") == 0 || strcmp(status, "killed") == 0;
}

enum wh_status wh_run_end(struct wh_store *store, const char *name,
			  const char *status, int exit_status,
			  struct wh_error *err)
{
	AUTO_TRANSACTION tx = {0};
	struct stmt *stmt;
	int64_t id;

	if (!is_status(status))
		return wh_fail(err, WH_EINVAL,
			       "a run ends finished, failed or killed, not "
			       "'%s'",
			       status);
	WH_TRY(transaction_begin(&tx, store->db, err));
	WH_TRY(run_require(store->db, name, &id, err));
	WH_TRY(db_stmt(store->db, STMT_RUN_END, &stmt, err));
	stmt_text(stmt, 1, name);
	stmt_text(stmt, 2, status);
	stmt_integer(stmt, 3, ref_now());
	WH_TRY(step_done(stmt, err));
	if (exit_status >= 0) {
		WH_TRY(db_stmt(store->db, STMT_RUN_EXIT_PUT, &stmt, err));
		stmt_integer(stmt, 1, id);
		stmt_integer(stmt, 2, exit_status);
		WH_TRY(step_done(stmt, err));
	}
	return transaction_commit(&tx, err);
}

enum wh_status wh_run_resume(struct wh_store *store, const char *name,
			     struct wh_error *err)
{
	AUTO_TRANSACTION tx = {0};
	struct stmt *stmt;
	int64_t id;

	WH_TRY(transaction_begin(&tx, store->db, err));
	WH_TRY(run_require(store->db, name, &id, err));
	WH_TRY(db_stmt(store->db, STMT_RUN_RESUME, &stmt, err));
	stmt_text(stmt, 1, name);
	WH_TRY(step_done(stmt, err));
	return transaction_commit(&tx, err);
}

enum wh_status wh_param_set(struct wh_store *store, const char *run,
			    const struct wh_param *params, size_t n,
			    struct wh_error *err)
{
	AUTO_TRANSACTION tx = {0};
	int64_t id;

	WH_TRY(transaction_begin(&tx, store->db, err));
	WH_TRY(run_require(store->db, run, &id, err));
	WH_TRY(put_params(store->db, id, params, n, err));
	return transaction_commit(&tx, err);
}

/* ---- Metrics ---------------------------------------------------------------
 */

int metric_class(double value)
{
	if (isnan(value))
		return METRIC_NAN;
	if (isinf(value))
		return value > 0 ? METRIC_INFINITE : METRIC_NEGATIVE_INFINITE;
	return METRIC_NUMBER;
}

double metric_value(int64_t class_, double number)
{
	switch (class_) {
	case METRIC_NAN:
		return (double)NAN;
	case METRIC_INFINITE:
		return (double)INFINITY;
	case METRIC_NEGATIVE_INFINITE:
		return -(double)INFINITY;
	default:
		return number;
	}
}

static enum wh_status is_there(struct db *db, int64_t run,
			       const struct wh_metric_point *point, bool *there,
			       struct wh_error *err)
{
	int class_ = metric_class(point->value);
	struct stmt *stmt;

	WH_TRY(db_stmt(db, STMT_METRIC_IS_THERE, &stmt, err));
	stmt_integer(stmt, 1, run);
	stmt_text(stmt, 2, point->key);
	stmt_integer(stmt, 3, point->step);
	stmt_integer(stmt, 4, class_);
	if (class_ == METRIC_NUMBER)
		stmt_real(stmt, 5, point->value);
	WH_TRY(stmt_step(stmt, there, err));
	stmt_reset(stmt);
	return WH_OK;
}

/* The next older snapshot at the point's step, without a value of its key;
 * 0: there is none. */
static enum wh_status next_snapshot(struct db *db, int64_t run,
				    const struct wh_metric_point *point,
				    int64_t *snapshot, struct wh_error *err)
{
	struct stmt *stmt;

	WH_TRY(db_stmt(db, STMT_SNAPSHOT_OF_STEP, &stmt, err));
	stmt_integer(stmt, 1, run);
	stmt_integer(stmt, 2, point->step);
	stmt_integer(stmt, 3, *snapshot);
	WH_TRY(step_id(stmt, snapshot, err));
	if (!*snapshot)
		return WH_OK;
	WH_TRY(db_stmt(db, STMT_METRIC_DETACH, &stmt, err));
	stmt_integer(stmt, 1, *snapshot);
	stmt_text(stmt, 2, point->key);
	return step_done(stmt, err);
}

static enum wh_status insert_point(struct db *db, int64_t run,
				   const struct wh_metric_point *point,
				   int64_t now, int64_t snapshot,
				   struct wh_error *err)
{
	int class_ = metric_class(point->value);
	struct stmt *stmt;

	WH_TRY(db_stmt(db, STMT_METRIC_APPEND, &stmt, err));
	stmt_integer(stmt, 1, run);
	stmt_text(stmt, 2, point->key);
	stmt_integer(stmt, 3, point->step);
	stmt_integer(stmt, 4, point->time ? point->time : now);
	stmt_integer(stmt, 5, class_);
	if (class_ == METRIC_NUMBER)
		stmt_real(stmt, 6, point->value);
	if (snapshot)
		stmt_integer(stmt, 7, snapshot);
	return step_done(stmt, err);
}

/* A row for each snapshot that has the value; one, where none has it. */
static enum wh_status append(struct db *db, int64_t run,
			     const struct wh_metric_point *point, int64_t now,
			     size_t *n_added, struct wh_error *err)
{
	int64_t snapshot = INT64_MAX;
	bool there = false;

	*n_added = 0;
	WH_TRY(check_name("metric's name", point->key, err));
	if (point->once)
		WH_TRY(is_there(db, run, point, &there, err));
	if (there)
		return WH_OK;
	if (point->of_snapshot)
		WH_TRY(next_snapshot(db, run, point, &snapshot, err));
	else
		snapshot = 0;
	do {
		WH_TRY(insert_point(db, run, point, now, snapshot, err));
		++*n_added;
		if (snapshot)
			WH_TRY(next_snapshot(db, run, point, &snapshot, err));
	} while (snapshot);
	return WH_OK;
}

/* From so many on, one row for each metric costs less than a trigger's work for
 * each value, and preparing the statements anew. */
#define MANY_POINTS 64

/* Points of one run mostly come together. */
static enum wh_status log_points(struct db *db,
				 const struct wh_metric_point *points, size_t n,
				 struct metric_summaries *sums,
				 struct wh_error *err)
{
	const char *name = NULL;
	int64_t run = 0, now = ref_now();
	size_t i, n_added;

	for (i = 0; i < n; i++) {
		if (!name || strcmp(name, points[i].run) != 0) {
			if (sums)
				WH_TRY(metric_summaries_put(sums, db, run,
							    err));
			name = points[i].run;
			WH_TRY(find(db, name, &run, err));
			if (!run)
				WH_TRY(insert(db, name, &run, err));
		}
		WH_TRY(append(db, run, &points[i], now, &n_added, err));
		for (; n_added && sums; n_added--)
			WH_TRY(metric_summaries_add(sums, &points[i], err));
	}
	return sums ? metric_summaries_put(sums, db, run, err) : WH_OK;
}

enum wh_status wh_metric_log(struct wh_store *store,
			     const struct wh_metric_point *points, size_t n,
			     struct wh_error *err)
{
	AUTO_TRANSACTION tx = {0};
	struct metric_summaries sums = {0};
	bool many = n >= MANY_POINTS;
	enum wh_status status;

	WH_TRY(transaction_begin(&tx, store->db, err));
	transaction_trust(&tx, many);
	status = log_points(store->db, points, n, many ? &sums : NULL, err);
	metric_summaries_free(&sums);
	return status ? status : transaction_commit(&tx, err);
}

/* ---- A series ---------------------------------------------------------------
 */

#define POINTS 256 /* of a batch */

struct series {
	struct db *db;
	int64_t run;
	const char *key;
	int64_t step, seq; /* of the last one that was read */
	size_t n;
	struct {
		int64_t step, time;
		double value;
	} points[POINTS];
};

static enum wh_status read_points(struct series *series, struct wh_error *err)
{
	AUTO_STMT *stmt = NULL;
	bool row;

	WH_TRY(db_stmt(series->db, STMT_METRIC_SERIES, &stmt, err));
	stmt_integer(stmt, 1, series->run);
	stmt_text(stmt, 2, series->key);
	stmt_integer(stmt, 3, series->step);
	stmt_integer(stmt, 4, series->seq);
	for (series->n = 0; series->n < POINTS; series->n++) {
		WH_TRY(stmt_step(stmt, &row, err));
		if (!row)
			break;
		series->step = column_integer(stmt, 0);
		series->seq = column_integer(stmt, 1);
		series->points[series->n].step = series->step;
		series->points[series->n].time = column_integer(stmt, 4);
		series->points[series->n].value = metric_value(
			column_integer(stmt, 2), column_real(stmt, 3));
	}
	return WH_OK;
}

/* In batches: who is told may be slow, and must not hold the store. */
enum wh_status wh_metric_series(struct wh_store *store, const char *run,
				const char *key, wh_metric_fn *fn, void *arg,
				struct wh_error *err)
{
	struct series series = {
		.db = store->db, .key = key, .step = INT64_MIN, .seq = -1};
	size_t i;

	WH_TRY(run_require(store->db, run, &series.run, err));
	do {
		WH_TRY(read_points(&series, err));
		for (i = 0; i < series.n; i++)
			if (fn(arg, series.points[i].step,
			       series.points[i].time, series.points[i].value))
				return WH_OK;
	} while (series.n == POINTS);
	return WH_OK;
}
