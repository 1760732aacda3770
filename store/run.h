/* run.h: rows of runs and metrics. */
#ifndef WH_STORE_RUN_H
#define WH_STORE_RUN_H

#include "base/arena.h"
#include "store.h"

/* metric.class: SQLite turns NaN into NULL. */
enum metric_class {
	METRIC_NUMBER = 0,
	METRIC_NAN = 1,
	METRIC_INFINITE = 2,
	METRIC_NEGATIVE_INFINITE = 3,
};
int metric_class(double value);
double metric_value(int64_t class_, double number);

/** The row of a run; WH_ENOTFOUND, with the nearest name. */
enum wh_status run_require(struct db *db, const char *name, int64_t *id,
			   struct wh_error *err);

/** A run's params, by key; in the arena. */
enum wh_status run_params(struct db *db, int64_t id, struct arena *arena,
			  const struct wh_param **params, size_t *n_params,
			  struct wh_error *err);

/** RFC 9562, version 4. */
enum wh_status run_make_uuid(char uuid[37], struct wh_error *err);

#endif
