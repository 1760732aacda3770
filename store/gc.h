/* gc.h: one sweep, in batches. */
#ifndef WH_STORE_GC_H
#define WH_STORE_GC_H

#include "store.h"
#include <weighhouse/keep.h>

#define GC_TURN_MS 250 /* at the turn lock, at most */

struct gc {
	struct db *db;
	const struct wh_gc_options *options;
	int64_t forgotten_by; /* seconds: what was forgotten until then goes */
	struct wh_gc_result result;
};

/** A transaction in which facts may be deleted, until its time is up. */
struct gc_turn {
	struct transaction tx;
	int64_t until_ms;
};
#define AUTO_GC_TURN struct gc_turn __attribute__((cleanup(gc_turn_end)))

enum wh_status gc_turn_begin(struct gc_turn *turn, struct db *db,
			     struct wh_error *err);
bool gc_turn_is_over(const struct gc_turn *turn);
enum wh_status gc_turn_commit(struct gc_turn *turn, struct wh_error *err);
void gc_turn_end(struct gc_turn *turn);

/** gc_sweep.c: snapshots, then what nothing names, from trees to chunks. */
enum wh_status gc_sweep(struct gc *gc, struct wh_error *err);

/** Storages that neither a tensor nor another storage needs. */
enum wh_status gc_sweep_storages(struct gc *gc, struct wh_error *err);

/** gc_deep.c: recodes old history. */
enum wh_status gc_deepen(struct gc *gc, struct wh_error *err);

/** gc_lease.c: what commits that died have left. */
enum wh_status gc_end_leases(struct gc *gc, struct wh_error *err);

/** Chunks of a storage while there is time; `*done`: none is left. */
enum wh_status gc_delete_chunks(struct gc *gc, const struct gc_turn *turn,
				int64_t storage, bool *done,
				struct wh_error *err);

#endif
