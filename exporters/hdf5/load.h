/* hdf5/load.h: the importer. */
#ifndef WH_HDF5_LOAD_H
#define WH_HDF5_LOAD_H

#include <weighhouse/format.h>

struct h5_source;

/** wh_format.probe and .load of hdf5_format. */
bool h5_probe(const char *path);
enum wh_status h5_load(const char *path, const struct wh_load_options *options,
		       struct wh_source **source, struct wh_error *err);

/** The same by one of the two readers alone (view.h). What classic/ takes,
 *  libhdf5 takes too, and it says the same; it fails with WH_ECORRUPT for what
 *  is damaged, and with WH_EUNSUPPORTED for what is left to libhdf5. */
enum wh_status h5_load_by(const char *path,
			  const struct wh_load_options *options,
			  bool by_classic, struct wh_source **source,
			  struct wh_error *err);

/** The same of a source that is open. */
enum wh_status h5_source_load(struct h5_source *source,
			      const struct wh_load_options *options,
			      bool by_classic, struct wh_error *err);

#endif
