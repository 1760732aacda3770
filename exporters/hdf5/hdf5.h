/* hdf5/hdf5.h: Keras 2's HDF5 files as a format. */
#ifndef WH_HDF5_HDF5_H
#define WH_HDF5_HDF5_H

#include <weighhouse/format.h>

/** "h5". In a build without HDF5 it says what is missing. */
extern const struct wh_format hdf5_format;

#endif
