/* A source with other values than the one that it wraps. */
#include <stdlib.h>
#include <string.h>

#include "base/arena.h"
#include "base/endian.h"
#include "engine.h"

#define BATCH 4096 /* elements that are widened at a time */

struct filter {
	struct wh_source base; /* first: they are cast into each other */
	struct wh_source_ops ops;
	struct wh_source *inner;
	struct arena arena;
};

static void close_filter(struct wh_source *base)
{
	struct filter *filter = (struct filter *)base;

	arena_free(&filter->arena);
	free(filter);
}

static enum wh_status check_inner(struct wh_source *base, struct wh_error *err)
{
	struct filter *filter = (struct filter *)base;

	return filter->inner->ops->unchanged(filter->inner, err);
}

/* A bfloat16 is the high half of the float32 of the same value. */
static enum wh_status read_widened(struct filter *filter, uint32_t index,
				   uint64_t offset, uint8_t *out, size_t len,
				   struct wh_error *err)
{
	uint8_t halves[2 * BATCH], wide[4 * BATCH];

	while (len) {
		uint64_t first = offset / 4;
		size_t skip = (size_t)(offset % 4), i, some;
		size_t n = (skip + len + 3) / 4;

		if (n > BATCH)
			n = BATCH;
		WH_TRY(wh_source_read(filter->inner, index, 2 * first, halves,
				      2 * n, err));
		for (i = 0; i < n; i++) {
			wide[4 * i] = wide[4 * i + 1] = 0;
			wide[4 * i + 2] = halves[2 * i];
			wide[4 * i + 3] = halves[2 * i + 1];
		}
		some = 4 * n - skip;
		if (some > len)
			some = len;
		memcpy(out, wide + skip, some);
		out += some;
		offset += some;
		len -= some;
	}
	return WH_OK;
}

static enum wh_status read_filtered(struct wh_source *base, uint32_t index,
				    uint64_t offset, void *buf, size_t len,
				    struct wh_error *err)
{
	struct filter *filter = (struct filter *)base;

	if (filter->inner->manifest.tensors[index].dtype != WH_BFLOAT16)
		return wh_source_read(filter->inner, index, offset, buf, len,
				      err);
	return read_widened(filter, index, offset, buf, len, err);
}

static bool has_bfloat16(const struct wh_manifest *manifest)
{
	uint32_t i;

	for (i = 0; i < manifest->n_tensors; i++)
		if (manifest->tensors[i].dtype == WH_BFLOAT16)
			return true;
	return false;
}

/* The tensors with another dtype; all else is the inner manifest's. */
static enum wh_status copy_manifest(struct filter *filter, struct wh_error *err)
{
	const struct wh_manifest *from = &filter->inner->manifest;
	struct wh_manifest *to = &filter->base.manifest;
	size_t n = (size_t)from->n_tensors + from->n_hidden;
	uint32_t i;

	*to = *from;
	to->tensors = arena_alloc(&filter->arena, n, sizeof(*to->tensors));
	if (!to->tensors)
		return wh_fail_memory(err);
	memcpy(to->tensors, from->tensors, n * sizeof(*to->tensors));
	for (i = 0; i < to->n_tensors; i++) {
		struct wh_tensor *tensor = &to->tensors[i];

		if (tensor->dtype != WH_BFLOAT16)
			continue;
		tensor->dtype = WH_FLOAT32;
		tensor->nbytes *= 2;
		tensor->weighed = 0;
		tensor->has_expected_crc32c = false;
	}
	return WH_OK;
}

enum wh_status widen_bfloat16(struct wh_source *inner, struct wh_source **out,
			      struct wh_error *err)
{
	struct filter *filter;
	enum wh_status status;

	*out = NULL;
	if (!has_bfloat16(&inner->manifest))
		return WH_OK;
	filter = calloc(1, sizeof(*filter));
	if (!filter)
		return wh_fail_memory(err);
	filter->inner = inner;
	filter->ops = (struct wh_source_ops){
		.read = read_filtered,
		.unchanged = inner->ops->unchanged ? check_inner : NULL,
		.close = close_filter,
		.concurrent = inner->ops->concurrent,
	};
	filter->base.ops = &filter->ops;
	status = copy_manifest(filter, err);
	if (status) {
		close_filter(&filter->base);
		return status;
	}
	*out = &filter->base;
	return WH_OK;
}
