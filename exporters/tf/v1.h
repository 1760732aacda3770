/* tf/v1.h: checkpoints of TensorFlow's first version, SaverDef.V1.
 *
 *	PATH, or PATH-SSSSS-of-NNNNN   a table (table.h): "" to a
 *	                               SavedTensorSlices with `meta`, the key of
 *	                               each slice to one with `data`
 *
 * Messages and numbers of their fields are those of
 * tensorflow/core/util/saved_tensor_slice.proto and framework/tensor.proto,
 * which dtype is in which field is saved_tensor_slice_util.h's. They are only
 * read: TensorFlow itself calls the form deprecated.
 */
#ifndef WH_TF_V1_H
#define WH_TF_V1_H

#include <stdio.h>

#include "tf/source.h"
#include "tf/table_file.h"

/** Whether `path` (a file, one of several, or all of them with `?` for the
 *  first number) is such a checkpoint. */
bool v1_probe(const char *path);

/** Opens one into an empty source. WH_ENOTFOUND, WH_ECORRUPT,
 *  WH_EUNSUPPORTED. */
enum wh_status v1_load(const char *path, struct tf_source *source,
		       struct wh_error *err);

extern const struct wh_source_ops v1_source_ops;

/* ---- One slice's value --------------------------------------------------- */

/** What lies in the files as varints or between tags, as payloads: a file
 *  without a name. */
struct v1_spool {
	FILE *file;
	uint64_t size;
	uint64_t n_strings; /* so far */
};

struct v1_value {
	bool spooled;
	uint64_t offset;   /* in the spool, or in the file */
	uint64_t *lengths; /* of strings, in the arena */
};

/** False for dtypes that the form doesn't hold. */
bool v1_holds(enum wh_dtype dtype);

/** Where the `n` elements of a SavedTensorSlices lie, after they were made to
 *  lie flat. WH_ECORRUPT naming `name` if they are more or fewer. */
enum wh_status v1_value_read(struct window *window, struct span message,
			     const char *name, enum wh_dtype dtype, uint64_t n,
			     struct arena *arena, struct v1_spool *spool,
			     struct v1_value *value, struct wh_error *err);

#endif
