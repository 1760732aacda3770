#include "hdf5/hdf5.h"

#include "hdf5/load.h"
#include "hdf5/plan.h"

static const char *const suffixes[] = {".h5", ".hdf5", ".keras", NULL};

const struct wh_format hdf5_format = {
	.name = "h5",
	.summary = "Keras 2 weights in HDF5, as Model.save_weights('x.h5')",
	.suffixes = suffixes,
	.plan = h5_plan,
	.probe = h5_probe,
	.load = h5_load,
	.widens_bfloat16 = true,
};
