/* Layers and names of a Keras 3 file: FORMAT.md, "Keras 3". */
#include <stdlib.h>
#include <string.h>

#include "mapping/keras3.h"
#include "mapping/keras3_places.h"
#include "mapping/keras3_slots.h"
#include "mapping/layers_config.h"

#define places_auto __attribute__((cleanup(keras3_places_free)))

/* ---- Names ------------------------------------------------------------ */

/* The TensorFlow path of a value, below its layer; NULL if not decided. */
static const char *value_path(const struct keras3_object *object,
			      const struct keras3_place *place, uint32_t index,
			      const char *above, struct arena *arena, bool *ok)
{
	const char *leaf, *path;

	*ok = true;
	if (place->kind != WH_LAYER || !above)
		return NULL;
	leaf = leaf_of_value(place->class_name, place->config, index,
			     object->n_values);
	if (!leaf)
		return NULL;
	path = arena_printf(arena, "%s%s%s", above, *above ? "/" : "", leaf);
	*ok = path != NULL;
	return path;
}

/* ---- To a manifest ---------------------------------------------------- */

struct listing {
	const struct keras3_objects *objects;
	const struct keras3_places *places;
	struct manifest_builder *builder;
	struct arena *arena;
	struct name_map names; /* of layers so far */
	uint32_t *layer_of;    /* by keras3_place.layer: the manifest's */
};

static void free_listing(struct listing *listing)
{
	name_map_free(&listing->names);
	free(listing->layer_of);
}

/* `name`, or with the first number behind it that no layer has. */
static enum wh_status make_unique(struct listing *listing, const char *name,
				  const char **unique, struct wh_error *err)
{
	uint32_t number = 0;
	bool added;

	*unique = name;
	for (;;) {
		WH_TRY(name_map_add(&listing->names, *unique, 0, &added, err));
		if (added)
			return WH_OK;
		*unique = arena_printf(listing->arena, "%s_%u", name, ++number);
		if (!*unique)
			return wh_fail_memory(err);
	}
}

static const char *layer_name(const struct listing *listing, uint32_t i)
{
	const struct keras3_place *place = &listing->places->of[i];
	const struct keras3_object *object = &listing->objects->list[i];

	if (place->config && *place->config->name)
		return place->config->name;
	/* A file without empty objects begins with one inside the layer. */
	if (object->name && *object->name && !object->path[place->root_len])
		return object->name;
	return place->slot;
}

static enum wh_status add_value(struct listing *listing, uint32_t i,
				uint32_t index, uint32_t layer,
				enum wh_role role, struct wh_error *err)
{
	const struct keras3_object *object = &listing->objects->list[i];
	const struct keras3_place *place = &listing->places->of[i];
	struct wh_variable variable = {.role = role};
	bool ok;

	variable.tensor = object->values[index].tensor;
	variable.name = keras3_value_path(object, &object->values[index],
					  listing->arena);
	variable.keras3_path = variable.name;
	if (!variable.name)
		return wh_fail_memory(err);
	variable.object_path = value_path(object, place, index, place->path,
					  listing->arena, &ok);
	if (!ok)
		return wh_fail_memory(err);
	return manifest_add_variable(listing->builder, layer, &variable, err);
}

static enum wh_status add_values(struct listing *listing, uint32_t i,
				 uint32_t layer, enum wh_role role,
				 struct wh_error *err)
{
	uint32_t j;

	for (j = 0; j < listing->objects->list[i].n_values; j++)
		WH_TRY(add_value(listing, i, j, layer, role, err));
	return WH_OK;
}

/* One layer for all objects of a kind, if they have values. */
static enum wh_status add_kind(struct listing *listing, enum wh_layer_kind kind,
			       const char *name, enum wh_role role,
			       struct wh_error *err)
{
	uint32_t i, layer = WH_NO_LAYER;

	for (i = 0; i < listing->objects->n; i++) {
		if (listing->places->of[i].kind != kind ||
		    !listing->objects->list[i].n_values)
			continue;
		if (layer == WH_NO_LAYER)
			WH_TRY(manifest_add_layer(listing->builder, name, NULL,
						  kind, WH_NO_LAYER, &layer,
						  err));
		WH_TRY(add_values(listing, i, layer, role, err));
	}
	return WH_OK;
}

