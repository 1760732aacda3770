/* hdf5/classic/dataset.h: datasets that lie in one piece. */
#ifndef WH_HDF5_CLASSIC_DATASET_H
#define WH_HDF5_CLASSIC_DATASET_H

#include "hdf5/classic/header.h"
#include "hdf5/dataset.h"

/** Describes the dataset of that header. */
bool classic_dataset_describe(const struct classic_file *file,
			      const struct classic_header *header,
			      struct h5_dataset *dataset);

#endif
