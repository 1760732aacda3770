#include "mapping/keras3_build.h"

#include <string.h>

#include "mapping/keras3_slots.h"
#include "mapping/layers_config.h"
#include "mapping/naming.h"

static void free_building(struct keras3_building *building)
{
	notes_free(&building->notes);
	name_map_free(&building->places);
}

enum wh_status keras3_build_object(struct keras3_building *building,
				   const char *path, const char *name,
				   uint32_t *index, struct wh_error *err)
{
	bool added;

	*index = name_map_find(&building->places, path);
	if (*index != UINT32_MAX)
		return WH_OK;
	WH_TRY(keras3_object_add(&building->objects, path, name,
				 building->arena, index, err));
	return name_map_add(&building->places, path, *index, &added, err);
}

/* ---- One layer -------------------------------------------------------- */

static enum wh_status add_part(struct keras3_building *building,
			       const char *path, const char *part,
			       const struct config_layer *config,
			       struct wh_error *err)
{
	const char *below = arena_printf(building->arena, "%s%s%s", path,
					 *path ? "/" : "", part);
	uint32_t index;

	if (!below)
		return wh_fail_memory(err);
	if (config)
		return keras3_build_layer(building, config, below, err);
	return keras3_build_object(building, below, NULL, &index, err);
}

static enum wh_status add_members(struct keras3_building *building,
				  const struct config_layer *config,
				  const char *path, const char *container,
				  struct wh_error *err)
{
	const char **slots, *part;
	uint32_t i;

	WH_TRY(slots_of_model(config, building->arena, &slots, err));
	for (i = 0; i < config->n_children; i++) {
		if (!*slots[i])
			continue;
		part = arena_printf(building->arena, "%s/%s", container,
				    slots[i]);
		if (!part)
			return wh_fail_memory(err);
		WH_TRY(add_part(building, path, part, &config->children[i],
				err));
	}
	return WH_OK;
}

static enum wh_status add_attention(struct keras3_building *building,
				    const char *path, struct wh_error *err)
{
	static const char *const keras3[] = {"key_dense", "output_dense",
					     "query_dense", "value_dense"};
	static const char *const keras2[] = {"_value_dense", "_query_dense",
					     "_output_dense", "_key_dense"};
	size_t i;

	for (i = 0; i < 4; i++)
		WH_TRY(add_part(building, path,
				building->of_keras2 ? keras2[i] : keras3[i],
				NULL, err));
	return WH_OK;
}

static enum wh_status add_both(struct keras3_building *building,
			       const struct config_layer *config,
			       const char *path, struct wh_error *err)
{
	bool forward_first = building->of_keras2;

	if (forward_first)
		WH_TRY(add_part(building, path, "forward_layer",
				&config->children[0], err));
	WH_TRY(add_part(building, path, "backward_layer", &config->children[1],
			err));
	if (forward_first)
		return WH_OK;
	return add_part(building, path, "forward_layer", &config->children[0],
			err);
}

static enum wh_status add_plain(struct keras3_building *building,
				const struct config_layer *config,
				const char *path, struct wh_error *err)
{
	const char *class_name = config->class_name ? config->class_name : "";

	if (strcmp(class_name, "MultiHeadAttention") == 0)
		return add_attention(building, path, err);
	if (class_of_attribute(class_name, "cell") &&
	    strcmp(class_name, "Bidirectional") != 0)
		return add_part(building, path, "cell", NULL, err);
	return WH_OK;
}

enum wh_status keras3_build_layer(struct keras3_building *building,
				  const struct config_layer *config,
				  const char *path, struct wh_error *err)
{
	const char *name = building->of_keras2 ? NULL : config->name;
	uint32_t index;

	WH_TRY(keras3_build_object(building, path, name, &index, err));
	switch (config->kind) {
	case CONFIG_MODEL:
		return add_members(building, config, path, "layers", err);
	case CONFIG_WRAPPER:
		return add_part(building, path, "layer", &config->children[0],
				err);
	case CONFIG_BIDIRECTIONAL:
		return add_both(building, config, path, err);
	case CONFIG_CELLS:
		WH_TRY(add_part(building, path, "cell", NULL, err));
		return add_members(building, config, path, "cell/cells", err);
	case CONFIG_LAYER:
	default:
		return add_plain(building, config, path, err);
	}
}

