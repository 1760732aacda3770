/* snapshot_source.h: a stored snapshot as a source: snapshot.c opens and reads
 * it, snapshot_manifest.c makes its manifest. */
#ifndef WH_STORE_SNAPSHOT_SOURCE_H
#define WH_STORE_SNAPSHOT_SOURCE_H

#include "chunk.h"
#include "snapshot.h"
#include <weighhouse/source.h>

struct place { /* of one tensor */
	int64_t tensor;
	_Atomic int64_t storage; /* gc --deep and repairs move it */
};

struct snapshot_source {
	struct wh_source base; /* first: they are cast into each other */
	struct db *db;
	struct arena arena;
	struct chunk_pool *pool;
	struct place *places; /* in the manifest's order */
	char id[WH_ID_SIZE];
};

/** The manifest of the snapshot in row `id`, and where its payloads lie, out of
 *  rows that are checked as they come. In a transaction, since gc may run.
 *  WH_ECORRUPT for rows that are damaged, or gone. */
enum wh_status snapshot_source_load(struct snapshot_source *source, int64_t id,
				    struct wh_error *err);

#endif
