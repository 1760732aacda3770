/* hdf5/classic/layout.h: layout.h's file without libhdf5. */
#ifndef WH_HDF5_CLASSIC_LAYOUT_H
#define WH_HDF5_CLASSIC_LAYOUT_H

#include "hdf5/classic/writer.h"
#include "hdf5/layout.h"

/** Lays out the file that layout_write lays out: the same bytes, the same
 *  offsets. False where that is not sure to come out so, or names clash: it is
 *  libhdf5's then. The caller closes the writer in any case. */
bool classic_layout(const struct layout_model *model,
		    struct classic_writer *writer, uint64_t *offset_of);

#endif
