/* hdf5/types.h: dtypes as HDF5 datatypes, both ways. */
#ifndef WH_HDF5_TYPES_H
#define WH_HDF5_TYPES_H

#include <stdbool.h>

#include "hdf5/late_hdf5.h"
#include <weighhouse/tensor.h>

/** Whether datasets of this dtype can be written. Needs no session. */
bool h5_type_known(enum wh_dtype dtype);

/** The datatype that h5py writes for a dtype, a new identifier; negative on
 *  failure. */
hid_t h5_type_make(enum wh_dtype dtype);

/** The dtype of a dataset's type in either byte order: floats of 2, 4 and 8
 *  bytes with exactly IEEE's fields, integers of 1 to 8, the enum FALSE, TRUE
 *  over a byte, opaque of 2 bytes (bfloat16), the compound {r, i} of two equal
 *  floats. `*swap`: the width of what must be reversed to little-endian, or 0.
 *  WH_DTYPE_NONE for everything else. */
enum wh_dtype h5_type_dtype(hid_t type, unsigned *swap);

#endif
