/* history.h: when weights changed. */
#ifndef WEIGHHOUSE_HISTORY_H
#define WEIGHHOUSE_HISTORY_H

#include <weighhouse/store.h>

#ifdef __cplusplus
extern "C" {
#endif

/** A snapshot in which a weight was not what it was before. Strings live as
 *  long as the callback runs. */
struct wh_weight_change {
	const char *layer, *weight; /* as in the view `weights` */
	char snapshot[WH_ID_SIZE];
	bool gone;	 /* gc took the snapshot: no time, run, step */
	int64_t time;	 /* UTC seconds */
	const char *run; /* or NULL */
	bool has_step, has_epoch;
	int64_t step, epoch;
	bool removed;		 /* the weight is not there from here on */
	char sha256[WH_ID_SIZE]; /* of the payload; "" where removed */
	/* NaN where it is not known: what has no numbers, or was removed. */
	double l2;
	double l2_before; /* at the change before this one */
	uint64_t n_nan, n_inf;
};
typedef int wh_weight_change_fn(void *arg,
				const struct wh_weight_change *change);

struct wh_history_options {
	const char *revision;	  /* its ancestors and itself; NULL: HEAD */
	const char *const *globs; /* of LAYER/WEIGHT, LAYER or WEIGHT;
				     NULL-terminated; NULL: all */
	uint64_t limit;		  /* changes of each weight; 0: all */
};

/** Weight by weight, in the order in which the store met them, each newest
 *  first. Reads no payload: a row is kept where a weight changed.
 *  WH_ENOTFOUND where no weight matches. */
WH_API enum wh_status wh_history(struct wh_store *store,
				 const struct wh_history_options *options,
				 wh_weight_change_fn *fn, void *arg,
				 struct wh_error *err);

#ifdef __cplusplus
}
#endif
#endif
