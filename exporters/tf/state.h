/* tf/state.h: the `checkpoint` file of a folder, and what paths mean.
 *
 * Text format of CheckpointState (training/checkpoint_state.proto):
 *	model_checkpoint_path: "ckpt"
 *	all_model_checkpoint_paths: "ckpt"
 */
#ifndef WH_TF_STATE_H
#define WH_TF_STATE_H

#include "base/error.h"

/** The prefix that `path` means, malloc'd: of an .index or .data file, or the
 *  latest of a folder with a state file, or its variables/variables. */
enum wh_status tf_resolve(const char *path, char **prefix,
			  struct wh_error *err);

/** What save_weights leaves beside the files of `prefix`: the state file with
 *  this one path, and no shards of a checkpoint that was replaced. */
enum wh_status tf_finish(const char *prefix, struct wh_error *err);

#endif
