/* tf/state.h: what paths mean, and what a save leaves beside its files. */
#ifndef WH_TF_STATE_H
#define WH_TF_STATE_H

#include "base/error.h"
#include <weighhouse/format.h>

/** The prefix that `path` means, malloc'd: of an .index or .data file, or the
 *  latest of a folder with a state file ("DIR:ckpt-2": a named one), or its
 *  variables/variables. */
enum wh_status tf_resolve(const char *path, char **prefix,
			  struct wh_error *err);

/** After a save: no shards of a checkpoint that was replaced, and the state
 *  file as the options say. */
enum wh_status tf_finish(const char *prefix,
			 const struct wh_state_options *options,
			 struct wh_error *err);

#endif
