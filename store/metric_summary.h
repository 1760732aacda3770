/* metric_summary.h: what many new values of one run add to the summaries of its
 * metrics, in one row each: what the trigger metric_is_summed does value by
 * value, for half of the time of recording them. */
#ifndef WH_STORE_METRIC_SUMMARY_H
#define WH_STORE_METRIC_SUMMARY_H

#include "core/name_map.h"
#include "store.h"
#include <weighhouse/run.h>

/** A zeroed one is empty. Keys are borrowed. */
struct metric_summaries {
	struct metric_summary *list;
	uint32_t n;
	size_t room;
	struct name_map places; /* key -> place in `list` */
};

void metric_summaries_free(struct metric_summaries *all);

/** Counts a value, in the order in which values are recorded. */
enum wh_status metric_summaries_add(struct metric_summaries *all,
				    const struct wh_metric_point *point,
				    struct wh_error *err);

/** Adds them to a run's rows, in the transaction that inserts the values with
 *  triggers off; then there are none. */
enum wh_status metric_summaries_put(struct metric_summaries *all, struct db *db,
				    int64_t run, struct wh_error *err);

#endif
