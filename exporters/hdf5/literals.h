/* hdf5/literals.h: a laid-out HDF5 file as an image of a plan. */
#ifndef WH_HDF5_LITERALS_H
#define WH_HDF5_LITERALS_H

#include "hdf5/classic/writer.h"
#include "hdf5/sparse_fd.h"
#include <weighhouse/plan.h>

/** Appends the file to `out`: each tensor's payload at its `offset_of`
 *  (IMAGE_NOWHERE: it has none here), and everything between as literals. */
enum wh_status literals_fill(const struct wh_manifest *manifest,
			     const struct sparse_image *image,
			     const uint64_t *offset_of, struct wh_image *out,
			     struct wh_error *err);

/** The same of what classic/ laid out, into an image that has nothing yet: it
 *  takes the writer's bytes. */
enum wh_status literals_fill_classic(const struct wh_manifest *manifest,
				     struct classic_writer *writer,
				     const uint64_t *offset_of,
				     struct wh_image *out,
				     struct wh_error *err);

#endif