/* ---- The model -------------------------------------------------------- */

/* A model whose layers' classes are known, but that has no configuration. */
static enum wh_status make_model(const struct keras3_building *building,
				 struct config_layer *model,
				 const struct config_layer **of,
				 struct wh_error *err)
{
	const struct wh_manifest *manifest = building->manifest;
	bool is_mapped;
	uint32_t i;

	model->kind = CONFIG_MODEL;
	model->name = "";
	model->children = arena_alloc(building->arena, manifest->n_layers,
				      sizeof(*model));
	if (!model->children)
		return wh_fail_memory(err);
	for (i = 0; i < manifest->n_layers; i++) {
		const struct wh_layer *layer = &manifest->layers[i];
		struct config_layer *child =
			&model->children[model->n_children];

		if (layer->kind != WH_LAYER ||
		    (!layer->class_name && !layer->n_variables))
			continue;
		WH_TRY(weight_targets_of(building->targets, layer, &is_mapped,
					 err));
		if (is_mapped)
			continue;
		if (!layer->class_name)
			return wh_fail(
				err, WH_EUNSUPPORTED,
				"layer '%s': its class is not known, and "
				"Keras 3 names weights by it; "
				"--model-config FILE (the model's "
				"to_json()) says it, or --map FILE the places "
				"of its weights",
				layer->name);
		*child = (struct config_layer){.name = layer->name,
					       .class_name = layer->class_name,
					       .trainable = true,
					       .scales = true,
					       .centers = true,
					       .has_scale = true};
		of[i] = child;
		model->n_children++;
	}
	return WH_OK;
}

/* A configuration says it, or the file that the model came from. */
static bool is_of_keras2(const struct wh_manifest *manifest,
			 const struct config_layer *model)
{
	const struct wh_attribute *own =
		manifest_attribute(manifest, "", "keras_version");

	if (!own)
		own = manifest_attribute(manifest, "model_weights",
					 "keras_version");
	if (*model->name || !own || !own->text)
		return model->is_keras2;
	return own->text[0] != '3';
}

static uint32_t index_of(const struct config_layer *model,
			 const struct config_layer *child)
{
	return (uint32_t)(child - model->children);
}

static enum wh_status fill_model_weights(struct keras3_building *building,
					 const struct wh_layer *layer,
					 bool in_order, struct wh_error *err)
{
	struct keras3_object *model = &building->objects.list[0];
	bool is_mapped;
	uint32_t i;

	WH_TRY(weight_targets_of(building->targets, layer, &is_mapped, err));
	if (is_mapped)
		return keras3_fill_mapped(building, layer, building->targets,
					  err);
	for (i = 0; i < layer->n_variables; i++) {
		struct keras3_value value = {
			.key = "", .tensor = layer->variables[i].tensor};

		WH_TRY(keras3_value_add(model, &value, building->arena, err));
	}
	return keras3_sort_values(building, model, "", in_order, err);
}

/* Files of Keras 2 list an object's variables in its own order, and so do a
 * trainer's arrays. */
static bool lists_in_order(const struct wh_manifest *manifest)
{
	return !manifest->graph && manifest->origin_format &&
	       (strcmp(manifest->origin_format, "h5") == 0 ||
		strcmp(manifest->origin_format, "memory") == 0);
}

