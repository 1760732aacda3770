/* hdf5/keras3/load.h: the importer. */
#ifndef WH_HDF5_KERAS3_LOAD_H
#define WH_HDF5_KERAS3_LOAD_H

#include <weighhouse/format.h>

/** wh_format.probe, .load and .resolve of keras3_format. */
bool keras3_probe(const char *path);
enum wh_status keras3_load(const char *path,
			   const struct wh_load_options *options,
			   struct wh_source **source, struct wh_error *err);
/** The same by one of the two readers alone (hdf5/view.h), of a path that is
 *  resolved. What classic/ takes, libhdf5 takes too, and it says the same. */
enum wh_status keras3_load_by(const char *path,
			      const struct wh_load_options *options,
			      bool by_classic, struct wh_source **source,
			      struct wh_error *err);
/** A shard means its checkpoint, where that lies beside it. */
enum wh_status keras3_resolve(const char *path, char **resolved,
			      struct wh_error *err);

#endif
