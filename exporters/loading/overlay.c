#include "loading/overlay.h"

#include <stdlib.h>
#include <string.h>

#include "core/convert.h"
#include "core/manifest.h"

struct overlay {
	struct wh_source base; /* first: they are cast into each other */
	struct wh_source_ops ops;
	struct wh_source *model, *from;
	struct arena arena;
	uint32_t *source_of;
};

static enum wh_status read_overlay(struct wh_source *base, uint32_t index,
				   uint64_t offset, void *buf, size_t len,
				   struct wh_error *err)
{
	struct overlay *overlay = (struct overlay *)base;
	uint32_t from = index < base->manifest.n_tensors
				? overlay->source_of[index]
				: NO_TENSOR;

	if (from == NO_TENSOR)
		return wh_source_read(overlay->model, index, offset, buf, len,
				      err);
	return source_read_as(overlay->from, from,
			      base->manifest.tensors[index].dtype, offset, buf,
			      len, err);
}

static enum wh_status check_unchanged(struct wh_source *base,
				      struct wh_error *err)
{
	struct overlay *overlay = (struct overlay *)base;

	if (overlay->model->ops->unchanged)
		WH_TRY(overlay->model->ops->unchanged(overlay->model, err));
	if (overlay->from->ops->unchanged)
		WH_TRY(overlay->from->ops->unchanged(overlay->from, err));
	return WH_OK;
}

static void close_overlay(struct wh_source *base)
{
	struct overlay *overlay = (struct overlay *)base;

	arena_free(&overlay->arena);
	free(overlay);
}

/* The checksums of a new value: the checkpoint's, where it is the same. */
static void take_checksums(struct wh_tensor *to, const struct wh_tensor *from)
{
	to->weighed = 0;
	to->has_expected_crc32c = false;
	if (from->dtype == to->dtype)
		tensor_copy_sums(to, from);
}

static enum wh_status copy_manifest(struct overlay *overlay,
				    const uint32_t *source_of,
				    struct wh_error *err)
{
	const struct wh_manifest *model = &overlay->model->manifest;
	struct wh_manifest *to = &overlay->base.manifest;
	size_t n = (size_t)model->n_tensors + model->n_hidden;
	uint32_t i;

	*to = *model;
	to->tensors = arena_alloc(&overlay->arena, n, sizeof(*to->tensors));
	overlay->source_of = arena_alloc(&overlay->arena, model->n_tensors,
					 sizeof(*overlay->source_of));
	if (!to->tensors || !overlay->source_of)
		return wh_fail_memory(err);
	memcpy(to->tensors, model->tensors, n * sizeof(*to->tensors));
	memcpy(overlay->source_of, source_of,
	       model->n_tensors * sizeof(*source_of));
	for (i = 0; i < model->n_tensors; i++)
		if (source_of[i] != NO_TENSOR) {
			const struct wh_tensor *from =
				&overlay->from->manifest.tensors[source_of[i]];

			/* Strings of one shape may differ in length. */
			if (to->tensors[i].dtype == from->dtype)
				to->tensors[i].nbytes = from->nbytes;
			take_checksums(&to->tensors[i], from);
		}
	return WH_OK;
}

enum wh_status overlay_new(struct wh_source *model, struct wh_source *from,
			   const struct pairing *pairing,
			   struct wh_source **out, struct wh_error *err)
{
	struct overlay *overlay = calloc(1, sizeof(*overlay));
	enum wh_status status;

	if (!overlay)
		return wh_fail_memory(err);
	overlay->model = model;
	overlay->from = from;
	overlay->ops = (struct wh_source_ops){
		.read = read_overlay,
		.unchanged = check_unchanged,
		.close = close_overlay,
		.concurrent = model->ops->concurrent && from->ops->concurrent,
		.scattered = model->ops->scattered && from->ops->scattered,
	};
	overlay->base.ops = &overlay->ops;
	status = copy_manifest(overlay, pairing->source_of, err);
	if (status) {
		close_overlay(&overlay->base);
		return status;
	}
	*out = &overlay->base;
	return WH_OK;
}
