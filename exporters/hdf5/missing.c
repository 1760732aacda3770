#include "hdf5/hdf5.h"

#include <stddef.h>

static const char *const suffixes[] = {".h5", ".hdf5", ".keras", NULL};

const struct wh_format hdf5_format = {
	.name = "h5",
	.summary = "Keras 2 weights in HDF5, as Model.save_weights('x.h5')",
	.suffixes = suffixes,
	.missing = "this build of weighhouse lacks HDF5: install libhdf5 "
		   "(Debian: libhdf5-dev) and build again",
};

static const char *const keras3_suffixes[] = {".weights.h5", ".weights.json",
					      NULL};

const struct wh_format keras3_format = {
	.name = "keras3",
	.summary = "Keras 3 weights: .weights.h5, sharded .weights.json, "
		   ".keras archives",
	.suffixes = keras3_suffixes,
	.missing = "this build of weighhouse lacks HDF5: install libhdf5 "
		   "(Debian: libhdf5-dev) and build again",
};
