/* hdf5/readers.h: which of the two readers has a file (view.h), and in which
 * process. */
#ifndef WH_HDF5_READERS_H
#define WH_HDF5_READERS_H

#include "apart/apart.h"

/** Loads by classic/, and what that declines (WH_EUNSUPPORTED) by libhdf5,
 *  each where options->isolation wants it. `size` of all files, for the time
 *  that this may take. */
enum wh_status readers_load(apart_load_fn *by_classic,
			    apart_load_fn *by_libhdf5, const char *path,
			    uint64_t size,
			    const struct wh_load_options *options,
			    struct wh_source **source, struct wh_error *err);

#endif
