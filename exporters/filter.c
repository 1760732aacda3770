/* A source with other values than the one that it wraps. */
#include <stdlib.h>
#include <string.h>

#include "base/arena.h"
#include "core/convert.h"
#include "engine.h"

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

static enum wh_status read_filtered(struct wh_source *base, uint32_t index,
				    uint64_t offset, void *buf, size_t len,
				    struct wh_error *err)
{
	struct filter *filter = (struct filter *)base;

	if (index >= base->manifest.n_tensors)
		return wh_source_read(filter->inner, index, offset, buf, len,
				      err);
	return source_read_as(filter->inner, index,
			      base->manifest.tensors[index].dtype, offset, buf,
			      len, err);
}

/* What a tensor of this dtype becomes: the first cast that concerns it. */
static enum wh_dtype target_of(enum wh_dtype dtype, const struct wh_cast *casts,
			       size_t n_casts)
{
	size_t i;

	for (i = 0; i < n_casts; i++) {
		if (casts[i].from == dtype)
			return casts[i].to;
		if (casts[i].from == WH_DTYPE_NONE &&
		    convert_is_kin(dtype, casts[i].to) &&
		    convert_loss(dtype, casts[i].to) != CONVERT_NEVER)
			return casts[i].to;
	}
	return dtype;
}

static enum wh_status check_casts(const struct wh_cast *casts, size_t n_casts,
				  struct wh_error *err)
{
	size_t i;

	for (i = 0; i < n_casts; i++)
		if (casts[i].from != WH_DTYPE_NONE &&
		    convert_loss(casts[i].from, casts[i].to) == CONVERT_NEVER)
			return wh_fail(err, WH_EUNSUPPORTED,
				       "%s can't be cast to %s",
				       wh_dtype_name(casts[i].from),
				       wh_dtype_name(casts[i].to));
	return WH_OK;
}

static bool concerns_any(const struct wh_manifest *manifest,
			 const struct wh_cast *casts, size_t n_casts)
{
	uint32_t i;

	for (i = 0; i < manifest->n_tensors; i++)
		if (target_of(manifest->tensors[i].dtype, casts, n_casts) !=
		    manifest->tensors[i].dtype)
			return true;
	return false;
}

/* The tensors with another dtype; all else is the inner manifest's. */
static enum wh_status copy_manifest(struct filter *filter,
				    const struct wh_cast *casts, size_t n_casts,
				    struct wh_error *err)
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
		enum wh_dtype dtype = tensor->dtype;

		tensor->dtype = target_of(dtype, casts, n_casts);
		if (tensor->dtype == dtype)
			continue;
		tensor->nbytes = tensor->nbytes / wh_dtype_size(dtype) *
				 wh_dtype_size(tensor->dtype);
		tensor->weighed = 0;
		tensor->has_expected_crc32c = false;
	}
	return WH_OK;
}

enum wh_status filter_cast(struct wh_source *inner, const struct wh_cast *casts,
			   size_t n_casts, struct wh_source **out,
			   struct wh_error *err)
{
	struct filter *filter;
	enum wh_status status;

	*out = NULL;
	WH_TRY(check_casts(casts, n_casts, err));
	if (!concerns_any(&inner->manifest, casts, n_casts))
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
		.scattered = inner->ops->scattered,
	};
	filter->base.ops = &filter->ops;
	status = copy_manifest(filter, casts, n_casts, err);
	if (status) {
		close_filter(&filter->base);
		return status;
	}
	*out = &filter->base;
	return WH_OK;
}

/* How many tensors went from one dtype to another. */
static uint32_t count_pair(const struct wh_manifest *from,
			   const struct wh_manifest *to, uint32_t first)
{
	uint32_t i, n = 0;

	for (i = 0; i < from->n_tensors; i++) {
		bool same =
			from->tensors[i].dtype == from->tensors[first].dtype &&
			to->tensors[i].dtype == to->tensors[first].dtype;

		if (same && i < first)
			return 0;
		n += same;
	}
	return n;
}

enum wh_status filter_tell(struct wh_source *filter, struct wh_plan *plan,
			   struct wh_error *err)
{
	const struct wh_manifest *to = &filter->manifest;
	const struct wh_manifest *from =
		&((struct filter *)filter)->inner->manifest;
	uint32_t i, n;

	for (i = 0; i < to->n_tensors; i++) {
		enum wh_dtype old = from->tensors[i].dtype;
		enum wh_dtype new = to->tensors[i].dtype;

		if (old == new || (n = count_pair(from, to, i)) == 0)
			continue;
		WH_TRY(wh_plan_warn(
			plan, err, "cast: %u tensor%s of %s to %s, %s", n,
			n == 1 ? "" : "s", wh_dtype_name(old),
			wh_dtype_name(new),
			convert_loss(old, new) == CONVERT_EXACT ? "exactly"
								: "rounded"));
	}
	return WH_OK;
}