static enum wh_status add_object(struct listing *listing, uint32_t i,
				 struct wh_error *err)
{
	const struct keras3_place *place = &listing->places->of[i];
	uint32_t *layer = &listing->layer_of[place->layer];
	const char *name;

	if (*layer == WH_NO_LAYER) {
		WH_TRY(make_unique(listing, layer_name(listing, i), &name,
				   err));
		WH_TRY(manifest_add_layer(listing->builder, name,
					  place->class_name, WH_LAYER,
					  WH_NO_LAYER, layer, err));
	}
	return add_values(listing, i, *layer, WH_ROLE_WEIGHT, err);
}

static enum wh_status add_layers(struct listing *listing, struct wh_error *err)
{
	uint32_t i, n = listing->places->n_layers;

	listing->layer_of = malloc(((size_t)n + 1) * sizeof(uint32_t));
	if (!listing->layer_of)
		return wh_fail_memory(err);
	for (i = 0; i < n; i++)
		listing->layer_of[i] = WH_NO_LAYER;
	for (i = 0; i < listing->objects->n; i++)
		if (listing->places->of[i].kind == WH_LAYER)
			WH_TRY(add_object(listing, i, err));
	return WH_OK;
}

/* ---- What else the file has ------------------------------------------- */

static enum wh_status add_text(struct manifest_builder *builder,
			       const char *path, const char *key,
			       const char *text, struct wh_error *err)
{
	struct wh_attribute attribute = {
		.path = path, .key = key, .text = text, .size = strlen(text)};

	return manifest_add_attribute(builder, &attribute, err);
}

static enum wh_status add_integer(struct manifest_builder *builder,
				  const char *path, const char *key,
				  int64_t value, struct wh_error *err)
{
	struct wh_attribute attribute = {.path = path,
					 .key = key,
					 .kind = WH_VALUE_INTEGER,
					 .integer = value};

	return manifest_add_attribute(builder, &attribute, err);
}

/* The objects, in order, and what their datasets are marked with. */
static enum wh_status add_marks(struct listing *listing, struct wh_error *err)
{
	uint32_t i, j, shard = 0;

	for (i = 0; i < listing->objects->n; i++) {
		const struct keras3_object *object = &listing->objects->list[i];

		if (object->name)
			WH_TRY(add_text(listing->builder, object->path, "name",
					object->name, err));
		else
			WH_TRY(add_integer(listing->builder, object->path,
					   "vars", object->n_values, err));
		for (j = 0; j < object->n_values; j++) {
			const struct keras3_value *value = &object->values[j];
			const char *path;

			if (!value->dtype && value->shard == shard)
				continue;
			path = keras3_value_path(object, value, listing->arena);
			if (!path)
				return wh_fail_memory(err);
			if (value->dtype)
				WH_TRY(add_text(listing->builder, path, "dtype",
						value->dtype, err));
			if (value->shard != shard)
				WH_TRY(add_integer(listing->builder, path,
						   "shard", value->shard, err));
			shard = value->shard;
		}
	}
	return WH_OK;
}

enum wh_status mapping_layers_from_objects(const struct keras3_objects *objects,
					   const char *config,
					   struct manifest_builder *builder,
					   struct arena *arena,
					   struct wh_error *err)
{
	places_auto struct keras3_places places = {0};
	__attribute__((cleanup(free_listing))) struct listing listing = {
		.objects = objects,
		.places = &places,
		.builder = builder,
		.arena = arena};
	const struct config_layer *model = NULL;
	struct wh_error ignored;

	/* A configuration that doesn't fit is only no help. */
	if (config && config_parse(config, arena, &model, &ignored))
		model = NULL;
	if (keras3_places_find(objects, model, arena, &places, &ignored)) {
		keras3_places_free(&places);
		places = (struct keras3_places){0};
		WH_TRY(keras3_places_find(objects, NULL, arena, &places, err));
	}
	WH_TRY(add_marks(&listing, err));
	WH_TRY(add_layers(&listing, err));
	WH_TRY(add_kind(&listing, WH_LAYER_MODEL, "", WH_ROLE_WEIGHT, err));
	WH_TRY(add_kind(&listing, WH_LAYER_OPTIMIZER, "optimizer",
			WH_ROLE_OPTIMIZER, err));
	return add_kind(&listing, WH_LAYER_STATE, "state", WH_ROLE_OTHER, err);
}

