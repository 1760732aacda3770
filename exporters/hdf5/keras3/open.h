/* hdf5/keras3/open.h: a checkpoint's files, whichever of three kinds it is. */
#ifndef WH_HDF5_KERAS3_OPEN_H
#define WH_HDF5_KERAS3_OPEN_H

#include "base/buf.h"
#include "hdf5/keras3/source.h"
#include "zip/read.h"

enum keras3_kind {
	KERAS3_NONE = 0, /* no Keras 3 checkpoint */
	KERAS3_HDF5,
	KERAS3_MAYBE,	/* an HDF5 file that only libhdf5 can look into */
	KERAS3_ARCHIVE, /* .keras */
	KERAS3_SHARDED, /* .weights.json */
};

/** By content; never fails. Looks at the root of HDF5 files, never by libhdf5:
 *  a probe may not be in a process apart. */
enum keras3_kind keras3_kind_of_file(const char *path);

/** Whether a file is the map of a sharded checkpoint: other formats have maps,
 *  too, but not of groups. */
bool keras3_is_map(const char *path);

/** Bytes of all its files; 0 if they can't be opened. */
uint64_t keras3_size(const char *path);

/** What was opened beside HDF5 files. Zeroed at first; the caller frees it. */
struct keras3_opened {
	struct keras3_source *source; /* the caller closes it, if it is there */
	struct wh_buf config, metadata; /* of an archive; NUL-terminated */
	struct wh_buf map;		/* of a sharded one */
	struct zip_member weights;	/* of an archive: where they lie */
};
void keras3_opened_free(struct keras3_opened *opened);

/** Opens all files of the checkpoint at `path`. WH_ENOTFOUND; WH_ECORRUPT. */
enum wh_status keras3_open_hdf5(const char *path, struct keras3_opened *opened,
				struct wh_error *err);
enum wh_status keras3_open_archive(const char *path,
				   struct keras3_opened *opened,
				   struct wh_error *err);
enum wh_status keras3_open_sharded(const char *path,
				   struct keras3_opened *opened,
				   struct wh_error *err);

/** Whether the weight map says of every object in which shards its values are.
 *  WH_ECORRUPT, naming one of which it does not. */
enum wh_status keras3_check_map(const struct keras3_opened *opened,
				const struct keras3_tree *tree,
				struct wh_error *err);

#endif
