#include "safetensors/safetensors.h"

static const char *const suffixes[] = {".safetensors", NULL};

const struct wh_format safetensors_format = {
	.name = "safetensors",
	.holds_packed = true,
	.summary = "safetensors, as save_file(tensors, 'x.safetensors')",
	.suffixes = suffixes,
	.plan = st_plan,
	.probe = st_probe,
	.load = st_load,
	.resolve = st_resolve,
	.beside = st_beside,
	.shards = true,
};
