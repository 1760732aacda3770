/* hdf5/image_file.h: an HDF5 file that is laid out as h5py lays one out.
 *
 * The properties of files, links and datasets are h5py's, since they decide
 * the bytes (FORMAT.md, "Writing"). Payloads are never written: each dataset
 * is allocated, and its place is told.
 */
#ifndef WH_HDF5_IMAGE_FILE_H
#define WH_HDF5_IMAGE_FILE_H

#include "hdf5/session.h"
#include "hdf5/sparse_fd.h"
#include <weighhouse/tensor.h>

#define IMAGE_NOWHERE UINT64_MAX /* the offset of what has no bytes */

struct image_file {
	struct sparse_image *image;
	hid_t file;
	/* h5py flags the names of links as UTF-8 only where they are text
	 * beyond ASCII. */
	hid_t links, utf8_links;
	hid_t create_dataset, one; /* `one`: the space of a single element */
	hid_t types[WH_UINT2 + 1]; /* by dtype; 0: not made yet */
};

/** Creates a file in `image`, which is empty and outlives it. In a session.
 *  The caller ends it with image_file_close, also where this fails. */
enum wh_status image_file_open(struct image_file *file,
			       struct sparse_image *image,
			       struct wh_error *err);

/** Ends what image_file_finish has not. */
void image_file_close(struct image_file *file);

/** Closes the file; all of its groups must be closed. The image is complete
 *  after it. */
enum wh_status image_file_finish(struct image_file *file, struct wh_error *err);

/** Creates the group `path` and those above it that are missing; negative on
 *  failure. The caller releases it. */
hid_t image_file_group(const struct image_file *file, hid_t at,
		       const char *path, hid_t links);

/** The property list for the link to an object of that name. */
hid_t image_file_links(const struct image_file *file, const char *name);

/** Creates a dataset `name` below `at`, or one without a link where `name` is
 *  NULL, and allocates its bytes at `*offset`. The caller releases `*dataset`.
 *  WH_EUNSUPPORTED with libhdf5's refusal, without a name. */
enum wh_status image_file_dataset(struct image_file *file, hid_t at,
				  const char *name,
				  const struct wh_tensor *tensor,
				  hid_t *dataset, uint64_t *offset,
				  struct wh_error *err);

#endif
