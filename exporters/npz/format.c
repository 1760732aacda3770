#include "npz/npz.h"

static const char *const npz_suffixes[] = {".npz", NULL};
static const char *const npy_suffixes[] = {NPY_SUFFIX, NULL};

const struct wh_format npz_format = {
	.name = "npz",
	.summary = "NumPy archive, as numpy.savez('x.npz', **arrays)",
	.suffixes = npz_suffixes,
	.needs = WH_CRC32,
	.plan = npz_plan,
	.probe = npz_probe,
	.load = npz_load,
	.keeps_order = true,
};

const struct wh_format npy_format = {
	.name = "npy",
	.summary = "one NumPy array, as numpy.save('x.npy', array)",
	.suffixes = npy_suffixes,
	.plan = npy_plan,
	.probe = npy_probe,
	.load = npy_load,
};
