/* The model is described by a builder, whose arrays are never read. */
#include "loading/target.h"

#include <stdlib.h>
#include <string.h>

#include "base/arena.h"
#include "base/array.h"
#include "base/auto.h"
#include "base/endian.h"
#include "base/error.h"
#include "core/host_array.h"

struct wh_target {
	struct wh_builder *builder; /* NULL once `source` is there */
	struct wh_source *source;
	struct arena arena;
	struct wh_destination *weights; /* one a tensor */
	uint32_t n_weights;
	size_t capacity;
};

void wh_target_free(struct wh_target *target)
{
	if (!target)
		return;
	wh_builder_free(target->builder);
	wh_source_close(target->source);
	arena_free(&target->arena);
	free(target->weights);
	free(target);
}

enum wh_status wh_target_new(struct wh_target **out, struct wh_error *err)
{
	struct wh_target *target = calloc(1, sizeof(*target));
	enum wh_status status;

	if (!target)
		return wh_fail_memory(err);
	status = wh_builder_new(&target->builder, err);
	if (status) {
		free(target);
		return status;
	}
	*out = target;
	return WH_OK;
}

static enum wh_status check_open(const struct wh_target *target,
				 struct wh_error *err)
{
	if (target->builder)
		return WH_OK;
	return wh_fail(err, WH_EINVAL,
		       "the model was loaded into; nothing can be added");
}

enum wh_status wh_target_layer(struct wh_target *target, const char *name,
			       const char *class_name, struct wh_error *err)
{
	WH_TRY(check_open(target, err));
	return wh_builder_layer(target->builder, name, class_name, err);
}

static int never_read(void *arg, uint64_t offset, void *buf, size_t len)
{
	(void)arg, (void)offset, (void)buf, (void)len;
	return -1;
}

/* Shape and strides are the caller's only during the call. */
static enum wh_status keep_weight(struct wh_target *target,
				  const struct wh_destination *weight,
				  struct wh_error *err)
{
	struct wh_destination *kept;
	int64_t *strides = NULL;

	WH_TRY(array_grow(&target->weights, target->n_weights,
			  &target->capacity, sizeof(*target->weights), err));
	if (weight->strides && weight->data && weight->rank) {
		strides = arena_alloc(&target->arena, weight->rank,
				      sizeof(*strides));
		if (!strides)
			return wh_fail_memory(err);
		memcpy(strides, weight->strides,
		       weight->rank * sizeof(*strides));
	}
	kept = &target->weights[target->n_weights++];
	*kept = *weight;
	kept->name = NULL;
	kept->shape = NULL;
	kept->strides = strides;
	return WH_OK;
}

enum wh_status wh_target_weight(struct wh_target *target,
				const struct wh_destination *weight,
				struct wh_error *err)
{
	struct wh_array array = {.name = weight->name,
				 .dtype = weight->dtype,
				 .rank = weight->rank,
				 .shape = weight->shape,
				 .read = never_read};

	WH_TRY(check_open(target, err));
	if (!weight->data && !weight->write)
		return wh_fail(err, WH_EINVAL,
			       "weight '%s' has neither data nor a callback",
			       weight->name ? weight->name : "");
	WH_TRY(wh_builder_weight(target->builder, &array, err));
	return keep_weight(target, weight, err);
}

enum wh_status target_manifest(struct wh_target *target,
			       const struct wh_manifest **manifest,
			       struct wh_error *err)
{
	if (!target->source)
		WH_TRY(wh_builder_finish(wh_steal(&target->builder),
					 &target->source, err));
	*manifest = &target->source->manifest;
	return WH_OK;
}

/* ---- Writing
 * ---------------------------------------------------------------- */

static void scatter(const struct wh_tensor *tensor,
		    const struct wh_destination *weight, uint64_t first,
		    const uint8_t *bytes, size_t len)
{
	size_t size = wh_dtype_size(tensor->dtype);
	uint8_t *data = weight->data;

	for (; len; len -= size, bytes += size, first++) {
		uint8_t *at =
			data + host_offset(tensor, weight->strides, first);

		memcpy(at, bytes, size);
		swap_elements(at, size, host_swap_width(tensor->dtype));
	}
}

enum wh_status target_write(struct wh_target *target, uint32_t index,
			    uint64_t offset, const void *bytes, size_t len,
			    struct wh_error *err)
{
	const struct wh_tensor *tensor =
		&target->source->manifest.tensors[index];
	const struct wh_destination *weight = &target->weights[index];

	if (!weight->data) {
		if (weight->write(weight->arg, offset, bytes, len))
			return wh_fail(err, WH_EIO,
				       "weight '%s': its write callback failed",
				       tensor->key);
		return WH_OK;
	}
	if (weight->strides) {
		scatter(tensor, weight, offset / wh_dtype_size(tensor->dtype),
			bytes, len);
		return WH_OK;
	}
	memcpy((uint8_t *)weight->data + offset, bytes, len);
	swap_elements((uint8_t *)weight->data + offset, len,
		      host_swap_width(tensor->dtype));
	return WH_OK;
}
