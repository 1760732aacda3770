/* hdf5/hdf5.h: Keras's HDF5 files as two formats. */
#ifndef WH_HDF5_HDF5_H
#define WH_HDF5_HDF5_H

#include <weighhouse/format.h>

/** "h5", Keras 2's layout, and "keras3". In a build without HDF5 they say what
 *  is missing. */
extern const struct wh_format hdf5_format;
extern const struct wh_format keras3_format;

/** A run of a file. */
typedef enum wh_status h5_part_fn(void *arg, uint64_t offset, uint64_t size,
				  struct wh_error *err);
/** Hands out what opening the file at `path` reads of it, in blocks, none
 *  twice. `fn` must have brought it there when it returns: where a block tells
 *  what to read next. WH_ECORRUPT; WH_EUNSUPPORTED for a file that classic/
 *  leaves to libhdf5. Errors of `fn` are passed on. */
enum wh_status h5_opening_parts(const char *path, h5_part_fn *fn, void *arg,
				struct wh_error *err);
/** Opens the file once its parts are there, never by libhdf5. Errors as
 *  h5_opening_parts; the caller closes the source. */
enum wh_status h5_open_parts(const char *path, struct wh_source **source,
			     struct wh_error *err);

#endif
