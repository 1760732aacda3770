/* tf/state_file.h: the text file `checkpoint` of a folder.
 *
 * CheckpointState in protobuf's text format, a field a line
 * (python/training/checkpoint_state.proto):
 *	model_checkpoint_path: "ckpt-2"
 *	all_model_checkpoint_paths: "ckpt-1"
 *	all_model_checkpoint_paths: "ckpt-2"
 *	all_model_checkpoint_timestamps: 1795458596.1047466
 *	...
 *	last_preserved_timestamp: 1795458595.0
 * Timestamps are CheckpointManager's alone.
 */
#ifndef WH_TF_STATE_FILE_H
#define WH_TF_STATE_FILE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/error.h"

#define STATE_NAME "checkpoint"

struct state_entry {
	char *path;	  /* as it stands there: relative to the folder */
	double timestamp; /* seconds since 1970 */
};

struct state {
	char *latest;
	struct state_entry *entries; /* oldest first */
	uint32_t n_entries;
	size_t room;
	uint32_t n_timestamps; /* entries that have one: all, or none */
	double last_preserved;
	bool has_last_preserved;
};
/** A zeroed one is empty. */
void state_free(struct state *state);

/** `folder` is "" or may end in a slash. WH_ENOTFOUND; WH_ECORRUPT if the file
 *  names no checkpoint. */
enum wh_status state_read(const char *folder, struct state *state,
			  struct wh_error *err);

/** Appends a path, copied. */
enum wh_status state_add(struct state *state, const char *path,
			 double timestamp, struct wh_error *err);
/** Takes the entry `index` off the list. */
void state_remove(struct state *state, uint32_t index);

/** Replaces the folder's file in one step. */
enum wh_status state_write(const char *folder, const struct state *state,
			   struct wh_error *err);

#endif
