/* run.h: training runs: what was set, what was measured, how it ended. */
#ifndef WEIGHHOUSE_RUN_H
#define WEIGHHOUSE_RUN_H

#include <weighhouse/store.h>

#ifdef __cplusplus
extern "C" {
#endif

/** What is recorded when a run starts; each may be NULL. The library looks at
 *  nothing by itself: the caller says what it wants to be known. */
struct wh_run_origin {
	const char *host, *folder;
	const char *command; /* the command line, free of secrets */
	const char *git_commit;
	int git_dirty; /* 1, 0, or -1: not known */
	const char *versions;
};

struct wh_run_request {
	const char *name;
	const struct wh_param *params;
	size_t n_params;
	const char *const *tags; /* NULL-terminated, or NULL */
	struct wh_run_origin origin;
};

/** A new run, with status "running". WH_EEXISTS if there is one of that name.
 */
WH_API enum wh_status wh_run_start(struct wh_store *store,
				   const struct wh_run_request *request,
				   struct wh_error *err);

/** Ends it. `status`: finished, failed or killed; `exit_status` as a shell
 *  tells it, or -1. Ending it again replaces what was said. WH_ENOTFOUND. */
WH_API enum wh_status wh_run_end(struct wh_store *store, const char *name,
				 const char *status, int exit_status,
				 struct wh_error *err);

/** Sets a run that is there running again. WH_ENOTFOUND. */
WH_API enum wh_status wh_run_resume(struct wh_store *store, const char *name,
				    struct wh_error *err);

/** Of one metric of a run. */
struct wh_run_metric {
	const char *key;
	uint64_t n;
	int64_t step;	 /* the highest */
	double last;	 /* there */
	double min, max; /* of all that are not NaN; NaN if all are */
};

/** Strings live as long as the callback runs. */
struct wh_run {
	const char *name, *uuid, *status;
	int64_t started, ended; /* UTC seconds */
	bool has_ended;
	uint64_t n_snapshots; /* living ones */
	const struct wh_param *params;
	size_t n_params;
	const struct wh_run_metric *metrics;
	size_t n_metrics;
	const char *const *tags; /* NULL-terminated */
	struct wh_run_origin origin;
	int exit_status; /* or -1 */
};
typedef int wh_run_fn(void *arg, const struct wh_run *run);

/** Newest first; reads no metric and no snapshot, but summaries of them. */
WH_API enum wh_status wh_run_list(struct wh_store *store, wh_run_fn *fn,
				  void *arg, struct wh_error *err);
/** WH_ENOTFOUND, with the nearest name. */
WH_API enum wh_status wh_run_get(struct wh_store *store, const char *name,
				 wh_run_fn *fn, void *arg,
				 struct wh_error *err);

/** A value that was measured. */
struct wh_metric_point {
	const char *run, *key;
	int64_t step;
	int64_t time; /* UTC seconds; 0: now */
	double value; /* NaN and infinities are kept as such */
	bool once;    /* not where the run has this value at this step */
	/* Also a metric of the run's snapshots at this step, of each message
	 * the newest, instead of what they had: a value for each, or one where
	 * there is none. See wh_commit_options.adopt. */
	bool of_snapshot;
};

/** Adds all points in one transaction: after it they are durable. A run that
 *  there isn't is made. A second value of a step is kept beside the first.
 *  More than 200,000 points a second in batches of some thousands. WH_EINVAL
 *  for a name that is empty, too long or no UTF-8: then none is added. */
WH_API enum wh_status wh_metric_log(struct wh_store *store,
				    const struct wh_metric_point *points,
				    size_t n, struct wh_error *err);

/** Values of one metric of a run, by step, those of one step in the order in
 *  which they came; `time` in UTC seconds. Nonzero stops. WH_ENOTFOUND for a
 * run that there isn't; no call for a metric that it hasn't. */
typedef int wh_metric_fn(void *arg, int64_t step, int64_t time, double value);
WH_API enum wh_status wh_metric_series(struct wh_store *store, const char *run,
				       const char *key, wh_metric_fn *fn,
				       void *arg, struct wh_error *err);

/** Sets params of a run that is there, instead of what those keys were.
 *  WH_ENOTFOUND; WH_EINVAL for a name that is empty, too long or no UTF-8. */
WH_API enum wh_status wh_param_set(struct wh_store *store, const char *run,
				   const struct wh_param *params, size_t n,
				   struct wh_error *err);

#ifdef __cplusplus
}
#endif
#endif