/* ---- From a manifest -------------------------------------------------- */

/* Keras 3 writes the integer kernel first, though it trains the bias alone;
 * its weights, and HDF5 files of layers, begin with what is trained. Which of
 * the others are there depends on the kind of quantization. */
static bool is_quantized(const struct wh_manifest *manifest,
			 const struct keras3_object *object,
			 const struct keras3_place *place)
{
	const char *class_name = place->class_name;

	return class_name && object->n_values > 2 &&
	       (strcmp(class_name, "Dense") == 0 ||
		strcmp(class_name, "EinsumDense") == 0) &&
	       manifest->tensors[object->values[0].tensor].dtype == WH_INT8;
}

static enum wh_status name_value(const struct wh_manifest *manifest,
				 const struct keras3_object *object,
				 const struct keras3_place *place,
				 uint32_t index, struct arena *arena,
				 struct keras3_names *names,
				 struct wh_error *err)
{
	uint32_t tensor = object->values[index].tensor;
	const char *scope = place->scope, *path;
	const struct wh_layer *layer;
	const struct wh_variable *variable;
	bool ok;

	names->objects[tensor] = object->path;
	names->is_quantized[tensor] = is_quantized(manifest, object, place);
	path = value_path(object, place, index, place->path, arena, &ok);
	if (!ok)
		return wh_fail_memory(err);
	names->paths[tensor] = path;
	if (!path || !wh_manifest_owner(manifest, tensor, &layer, &variable))
		return WH_OK;
	if (scope)
		path = value_path(object, place, index, place->scope_path,
				  arena, &ok);
	names->full_names[tensor] = arena_printf(
		arena, "%s/%s", scope ? scope : layer->name, path ? path : "");
	return names->full_names[tensor] ? WH_OK : wh_fail_memory(err);
}

/* Layers stand in the manifest in the order of the file's. */
static void hand_out_configs(const struct wh_manifest *manifest,
			     const struct keras3_places *places,
			     const struct keras3_objects *objects,
			     struct keras3_names *names)
{
	uint32_t i, j, layer;

	for (i = 0; i < objects->n; i++) {
		const struct keras3_place *place = &places->of[i];

		bool table = place->kind == WH_LAYER &&
			     slot_may_hold_table(place->slot);

		if (place->kind != WH_LAYER || (!place->config && !table) ||
		    objects->list[i].path[place->root_len])
			continue;
		for (j = 0, layer = place->layer; j < manifest->n_layers; j++)
			if (manifest->layers[j].kind == WH_LAYER &&
			    layer-- == 0)
				break;
		if (j == manifest->n_layers)
			continue;
		names->config[j] = place->config;
		names->may_hold_table[j] = table;
	}
}

enum wh_status keras3_names_find(const struct wh_manifest *manifest,
				 const char *given, struct arena *arena,
				 struct keras3_names *names,
				 struct wh_error *err)
{
	places_auto struct keras3_places places = {0};
	struct keras3_objects objects = {0};
	const struct config_layer *model;
	uint32_t i, j, n = manifest->n_tensors;

	names->paths = arena_alloc(arena, n, sizeof(*names->paths));
	names->full_names = arena_alloc(arena, n, sizeof(*names->full_names));
	names->objects = arena_alloc(arena, n, sizeof(*names->objects));
	names->is_quantized =
		arena_alloc(arena, n, sizeof(*names->is_quantized));
	names->config =
		arena_alloc(arena, manifest->n_layers, sizeof(*names->config));
	names->may_hold_table = arena_alloc(arena, manifest->n_layers,
					    sizeof(*names->may_hold_table));
	if (!names->paths || !names->full_names || !names->objects ||
	    !names->is_quantized || !names->config || !names->may_hold_table)
		return wh_fail_memory(err);
	WH_TRY(keras3_objects_read(manifest, arena, &objects, err));
	WH_TRY(layers_config_model(manifest, given, arena, &model, err));
	WH_TRY(keras3_places_find(&objects, model, arena, &places, err));
	names->has_doubt = places.has_doubt;
	names->is_subclassed = places.is_subclassed;
	hand_out_configs(manifest, &places, &objects, names);
	WH_TRY(layers_config_order(manifest, model, names->config, arena,
				   &names->order, err));
	for (i = 0; i < objects.n; i++)
		for (j = 0; j < objects.list[i].n_values; j++)
			WH_TRY(name_value(manifest, &objects.list[i],
					  &places.of[i], j, arena, names, err));
	return WH_OK;
}

