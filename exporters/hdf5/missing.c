#include "hdf5/hdf5.h"

#include <stddef.h>

#include "base/error.h"

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

static enum wh_status refuse(struct wh_error *err)
{
	return wh_fail(err, WH_EUNSUPPORTED,
		       "this build of weighhouse reads no h5 files");
}

enum wh_status h5_opening_parts(const char *path, h5_part_fn *fn, void *arg,
				struct wh_error *err)
{
	(void)path, (void)fn, (void)arg;
	return refuse(err);
}

enum wh_status h5_open_parts(const char *path, struct wh_source **source,
			     struct wh_error *err)
{
	(void)path, (void)source;
	return refuse(err);
}
