/* diff.h: two sources, tensor by tensor. */
#ifndef WEIGHHOUSE_DIFF_H
#define WEIGHHOUSE_DIFF_H

#include <weighhouse/source.h>

#ifdef __cplusplus
extern "C" {
#endif

enum wh_change {
	WH_CHANGE_ADDED = 0, /* in B alone */
	WH_CHANGE_REMOVED,   /* in A alone */
	WH_CHANGE_CHANGED,   /* other values */
	WH_CHANGE_RESHAPED,  /* another shape */
	WH_CHANGE_RETYPED,   /* another dtype */
	WH_CHANGE_RENAMED,   /* the same values under another name */
};

/** "added", "changed", ...; NULL if there is no such. */
WH_API const char *wh_change_name(enum wh_change change);

/** A tensor that differs. Names are B's, or A's where it was removed. */
struct wh_difference {
	enum wh_change change;
	const char *layer, *weight, *name;
	const char *by; /* how the pair was found: key, path, number, sha256;
			   or NULL */
	bool has_norms; /* changed, and of a dtype that has numbers */
	/* Of B - A over elements that are finite in both; NaN where there are
	 * none. `changed`: share of elements whose bits differ. `relative`:
	 * l2 over the norm of A. */
	double l2, max_abs, mean_abs, cosine, changed, relative;
	uint64_t n_nan, n_inf;	       /* in B */
	uint64_t n_new_nan, n_new_inf; /* there, where A has none */
	const char *former; /* A's name, paired by number or sha256; or NULL */
};

/** Nonzero stops. */
typedef int wh_diff_fn(void *arg, const struct wh_difference *difference);

struct wh_diff_options {
	/* Elements within atol + rtol * |a| count as equal. */
	double atol, rtol;
	wh_progress_fn *progress;
	void *arg; /* of progress */
};

/** Calls `fn` for each tensor that differs: B's in its order, then what was
 *  removed. Tensors are paired by key, then by layer and object path; then by
 *  either without the numbers that Keras gives to names ("dense_3/kernel" for
 *  "dense_1/kernel": "number"), in their order, where both have as many; then by
 *  equal SHA-256. Where SHA-256 says equal, no payload is read. Both are
 *  weighed first if they are not. Peak memory: 2 MiB.
 *  Errors as of the sources' read. */
WH_API enum wh_status wh_diff(struct wh_source *a, struct wh_source *b,
			      const struct wh_diff_options *options,
			      wh_diff_fn *fn, void *arg, struct wh_error *err);

#ifdef __cplusplus
}
#endif
#endif
