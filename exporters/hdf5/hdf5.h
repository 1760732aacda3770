/* hdf5/hdf5.h: Keras's HDF5 files as two formats. */
#ifndef WH_HDF5_HDF5_H
#define WH_HDF5_HDF5_H

#include <weighhouse/format.h>

/** "h5", Keras 2's layout, and "keras3". In a build without HDF5 they say what
 *  is missing. */
extern const struct wh_format hdf5_format;
extern const struct wh_format keras3_format;

#endif
