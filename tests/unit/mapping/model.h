/* A small manifest, layer by layer, as an importer would make it. */
#ifndef WH_TESTS_MAPPING_MODEL_H
#define WH_TESTS_MAPPING_MODEL_H

#include <stdlib.h>

#include "mapping/mapping.h"
#include "support/assert.h"

struct model {
	struct arena arena;
	struct manifest_builder *builder;
	struct wh_manifest manifest;
	struct wh_error err;
	uint32_t layer;
};

static inline void model_begin(struct model *model)
{
	memset(model, 0, sizeof(*model));
	assert_ok(manifest_builder_new(&model->arena, &model->builder,
				       &model->err),
		  &model->err);
}

static inline void model_kind(struct model *model, const char *name,
			      enum wh_layer_kind kind)
{
	assert_ok(manifest_add_layer(model->builder, name, NULL, kind,
				     WH_NO_LAYER, &model->layer, &model->err),
		  &model->err);
}

static inline void model_layer(struct model *model, const char *name)
{
	model_kind(model, name, WH_LAYER);
}

/* Shapes differ unless `size` is the same: [size]. */
static inline void model_variable(struct model *model,
				  struct wh_variable variable, uint64_t size)
{
	const char *key = arena_printf(&model->arena, "%u|%s", model->layer,
				       variable.name);

	assert_ok(manifest_add_tensor(model->builder, key, WH_FLOAT32, 1, &size,
				      4 * size, &variable.tensor, &model->err),
		  &model->err);
	assert_ok(manifest_add_variable(model->builder, model->layer, &variable,
					&model->err),
		  &model->err);
}

static inline void model_weight(struct model *model, const char *name)
{
	model_variable(model, (struct wh_variable){.name = name}, 3);
}

static inline void model_attribute(struct model *model, const char *key,
				   const char *text)
{
	struct wh_attribute attribute = {
		.path = "", .key = key, .text = text, .size = strlen(text)};

	assert_ok(
		manifest_add_attribute(model->builder, &attribute, &model->err),
		&model->err);
}

static inline struct wh_manifest *model_finish(struct model *model,
					       const char *origin)
{
	assert_ok(
		manifest_finish(model->builder, &model->manifest, &model->err),
		&model->err);
	model->manifest.origin_format = origin;
	return &model->manifest;
}

static inline void model_end(struct model *model)
{
	manifest_builder_free(model->builder);
	arena_free(&model->arena);
}

#endif
