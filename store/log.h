/* log.h: what the walks of a log share (log.c, log_graph.c, log_wanted.c). */
#ifndef WH_STORE_LOG_H
#define WH_STORE_LOG_H

#include "snapshot.h"

/** The weights that globs mean (log_wanted.c). */
struct wanted {
	struct wanted_weight {
		int64_t id;
		int64_t newest; /* its newest change that wasn't told yet */
	} * weights;		/* by id */
	size_t n, room;
	bool leads; /* the walk goes from change to change */
};

struct listing {
	struct db *db;
	const struct wh_log_options *options;
	wh_snapshot_fn *fn;
	void *arg;
	uint64_t left;
	struct walk walk;
	int64_t excluded;      /* its ancestors end the walk; 0: none */
	struct wanted *wanted; /* NULL: all snapshots are */
	bool stopped;
};

/** Tells of the snapshot if it lives and the filters let it through. */
enum wh_status log_show(struct listing *listing, int64_t id,
			struct wh_error *err);

/** The same for one of a walk; with options->exclude it may end there. */
enum wh_status log_visit(struct listing *listing, int64_t id,
			 struct wh_error *err);

/** Fills listing->wanted by options->globs: weights by the names that
 *  wh_history has for them, and by those that tensors have at `tip` (0: none)
 *  or at a branch or tag. */
enum wh_status wanted_find(struct listing *listing, int64_t tip,
			   struct wh_error *err);
void wanted_free(struct wanted *wanted);

/** Whether the snapshot has other tensors than its parent there. */
enum wh_status wanted_changed(struct listing *listing, int64_t snapshot,
			      bool *yes, struct wh_error *err);

/** Tells of those among `tip` and its ancestors that changed a wanted weight.
 *  What a forgotten snapshot changed is told of the one after it. */
enum wh_status wanted_walk(struct listing *listing, int64_t tip,
			   struct wh_error *err);

/** Every snapshot, children first, line by line. */
enum wh_status log_graph(struct listing *listing, struct wh_error *err);

#endif
