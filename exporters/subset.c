/* A source with some of the weights of the one that it wraps. */
#include <stdlib.h>
#include <string.h>

#include "base/arena.h"
#include "engine.h"

#define NONE UINT32_MAX

struct subset {
	struct wh_source base; /* first: they are cast into each other */
	struct wh_source_ops ops;
	struct wh_source *inner;
	struct arena arena;
	uint32_t *inner_index; /* of each tensor */
	uint32_t *our_index;   /* of each inner one, or NONE */
};

static void close_subset(struct wh_source *base)
{
	struct subset *subset = (struct subset *)base;

	arena_free(&subset->arena);
	free(subset);
}

static enum wh_status check_inner(struct wh_source *base, struct wh_error *err)
{
	struct subset *subset = (struct subset *)base;

	return subset->inner->ops->unchanged(subset->inner, err);
}

static enum wh_status read_inner(struct wh_source *base, uint32_t index,
				 uint64_t offset, void *buf, size_t len,
				 struct wh_error *err)
{
	struct subset *subset = (struct subset *)base;

	return wh_source_read(subset->inner, subset->inner_index[index], offset,
			      buf, len, err);
}

static enum wh_status take_tensors(struct subset *subset, const bool *wanted,
				   struct wh_error *err)
{
	const struct wh_manifest *from = &subset->inner->manifest;
	struct wh_manifest *to = &subset->base.manifest;
	size_t n = (size_t)from->n_tensors + 1;
	uint32_t i;

	to->tensors = arena_alloc(&subset->arena, n, sizeof(*to->tensors));
	subset->inner_index =
		arena_alloc(&subset->arena, n, sizeof(*subset->inner_index));
	subset->our_index =
		arena_alloc(&subset->arena, n, sizeof(*subset->our_index));
	if (!to->tensors || !subset->inner_index || !subset->our_index)
		return wh_fail_memory(err);
	for (i = 0; i < from->n_tensors; i++) {
		subset->our_index[i] = wanted[i] ? to->n_tensors : NONE;
		if (!wanted[i])
			continue;
		subset->inner_index[to->n_tensors] = i;
		to->tensors[to->n_tensors++] = from->tensors[i];
	}
	return WH_OK;
}

static enum wh_status take_layer(struct subset *subset,
				 const struct wh_layer *from,
				 struct wh_layer *to, struct wh_error *err)
{
	uint32_t i;

	*to = *from;
	to->container = WH_NO_LAYER;
	to->n_variables = 0;
	to->variables =
		arena_alloc(&subset->arena, (size_t)from->n_variables + 1,
			    sizeof(*to->variables));
	if (!to->variables)
		return wh_fail_memory(err);
	for (i = 0; i < from->n_variables; i++) {
		uint32_t ours = subset->our_index[from->variables[i].tensor];

		if (ours == NONE)
			continue;
		to->variables[to->n_variables] = from->variables[i];
		to->variables[to->n_variables++].tensor = ours;
	}
	return WH_OK;
}

static enum wh_status take_layers(struct subset *subset, struct wh_error *err)
{
	const struct wh_manifest *from = &subset->inner->manifest;
	struct wh_manifest *to = &subset->base.manifest;
	uint32_t i;

	to->layers = arena_alloc(&subset->arena, (size_t)from->n_layers + 1,
				 sizeof(*to->layers));
	if (!to->layers)
		return wh_fail_memory(err);
	for (i = 0; i < from->n_layers; i++) {
		struct wh_layer *layer = &to->layers[to->n_layers];

		WH_TRY(take_layer(subset, &from->layers[i], layer, err));
		to->n_layers += layer->n_variables > 0;
	}
	return WH_OK;
}

enum wh_status subset_new(struct wh_source *inner, const bool *wanted,
			  struct wh_source **out, struct wh_error *err)
{
	struct subset *subset = calloc(1, sizeof(*subset));
	enum wh_status status;

	if (!subset)
		return wh_fail_memory(err);
	subset->inner = inner;
	subset->ops = (struct wh_source_ops){
		.read = read_inner,
		.unchanged = inner->ops->unchanged ? check_inner : NULL,
		.close = close_subset,
		.concurrent = inner->ops->concurrent,
		.scattered = inner->ops->scattered,
	};
	subset->base.ops = &subset->ops;
	subset->base.manifest.origin_format = inner->manifest.origin_format;
	subset->base.manifest.origin_generator =
		inner->manifest.origin_generator;
	status = take_tensors(subset, wanted, err);
	if (!status)
		status = take_layers(subset, err);
	if (status) {
		close_subset(&subset->base);
		return status;
	}
	*out = &subset->base;
	return WH_OK;
}