/* ---- Doubt ------------------------------------------------------------ */

static bool look_alike(const struct wh_manifest *manifest,
		       const struct wh_layer *a, const struct wh_layer *b)
{
	uint32_t i;

	if (a->n_variables != b->n_variables || a->n_variables == 0)
		return false;
	for (i = 0; i < a->n_variables; i++) {
		const struct wh_tensor *x =
			&manifest->tensors[a->variables[i].tensor];
		const struct wh_tensor *y =
			&manifest->tensors[b->variables[i].tensor];

		if (x->rank != y->rank ||
		    memcmp(x->shape, y->shape, x->rank * sizeof(*x->shape)) !=
			    0)
			return false;
	}
	return true;
}

/* "layers/dense_1/vars/0": of the layer's slot, without its number. */
static size_t layer_stem(const struct wh_layer *layer, const char **slot,
			 char *buf, size_t size)
{
	const char *path = layer->variables[0].keras3_path;
	const char *slash = path ? strchr(path, '/') : NULL;
	size_t len = slash ? strcspn(slash + 1, "/") : 0;

	*slot = buf;
	if (len >= size)
		len = size - 1;
	memcpy(buf, slash ? slash + 1 : "", len);
	buf[len] = '\0';
	return slot_stem(buf);
}

static bool have_one_class(const struct wh_layer *a, const struct wh_layer *b)
{
	char one[256], other[256];
	const char *x, *y;
	size_t len = layer_stem(a, &x, one, sizeof(one));

	return layer_stem(b, &y, other, sizeof(other)) == len &&
	       memcmp(x, y, len) == 0;
}

/* A layer of weights whose place only its order says: the map doesn't. */
static bool has_to_be_ordered(const struct wh_layer *layer,
			      const struct weight_target *targets)
{
	return layer->kind == WH_LAYER && layer->n_variables &&
	       !(targets && targets[layer->variables[0].tensor].path);
}

/* Its layers are attributes, which stand in the order of their names. */
static enum wh_status refuse_subclassed(const struct wh_manifest *manifest,
					const struct weight_target *targets,
					struct wh_error *err)
{
	const struct wh_layer *first = NULL;
	uint32_t i;

	for (i = 0; i < manifest->n_layers; i++) {
		const struct wh_layer *layer = &manifest->layers[i];

		if (!has_to_be_ordered(layer, targets))
			continue;
		if (first)
			return wh_fail(
				err, WH_EUNSUPPORTED,
				"layers '%s' and '%s' belong to a subclassed "
				"model, and which comes first is not in a "
				"Keras 3 file; save the model with "
				"save_format='tf' instead, or --map FILE says "
				"it",
				first->name, layer->name);
		first = layer;
	}
	return WH_OK;
}

#define MAX_COMPARED 2000u

enum wh_status keras3_check_order(const struct wh_manifest *manifest,
				  const struct keras3_names *names,
				  const struct weight_target *targets,
				  struct wh_error *err)
{
	uint32_t i, j;

	if (names->is_subclassed)
		return refuse_subclassed(manifest, targets, err);
	if (!names->has_doubt)
		return WH_OK;
	for (i = 0; i < manifest->n_layers && i < MAX_COMPARED; i++)
		for (j = 0; j < i; j++) {
			const struct wh_layer *a = &manifest->layers[j];
			const struct wh_layer *b = &manifest->layers[i];

			if (!has_to_be_ordered(a, targets) ||
			    !has_to_be_ordered(b, targets) ||
			    !look_alike(manifest, a, b) || have_one_class(a, b))
				continue;
			return wh_fail(err, WH_EUNSUPPORTED,
				       "layers '%s' and '%s' have weights of "
				       "the same shapes, and the file does not "
				       "show which comes first; --model-config "
				       "FILE (the model's to_json()) does",
				       a->name, b->name);
		}
	return WH_OK;
}
