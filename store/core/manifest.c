#include "core/manifest.h"

#include <assert.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/array.h"
#include "base/checked.h"
#include "base/text.h"
#include "core/name_map.h"

/* The skeleton's key is no name that a file can bring: names are never empty
 * where keys are concerned. */
#define SKELETON_KEY ""

struct layer_draft {
	struct wh_layer layer;
	size_t capacity;
};

struct manifest_builder {
	struct arena *arena;
	struct wh_tensor *tensors;
	uint8_t *owned; /* one a tensor: it has its variable */
	uint32_t n_tensors;
	size_t tensors_capacity, owned_capacity;
	struct layer_draft *layers;
	uint32_t n_layers;
	size_t layers_capacity;
	uint32_t n_own; /* of them, of kind WH_LAYER */
	struct wh_attribute *attributes;
	uint32_t n_attributes;
	size_t attributes_capacity;
	const char **warnings;
	uint32_t n_warnings;
	size_t warnings_capacity;
	struct name_map keys;
	bool has_skeleton;
};

enum wh_status manifest_builder_new(struct arena *arena,
				    struct manifest_builder **builder,
				    struct wh_error *err)
{
	struct manifest_builder *made = calloc(1, sizeof(*made));

	if (!made)
		return wh_fail_memory(err);
	made->arena = arena;
	*builder = made;
	return WH_OK;
}

void manifest_builder_free(struct manifest_builder *builder)
{
	uint32_t i;

	if (!builder)
		return;
	for (i = 0; i < builder->n_layers; i++)
		free(builder->layers[i].layer.variables);
	name_map_free(&builder->keys);
	free(builder->layers);
	free(builder->tensors);
	free(builder->owned);
	free(builder->attributes);
	free(builder->warnings);
	free(builder);
}

static enum wh_status copy_name(struct arena *arena, const char *what,
				const char *name, const char **copy,
				struct wh_error *err)
{
	WH_TRY(name_check(what, name, err));
	*copy = arena_strdup(arena, name);
	return *copy ? WH_OK : wh_fail_memory(err);
}

static enum wh_status copy_optional(struct arena *arena, const char *what,
				    const char *name, const char **copy,
				    struct wh_error *err)
{
	*copy = NULL;
	return name ? copy_name(arena, what, name, copy, err) : WH_OK;
}

void tensor_copy_sums(struct wh_tensor *to, const struct wh_tensor *from)
{
	memcpy(to->sha256, from->sha256, sizeof(to->sha256));
	to->crc32c = from->crc32c;
	to->crc32 = from->crc32;
	to->has_expected_crc32c = from->has_expected_crc32c;
	to->expected_crc32c = from->expected_crc32c;
	to->weighed = from->weighed;
	to->has_statistics = from->has_statistics;
	to->statistics = from->statistics;
}

enum wh_status tensor_check(const char *name, enum wh_dtype dtype,
			    uint32_t rank, const uint64_t *shape,
			    uint64_t nbytes, struct wh_error *err)
{
	uint64_t n_elements, expected;
	size_t size = wh_dtype_size(dtype);

	if (!wh_dtype_name(dtype))
		return wh_fail(err, WH_ECORRUPT,
			       "tensor '%s': there is no dtype %d", name,
			       (int)dtype);
	if (rank > WH_MAX_RANK)
		return wh_fail(err, WH_ECORRUPT,
			       "tensor '%s': rank %u is above %u", name, rank,
			       WH_MAX_RANK);
	if (!checked_shape(shape, rank, &n_elements))
		return wh_fail(err, WH_ECORRUPT,
			       "tensor '%s': shape product overflows", name);
	if (nbytes > WH_MAX_NBYTES)
		return wh_fail(err, WH_ECORRUPT,
			       "tensor '%s': %llu bytes are too many", name,
			       (unsigned long long)nbytes);
	if (size == 0)
		return WH_OK;
	if (!checked_mul(n_elements, size, &expected) || expected != nbytes)
		return wh_fail(err, WH_ECORRUPT,
			       "tensor '%s': %llu bytes, not what its dtype "
			       "and shape need",
			       name, (unsigned long long)nbytes);
	return WH_OK;
}

static enum wh_status append_tensor(struct manifest_builder *builder,
				    const struct wh_tensor *tensor,
				    struct wh_error *err)
{
	WH_TRY(array_grow(&builder->tensors, builder->n_tensors,
			  &builder->tensors_capacity, sizeof(*tensor), err));
	WH_TRY(array_grow(&builder->owned, builder->n_tensors,
			  &builder->owned_capacity, sizeof(*builder->owned),
			  err));
	builder->tensors[builder->n_tensors] = *tensor;
	builder->owned[builder->n_tensors] = 0;
	builder->n_tensors++;
	return WH_OK;
}

