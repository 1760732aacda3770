#include "hdf5/hdf5.h"

#include "hdf5/keras3/load.h"
#include "hdf5/keras3/plan.h"
#include "hdf5/keras3/refresh.h"

static const char *const suffixes[] = {".weights.h5", ".weights.json", NULL};

const struct wh_format keras3_format = {
	.name = "keras3",
	.summary = "Keras 3 weights: .weights.h5, sharded .weights.json, "
		   ".keras archives",
	.suffixes = suffixes,
	.plan = keras3_plan,
	.probe = keras3_probe,
	.load = keras3_load,
	.resolve = keras3_resolve,
	.fits = keras3_fits,
	.refresh = keras3_refresh,
	.beside = keras3_beside,
	.shards = true,
	.takes_checkpoint_options = true,
};
