/* watch_sources.h: files that are in the store, and go.
 *
 * Only what is safe is deleted: the snapshot is verified down to its payloads,
 * it gives the files back byte for byte, and they are still those that were
 * committed.
 */
#ifndef WH_CLI_WATCH_SOURCES_H
#define WH_CLI_WATCH_SOURCES_H

#include <weighhouse/store.h>

#include "checkpoint_path.h"

struct watch_source {
	char *path; /* owned */
	char snapshot[WH_ID_SIZE];
	struct checkpoint_state state;
	bool reproducible;
};

struct watch_sources {
	bool wanted;		    /* else they are all left alone */
	size_t keep;		    /* how many of the newest stay */
	struct watch_source *files; /* oldest first */
	size_t n;
};

void watch_sources_free(struct watch_sources *sources);

/** A checkpoint that is in the store; one of the same path before is not
 *  thought of any more. */
bool watch_sources_add(struct watch_sources *sources,
		       const struct watch_source *source);

enum watch_deletion {
	WATCH_DELETED,
	WATCH_NOT_REPRODUCIBLE, /* it stays */
	WATCH_NOT_AS_BEFORE,	/* it has changed, or is gone */
	WATCH_NOT_FILES,	/* a folder, as a SavedModel's */
	WATCH_UNDELETABLE,	/* errno says why */
};

/** Takes the oldest that has to go into `*gone` (its path the caller's); false
 *  if there is none. */
bool watch_sources_next(struct watch_sources *sources,
			struct watch_source *gone);

/** Reads all of the snapshot back: every payload gives the digest that it was
 *  committed with. WH_ECORRUPT: one doesn't; WH_ENOTFOUND: it was forgotten. */
enum wh_status watch_source_verify(struct wh_store *store, const char *snapshot,
				   struct wh_error *err);

/** Deletes the files of a source whose snapshot was verified. */
enum watch_deletion watch_source_delete(const struct watch_source *source);

#endif