enum wh_status manifest_add_tensor(struct manifest_builder *builder,
				   const char *key, enum wh_dtype dtype,
				   uint32_t rank, const uint64_t *shape,
				   uint64_t nbytes, uint32_t *index,
				   struct wh_error *err)
{
	struct wh_tensor tensor = {
		.dtype = dtype, .rank = rank, .nbytes = nbytes};
	uint64_t *dims;
	bool added;

	assert(!builder->has_skeleton);
	if (builder->n_tensors >= WH_MAX_TENSORS)
		return wh_fail(err, WH_ECORRUPT, "more than %u tensors",
			       WH_MAX_TENSORS);
	if (!*key)
		return wh_fail(err, WH_ECORRUPT, "a tensor without a name");
	WH_TRY(copy_name(builder->arena, "tensor name", key, &tensor.key, err));
	WH_TRY(tensor_check(key, dtype, rank, shape, nbytes, err));
	WH_TRY(name_map_add(&builder->keys, tensor.key, builder->n_tensors,
			    &added, err));
	if (!added)
		return wh_fail(err, WH_ECORRUPT, "tensor '%s' is there twice",
			       key);
	dims = arena_alloc(builder->arena, rank, sizeof(*dims));
	if (!dims)
		return wh_fail_memory(err);
	if (rank)
		memcpy(dims, shape, rank * sizeof(*dims));
	tensor.shape = dims;
	WH_TRY(append_tensor(builder, &tensor, err));
	if (index)
		*index = builder->n_tensors - 1;
	return WH_OK;
}

enum wh_status manifest_add_skeleton(struct manifest_builder *builder,
				     uint64_t nbytes, uint32_t *index,
				     struct wh_error *err)
{
	struct wh_tensor tensor = {.key = SKELETON_KEY,
				   .dtype = WH_UINT8,
				   .rank = 1,
				   .nbytes = nbytes};
	uint64_t *dims = arena_alloc(builder->arena, 1, sizeof(*dims));

	assert(!builder->has_skeleton);
	if (!dims)
		return wh_fail_memory(err);
	dims[0] = nbytes;
	tensor.shape = dims;
	WH_TRY(append_tensor(builder, &tensor, err));
	builder->has_skeleton = true;
	*index = builder->n_tensors - 1;
	return WH_OK;
}

/* What comes beside the model's layers isn't counted as one: a format may add
 * it, HDF5 always the model's own weights, and must be read back. Each comes
 * once. */
static enum wh_status check_room(const struct manifest_builder *builder,
				 enum wh_layer_kind kind, struct wh_error *err)
{
	uint32_t n_beside = builder->n_layers - builder->n_own;

	if (kind == WH_LAYER && builder->n_own >= WH_MAX_LAYERS)
		return wh_fail(err, WH_ECORRUPT, "more than %u layers",
			       WH_MAX_LAYERS);
	if (kind != WH_LAYER && n_beside >= WH_LAYER_STATE)
		return wh_fail(err, WH_ECORRUPT,
			       "more than %d layers beside the model's",
			       (int)WH_LAYER_STATE);
	return WH_OK;
}

enum wh_status manifest_add_layer(struct manifest_builder *builder,
				  const char *name, const char *class_name,
				  enum wh_layer_kind kind, uint32_t container,
				  uint32_t *index, struct wh_error *err)
{
	struct wh_layer layer = {.kind = kind, .container = container};

	WH_TRY(check_room(builder, kind, err));
	assert(container == WH_NO_LAYER || container < builder->n_layers);
	WH_TRY(copy_name(builder->arena, "layer name", name, &layer.name, err));
	WH_TRY(copy_optional(builder->arena, "class name", class_name,
			     &layer.class_name, err));
	WH_TRY(array_grow(&builder->layers, builder->n_layers,
			  &builder->layers_capacity, sizeof(struct layer_draft),
			  err));
	builder->layers[builder->n_layers] =
		(struct layer_draft){.layer = layer};
	if (index)
		*index = builder->n_layers;
	builder->n_layers++;
	builder->n_own += kind == WH_LAYER;
	return WH_OK;
}

enum wh_status manifest_add_variable(struct manifest_builder *builder,
				     uint32_t layer,
				     const struct wh_variable *variable,
				     struct wh_error *err)
{
	struct layer_draft *draft = &builder->layers[layer];
	struct wh_variable copy = *variable;

	assert(layer < builder->n_layers);
	assert(variable->tensor < builder->n_tensors);
	if (builder->owned[variable->tensor])
		return wh_fail(err, WH_ECORRUPT,
			       "tensor '%s' belongs to two variables",
			       builder->tensors[variable->tensor].key);
	WH_TRY(copy_name(builder->arena, "weight name", variable->name,
			 &copy.name, err));
	WH_TRY(copy_optional(builder->arena, "object path",
			     variable->object_path, &copy.object_path, err));
	WH_TRY(copy_optional(builder->arena, "Keras 3 path",
			     variable->keras3_path, &copy.keras3_path, err));
	WH_TRY(array_grow(&draft->layer.variables, draft->layer.n_variables,
			  &draft->capacity, sizeof(copy), err));
	draft->layer.variables[draft->layer.n_variables++] = copy;
	builder->owned[variable->tensor] = 1;
	return WH_OK;
}

