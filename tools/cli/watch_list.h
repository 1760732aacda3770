/* watch_list.h: checkpoints of a folder that is watched, and when each is
 * complete.
 *
 *	moved here		complete at once
 *	closed by its writer	after a short silence: some open it twice
 *	found, or still open	after a long silence
 *	given up		when it changes again
 *
 * What can't be read then may still be written: it is tried once more after a
 * long silence before it is given up. Nothing here looks at a clock or a file.
 */
#ifndef WH_CLI_WATCH_LIST_H
#define WH_CLI_WATCH_LIST_H

#include "checkpoint_path.h"
#include "name_pattern.h"

#define WATCH_LONG 20 /* times the short silence */

enum watch_notice {
	WATCH_CHANGED, /* found, made or written to */
	WATCH_CLOSED,  /* by its writer */
	WATCH_MOVED,   /* here, under this name */
};

/** How much has to be complete before it is taken. */
enum watch_haste {
	WATCH_PATIENT,	/* silence, as above */
	WATCH_STOPPING, /* closed or moved, or after a long silence */
	WATCH_ENDED,	/* its writer has ended: all of it */
};

struct watch_file {
	char *path;	  /* of the checkpoint; owned */
	const char *name; /* in the folder that is watched */
	bool dirty;
	enum watch_notice last; /* the strongest since it changed */
	int64_t changed_ms, retry_ms;
	unsigned n_failed; /* since it changed */
	struct checkpoint_state seen, taken;
	struct name_values said;
	bool met;	   /* its main file was there, complete */
	bool said_nothing; /* its name doesn't fit the pattern: told */
};

struct watch_list {
	struct watch_file **files; /* by path */
	size_t n, room;
	int64_t settle_ms; /* the short silence */
};

void watch_list_free(struct watch_list *list);

/** The file of that path, which is added if need be; NULL without memory.
 *  Its name begins `root` bytes into the path. */
struct watch_file *watch_list_get(struct watch_list *list, const char *path,
				  size_t root);

/** Something has happened to it. */
void watch_note(struct watch_file *file, enum watch_notice notice,
		int64_t now_ms);

/** A look at it: dirty if it isn't as at the last look. `age_ms`: how long it
 *  has been so already. */
void watch_look(struct watch_file *file, const struct checkpoint_state *state,
		int64_t age_ms, int64_t now_ms);

/** Milliseconds until it can be taken: 0 now, -1 never as it is. */
int64_t watch_due(const struct watch_list *list, const struct watch_file *file,
		  enum watch_haste haste, int64_t now_ms);

/** It is in the store as `state` says, or left out. */
void watch_took(struct watch_file *file, const struct checkpoint_state *state);

/** It changed while it was read. */
void watch_again(struct watch_file *file, int64_t now_ms);

/** It can't be read: false if it may be half-written and is tried again, true
 *  if it is given up until it changes. */
bool watch_failed(const struct watch_list *list, struct watch_file *file,
		  enum watch_haste haste, int64_t now_ms);

/** Fills `due` (room for list->n) with what can be taken now, in order: by
 *  time, those with a step among themselves by it; how many. What may be
 *  complete soon and came before is waited for, for a long silence at most. */
size_t watch_list_due(const struct watch_list *list, enum watch_haste haste,
		      int64_t now_ms, struct watch_file **due);

/** Until something is due; -1 if nothing is. */
int64_t watch_list_wait(const struct watch_list *list, enum watch_haste haste,
			int64_t now_ms);

#endif
