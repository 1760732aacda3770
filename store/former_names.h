/* former_names.h: weights that go on under another name.
 *
 * To the lineage's tables (lineage.h) a weight is its name. In a snapshot whose
 * layers Keras numbered anew (core/renumbered.h) all weights are new, and those
 * of before are removed.
 */
#ifndef WH_STORE_FORMER_NAMES_H
#define WH_STORE_FORMER_NAMES_H

#include "db.h"

/** Of the snapshot that was asked for last. A zeroed one is empty and valid. */
struct former_names {
	int64_t snapshot;
	int64_t *now, *before; /* weights; in the order of `now` */
	size_t n;
};

/** `*before`: the weight that `weight`, which is new in this snapshot, was until
 *  then, 0: none is known. */
enum wh_status former_name(struct db *db, struct former_names *names,
			   int64_t weight, int64_t snapshot, int64_t *before,
			   struct wh_error *err);
void former_names_free(struct former_names *names);

#endif