enum wh_status manifest_add_attribute(struct manifest_builder *builder,
				      const struct wh_attribute *attribute,
				      struct wh_error *err)
{
	struct wh_attribute copy = *attribute;

	WH_TRY(copy_name(builder->arena, "attribute path", attribute->path,
			 &copy.path, err));
	WH_TRY(copy_name(builder->arena, "attribute name", attribute->key,
			 &copy.key, err));
	if (attribute->text) {
		copy.text = arena_bytes(builder->arena, attribute->text,
					(size_t)attribute->size);
		if (!copy.text)
			return wh_fail_memory(err);
	}
	WH_TRY(array_grow(&builder->attributes, builder->n_attributes,
			  &builder->attributes_capacity, sizeof(copy), err));
	builder->attributes[builder->n_attributes++] = copy;
	return WH_OK;
}

enum wh_status manifest_warn(struct manifest_builder *builder,
			     struct wh_error *err, const char *format, ...)
{
	char text[WH_ERROR_SIZE];
	const char *copy;
	va_list args;

	va_start(args, format);
	vsnprintf(text, sizeof(text), format, args);
	va_end(args);
	copy = arena_strdup(builder->arena, text);
	if (!copy)
		return wh_fail_memory(err);
	WH_TRY(array_grow(&builder->warnings, builder->n_warnings,
			  &builder->warnings_capacity, sizeof(copy), err));
	builder->warnings[builder->n_warnings++] = copy;
	return WH_OK;
}

static enum wh_status check_owners(const struct manifest_builder *builder,
				   uint32_t n_listed, struct wh_error *err)
{
	uint32_t i;

	for (i = 0; i < n_listed; i++)
		if (!builder->owned[i])
			return wh_fail(err, WH_ECORRUPT,
				       "tensor '%s' belongs to no layer",
				       builder->tensors[i].key);
	return WH_OK;
}

void manifest_show_tensors(const struct manifest_builder *builder,
			   struct wh_manifest *manifest)
{
	manifest->tensors = builder->tensors;
	manifest->n_tensors = builder->n_tensors - builder->has_skeleton;
}

static void *settle(struct arena *arena, const void *array, uint32_t n,
		    size_t size)
{
	void *copy = arena_alloc(arena, n, size);

	if (copy && n)
		memcpy(copy, array, (size_t)n * size);
	return copy;
}

static enum wh_status settle_layers(struct manifest_builder *builder,
				    struct wh_manifest *made,
				    struct wh_error *err)
{
	uint32_t i;

	made->n_layers = builder->n_layers;
	made->layers = arena_alloc(builder->arena, builder->n_layers,
				   sizeof(*made->layers));
	if (!made->layers)
		return wh_fail_memory(err);
	for (i = 0; i < made->n_layers; i++) {
		struct wh_layer *layer = &made->layers[i];

		*layer = builder->layers[i].layer;
		layer->variables =
			settle(builder->arena, layer->variables,
			       layer->n_variables, sizeof(*layer->variables));
		if (!layer->variables)
			return wh_fail_memory(err);
	}
	return WH_OK;
}

enum wh_status manifest_finish(struct manifest_builder *builder,
			       struct wh_manifest *manifest,
			       struct wh_error *err)
{
	struct wh_manifest made = {.n_hidden = builder->has_skeleton};
	struct arena *arena = builder->arena;

	made.n_tensors = builder->n_tensors - made.n_hidden;
	WH_TRY(check_owners(builder, made.n_tensors, err));
	WH_TRY(settle_layers(builder, &made, err));
	made.tensors = builder->tensors;
	made.n_attributes = builder->n_attributes;
	made.attributes = settle(arena, builder->attributes, made.n_attributes,
				 sizeof(*made.attributes));
	made.n_warnings = builder->n_warnings;
	made.warnings = settle(arena, builder->warnings, made.n_warnings,
			       sizeof(*made.warnings));
	if (!made.attributes || !made.warnings ||
	    !arena_adopt(arena, made.tensors))
		return wh_fail_memory(err);
	builder->tensors = NULL;
	*manifest = made;
	return WH_OK;
}

const struct wh_attribute *manifest_packed(const struct wh_manifest *manifest)
{
	uint32_t i;

	for (i = 0; i < manifest->n_attributes; i++)
		if (strcmp(manifest->attributes[i].key, MANIFEST_PACKED) == 0)
			return &manifest->attributes[i];
	return NULL;
}

const struct wh_attribute *
manifest_attribute(const struct wh_manifest *manifest, const char *path,
		   const char *key)
{
	uint32_t i;

	for (i = 0; i < manifest->n_attributes; i++) {
		const struct wh_attribute *at = &manifest->attributes[i];

		if (strcmp(at->path, path) == 0 && strcmp(at->key, key) == 0)
			return at;
	}
	return NULL;
}