static enum wh_status
fill_layer(struct keras3_building *building, const struct wh_layer *layer,
	   const struct config_layer *config, const char *slot,
	   const char *const *full_names, struct wh_error *err)
{
	const char *path;
	bool is_mapped;

	WH_TRY(weight_targets_of(building->targets, layer, &is_mapped, err));
	if (is_mapped)
		return keras3_fill_mapped(building, layer, building->targets,
					  err);
	if (!config)
		return wh_fail(err, WH_EUNSUPPORTED,
			       "layer '%s' is not in the model's configuration",
			       layer->name);
	path = arena_printf(building->arena, "layers/%s", slot);
	if (!path)
		return wh_fail_memory(err);
	return keras3_fill_layer(building, layer, config, path, full_names,
				 err);
}

static enum wh_status fill_layers(struct keras3_building *building,
				  const struct config_layer *model,
				  const struct config_layer *const *of,
				  const char *const *full_names,
				  struct wh_error *err)
{
	const struct wh_manifest *manifest = building->manifest;
	bool in_order = lists_in_order(manifest);
	const char **slots;
	uint32_t i;

	WH_TRY(slots_of_model(model, building->arena, &slots, err));
	for (i = 0; i < manifest->n_layers; i++) {
		const struct wh_layer *layer = &manifest->layers[i];

		if (layer->kind == WH_LAYER_MODEL)
			WH_TRY(fill_model_weights(building, layer, in_order,
						  err));
		if (layer->kind == WH_LAYER && layer->n_variables)
			WH_TRY(fill_layer(building, layer, of[i],
					  of[i] ? slots[index_of(model, of[i])]
						: NULL,
					  full_names, err));
	}
	for (i = 1; i < building->objects.n; i++)
		WH_TRY(keras3_sort_values(building, &building->objects.list[i],
					  building->objects.list[i].path,
					  in_order, err));
	return WH_OK;
}

static enum wh_status build(struct keras3_building *building,
			    const char *model_config, struct wh_error *err)
{
	const struct wh_manifest *manifest = building->manifest;
	struct arena *arena = building->arena;
	struct naming naming = {.manifest = manifest,
				.arena = arena,
				.notes = {.arena = arena}};
	const struct config_layer *model, **of;
	struct config_layer made = {0};
	enum wh_status status;
	uint32_t index;

	WH_TRY(layers_config_model(manifest, model_config, arena, &model, err));
	WH_TRY(layers_config_match(manifest, model, arena, &of, err));
	if (!model) {
		WH_TRY(make_model(building, &made, of, err));
		model = &made;
	}
	building->of_keras2 = is_of_keras2(manifest, model);
	status = naming_prepare(&naming, model_config, err);
	notes_free(&naming.notes);
	WH_TRY(status);
	WH_TRY(keras3_build_object(building, "",
				   building->of_keras2 ? NULL : model->name,
				   &index, err));
	WH_TRY(add_members(building, model, "", "layers", err));
	WH_TRY(fill_layers(building, model, of, naming.full_names, err));
	return notes_left_out(&building->notes, manifest, NULL, err);
}

enum wh_status mapping_objects(const struct wh_manifest *manifest,
			       const struct mapping_hints *hints,
			       struct arena *arena, struct mapping_objects *out,
			       struct wh_error *err)
{
	__attribute__((
		cleanup(free_building))) struct keras3_building building = {
		.manifest = manifest,
		.arena = arena,
		.notes = {.arena = arena}};

	if (keras3_is_origin(manifest) && hints->map)
		return wh_fail(
			err, WH_EINVAL,
			"the model's places in Keras 3 files are kept: a "
			"map has nothing to say");
	if (keras3_is_origin(manifest))
		return keras3_objects_read(manifest, arena, &out->objects, err);
	building.leaves = arena_alloc(arena, manifest->n_tensors,
				      sizeof(*building.leaves));
	if (!building.leaves)
		return wh_fail_memory(err);
	WH_TRY(weight_targets(manifest, hints->map, arena, &building.targets,
			      err));
	WH_TRY(build(&building, hints->model_config, err));
	out->objects = building.objects;
	return notes_settle(&building.notes, &out->notes, &out->n_notes, err);
}
