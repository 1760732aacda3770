/* log.h: what the walks of a log share (log.c, log_graph.c). */
#ifndef WH_STORE_LOG_H
#define WH_STORE_LOG_H

#include "snapshot.h"

struct listing {
	struct db *db;
	const struct wh_log_options *options;
	wh_snapshot_fn *fn;
	void *arg;
	uint64_t left;
	struct walk walk;
	bool stopped;
};

/** Tells of the snapshot if it lives and the filters let it through. */
enum wh_status log_show(struct listing *listing, int64_t id,
			struct wh_error *err);

/** Every snapshot, children first, line by line. */
enum wh_status log_graph(struct listing *listing, struct wh_error *err);

#endif
