/* hdf5/file_source.h: an opened HDF5 file as a source. */
#ifndef WH_HDF5_FILE_SOURCE_H
#define WH_HDF5_FILE_SOURCE_H

#include <sys/stat.h>

#include "base/arena.h"
#include "core/manifest.h"
#include "hdf5/dataset.h"
#include "hdf5/input_fd.h"
#include <weighhouse/source.h>

/** A run of the file that belongs to the skeleton. */
struct skeleton_run {
	uint64_t start, offset, length; /* in the skeleton, in the file */
};

struct h5_source {
	struct wh_source base; /* first: they are cast into each other */
	struct arena arena;
	struct input_file input;
	struct stat opened; /* the file as it was */
	hid_t file;    /* open while tensors are read through libhdf5, else 0 */
	hid_t dataset; /* the one that was read last, or 0 */
	uint32_t dataset_index;
	struct h5_dataset *datasets; /* one a tensor; malloc'd */
	uint32_t n_datasets, capacity;
	struct skeleton_run *runs; /* in the arena */
	uint32_t n_runs;
};

extern const struct wh_source_ops h5_source_ops;

/** Opens the file at `path`; no libhdf5 yet. WH_ENOTFOUND, WH_EIO, WH_EINVAL
 *  if it is no regular file. The caller closes the source. */
enum wh_status h5_source_open(const char *path, struct h5_source **source,
			      struct wh_error *err);

/** Closes what libhdf5 has open of it, in a session. */
void h5_source_close_file(struct h5_source *source);

/** Gives the manifest its template, if all payloads lie flat. */
enum wh_status h5_template_make(struct h5_source *source,
				struct manifest_builder *builder,
				struct wh_template **made,
				struct wh_error *err);

#endif
