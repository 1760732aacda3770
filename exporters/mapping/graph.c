/* The object graph of a model that came without one, as TensorFlow would
 * number it: layers, their objects, their variables; FORMAT.md, "Graph". */
#include <string.h>

#include "base/text.h"
#include "mapping/draft.h"
#include "mapping/keras3.h"
#include "mapping/layers_config.h"
#include "mapping/mapping.h"
#include "mapping/notes.h"
#include "mapping/paths.h"

#define ROOT 0u

struct building {
	const struct wh_manifest *manifest;
	struct draft draft;
	struct notes notes;
	const struct config_layer **config;
	struct weight_target *targets; /* of tensors by the map; or NULL */
	const uint32_t *order; /* layers by a configuration's; or NULL */
	struct keras3_names keras3;    /* of a Keras 3 file; else zeroed */
	uint32_t n_layers, n_weighted; /* numbers given so far */
};

static void free_building(struct building *building)
{
	draft_free(&building->draft);
	notes_free(&building->notes);
}

static bool is_from_h5(const struct wh_manifest *manifest)
{
	return manifest->origin_format &&
	       strcmp(manifest->origin_format, "h5") == 0;
}

static enum wh_status take_keras3_paths(const struct building *building,
					const struct wh_layer *layer,
					struct layer_paths *paths,
					struct wh_error *err)
{
	uint32_t i;

	for (i = 0; i < layer->n_variables; i++) {
		const struct wh_variable *variable = &layer->variables[i];

		paths->paths[i] = building->keras3.paths[variable->tensor];
		if (!paths->paths[i])
			return wh_fail(err, WH_EUNSUPPORTED,
				       "layer '%s': the attribute that "
				       "TensorFlow has for weight '%s' is not "
				       "in a Keras 3 file; --model-config FILE "
				       "(the model's to_json()) says it of "
				       "Keras's own layers",
				       layer->name, variable->name);
	}
	return WH_OK;
}

/* Object paths that the source knows for itself; false if one is missing. */
static bool take_paths(const struct wh_layer *layer, struct layer_paths *paths)
{
	uint32_t i;

	for (i = 0; i < layer->n_variables; i++) {
		paths->paths[i] = layer->variables[i].object_path;
		if (!paths->paths[i] || !*paths->paths[i])
			return false;
	}
	return true;
}

static enum wh_status find_paths(const struct building *building,
				 const struct wh_layer *layer,
				 const struct config_layer *config,
				 struct layer_paths *paths,
				 struct wh_error *err)
{
	struct arena *arena = building->draft.arena;

	memset(paths, 0, sizeof(*paths));
	if (!is_from_h5(building->manifest)) {
		paths->paths = arena_alloc(arena, layer->n_variables,
					   sizeof(*paths->paths));
		if (!paths->paths)
			return wh_fail_memory(err);
		if (building->keras3.paths)
			return take_keras3_paths(building, layer, paths, err);
		if (take_paths(layer, paths))
			return WH_OK;
	}
	return paths_of_layer(layer, config, arena, paths, err);
}

static enum wh_status add_variable(struct building *building, uint32_t base,
				   const struct wh_layer *layer, uint32_t index,
				   const char *path, struct wh_error *err)
{
	const struct wh_variable *variable = &layer->variables[index];
	struct draft *draft = &building->draft;
	uint32_t node;

	WH_TRY(draft_path(draft, base, path, &node, err));
	if (node == base || draft->nodes[node].tensor != UINT32_MAX)
		return wh_fail(err, WH_EUNSUPPORTED,
			       "layer '%s': weight '%s' and another are both "
			       "'%s' in the object graph",
			       layer->name, variable->name, path);
	draft->nodes[node].tensor = variable->tensor;
	if (building->keras3.full_names)
		draft->nodes[node].full_name =
			building->keras3.full_names[variable->tensor];
	/* A map says the place of what has no name elsewhere. */
	if (!draft->nodes[node].full_name)
		draft->nodes[node].full_name =
			name_without_output(variable->name, draft->arena);
	return draft->nodes[node].full_name ? WH_OK : wh_fail_memory(err);
}

static enum wh_status add_edges(struct building *building, uint32_t base,
				const struct layer_paths *paths,
				struct wh_error *err)
{
	struct draft *draft = &building->draft;
	uint32_t i, node;

	for (i = 0; i < paths->n_edges; i++) {
		const struct path_edge *edge = &paths->edges[i];

		if (edge->same_as) {
			WH_TRY(draft_path(draft, base, edge->same_as, &node,
					  err));
			WH_TRY(draft_alias(draft, base, edge->path, node, err));
		} else {
			WH_TRY(draft_path(draft, base, edge->path, &node, err));
		}
	}
	return WH_OK;
}

/* A second node with the same children as `node`: what it stands for is not
 * known, and each reader takes the one that it has an attribute for. */
static enum wh_status copy_node(struct draft *draft, uint32_t node,
				uint32_t first_link, uint32_t *copy,
				struct wh_error *err)
{
	uint32_t i, n = draft->n_links;

	WH_TRY(draft_node(draft, copy, err));
	for (i = first_link; i < n; i++) {
		struct draft_link link = draft->links[i];

		if (link.parent == node)
			WH_TRY(draft_link(draft, *copy, link.name, link.child,
					  err));
	}
	return WH_OK;
}

static uint32_t find_child(const struct draft *draft, uint32_t node,
			   uint32_t first_link, const char *name)
{
	uint32_t i;

	for (i = first_link; i < draft->n_links; i++)
		if (draft->links[i].parent == node &&
		    strcmp(draft->links[i].name, name) == 0)
			return draft->links[i].child;
	return UINT32_MAX;
}

/* A layer whose class is not known may be wrapped (TimeDistributed: `layer`)
 * or be a model with one layer (`layer_with_weights-0`): the names of its
 * weights are the same. Edges that a reader has no attribute for are
 * harmless, so both are there beside the plain ones. */
static enum wh_status add_aliases(struct building *building, uint32_t node,
				  uint32_t first_link, struct wh_error *err)
{
	static const char nested[] = "layer_with_weights-0";
	struct draft *draft = &building->draft;
	uint32_t inner = find_child(draft, node, first_link, nested), copy;

	if (find_child(draft, node, first_link, "layer") != UINT32_MAX)
		return WH_OK;
	WH_TRY(copy_node(draft, node, first_link, &copy, err));
	WH_TRY(draft_link(draft, node, "layer", copy, err));
	if (inner == UINT32_MAX)
		return draft_link(draft, node, nested, copy, err);
	WH_TRY(copy_node(draft, inner, first_link, &copy, err));
	return draft_link(draft, inner, nested, copy, err);
}

static enum wh_status fill_layer(struct building *building, uint32_t node,
				 const struct wh_layer *layer,
				 const struct config_layer *config,
				 struct wh_error *err)
{
	uint32_t first_link = building->draft.n_links;
	struct layer_paths paths;
	uint32_t i;

	WH_TRY(find_paths(building, layer, config, &paths, err));
	WH_TRY(add_edges(building, node, &paths, err));
	for (i = 0; i < layer->n_variables; i++)
		WH_TRY(add_variable(building, node, layer, i, paths.paths[i],
				    err));
	if (paths.may_be_wrapped)
		WH_TRY(add_aliases(building, node, first_link, err));
	if (!paths.assumed)
		return WH_OK;
	return notes_add(&building->notes, err,
			 "layer '%s': weight '%s' is taken for the attribute "
			 "of that name",
			 layer->name, paths.assumed);
}

/* "layer_with_weights-1/inner/kernel" is below the layer of that number. */
static bool is_below(const char *path, const char *edge, const char **rest)
{
	*rest = name_below(path, edge);
	return *rest != NULL;
}

/* A layer whose weights the map has: where it says, below the layer's own node
 * (`weighted` is its edge) or below the model. */
static enum wh_status fill_mapped(struct building *building, uint32_t node,
				  const struct wh_layer *layer,
				  const char *weighted, struct wh_error *err)
{
	static const char numbered[] = "layer_with_weights-";
	uint32_t i;

	for (i = 0; i < layer->n_variables; i++) {
		const struct wh_variable *variable = &layer->variables[i];
		const char *path = building->targets[variable->tensor].path;
		const char *rest = path;
		uint32_t base = ROOT;

		if (weighted && is_below(path, weighted, &rest))
			base = node;
		else if (strncmp(path, numbered, strlen(numbered)) == 0)
			return wh_fail(err, WH_EINVAL,
				       "layer '%s': the map takes weight '%s' "
				       "to another layer, '%s'",
				       layer->name, variable->name, path);
		else
			rest = path;
		WH_TRY(add_variable(building, base, layer, i, rest, err));
	}
	return WH_OK;
}

/* Whether the map takes all of the layer's weights out of its own node: then
 * it is no numbered layer, but an attribute of a subclassed model. */
static bool is_attribute(const struct building *building,
			 const struct wh_layer *layer)
{
	uint32_t i;

	for (i = 0; i < layer->n_variables; i++)
		if (text_starts(
			    building->targets[layer->variables[i].tensor].path,
			    "layer_with_weights-"))
			return false;
	return true;
}

/* A vocabulary that a layer has learned counts as its weight, which shifts
 * the numbers of all layers behind it. Keras can't write such a model as
 * legacy HDF5; in a Keras 3 file there is nothing of it but the name. */
static enum wh_status holds_table(const struct building *building,
				  uint32_t index, bool *holds,
				  struct wh_error *err)
{
	const struct wh_layer *layer = &building->manifest->layers[index];
	const struct config_layer *config = building->config[index];

	*holds = config && config->holds_table;
	if (!config && building->keras3.may_hold_table &&
	    building->keras3.may_hold_table[index])
		return wh_fail(err, WH_EUNSUPPORTED,
			       "layer '%s': whether it has learned a "
			       "vocabulary, which TensorFlow counts as a "
			       "weight, is not in a Keras 3 file; "
			       "--model-config FILE (the model's to_json()) "
			       "says it",
			       layer->name);
	return WH_OK;
}

static enum wh_status add_layer(struct building *building, uint32_t index,
				struct wh_error *err)
{
	bool is_mapped, holds;
	const struct wh_layer *layer = &building->manifest->layers[index];
	struct draft *draft = &building->draft;
	const char *number, *weighted = NULL;
	uint32_t node;

	WH_TRY(weight_targets_of(building->targets, layer, &is_mapped, err));
	if (is_mapped && is_attribute(building, layer))
		return fill_mapped(building, ROOT, layer, NULL, err);
	WH_TRY(holds_table(building, index, &holds, err));
	WH_TRY(draft_node(draft, &node, err));
	number = arena_printf(draft->arena, "layer-%u", building->n_layers++);
	if (!number)
		return wh_fail_memory(err);
	if (layer->n_variables || holds) {
		weighted = arena_printf(draft->arena, "layer_with_weights-%u",
					building->n_weighted++);
		if (!weighted)
			return wh_fail_memory(err);
		WH_TRY(draft_link(draft, ROOT, weighted, node, err));
	}
	WH_TRY(draft_link(draft, ROOT, number, node, err));
	if (holds)
		WH_TRY(notes_add(&building->notes, err,
				 "left out: the vocabulary of layer '%s'",
				 layer->name));
	if (!layer->n_variables)
		return WH_OK;
	if (is_mapped)
		return fill_mapped(building, node, layer, weighted, err);
	return fill_layer(building, node, layer, building->config[index], err);
}

static enum wh_status add_model_weights(struct building *building,
					const struct wh_layer *layer,
					struct wh_error *err)
{
	bool is_mapped;

	WH_TRY(weight_targets_of(building->targets, layer, &is_mapped, err));
	if (is_mapped)
		return fill_mapped(building, ROOT, layer, NULL, err);
	return fill_layer(building, ROOT, layer, NULL, err);
}

static enum wh_status add_layers(struct building *building,
				 enum wh_layer_kind kind, struct wh_error *err)
{
	const struct wh_manifest *manifest = building->manifest;
	const uint32_t *order = building->order;
	uint32_t i;

	for (i = 0; i < manifest->n_layers; i++) {
		uint32_t at = order ? order[i] : i;
		const struct wh_layer *layer = &manifest->layers[at];

		if (layer->kind != kind || layer->container != WH_NO_LAYER)
			continue;
		if (kind == WH_LAYER)
			WH_TRY(add_layer(building, at, err));
		else if (layer->n_variables)
			WH_TRY(add_model_weights(building, layer, err));
	}
	return WH_OK;
}

static enum wh_status build(struct building *building, struct wh_error *err)
{
	struct draft *draft = &building->draft;
	uint32_t root;

	WH_TRY(draft_node(draft, &root, err));
	WH_TRY(add_layers(building, WH_LAYER, err));
	WH_TRY(add_layers(building, WH_LAYER_MODEL, err));
	/* tf.train.Checkpoint(model) attaches the model to itself. */
	WH_TRY(draft_link(draft, ROOT, "root", ROOT, err));
	return notes_left_out(&building->notes, building->manifest, NULL, err);
}

static enum wh_status build_graph(const struct wh_manifest *manifest,
				  const struct mapping_hints *hints,
				  struct arena *arena,
				  struct mapping_graph *out,
				  struct wh_error *err)
{
	__attribute__((cleanup(free_building))) struct building building = {
		.manifest = manifest,
		.draft = {.arena = arena},
		.notes = {.arena = arena}};
	const char *doubt;

	WH_TRY(weight_targets(manifest, hints->map, arena, &building.targets,
			      err));
	if (keras3_is_origin(manifest)) {
		WH_TRY(keras3_names_find(manifest, hints->model_config, arena,
					 &building.keras3, err));
		WH_TRY(keras3_check_order(manifest, &building.keras3,
					  building.targets, err));
		building.config = building.keras3.config;
		building.order = building.keras3.order;
	} else {
		WH_TRY(layers_config(manifest, hints->model_config, arena,
				     &building.config, &building.order, err));
	}
	WH_TRY(build(&building, err));
	doubt = layers_order_doubt(manifest, building.order);
	if (doubt && !building.targets)
		WH_TRY(notes_add(&building.notes, err, "%s", doubt));
	WH_TRY(draft_finish(&building.draft, &out->graph, out->key_of, err));
	return notes_settle(&building.notes, &out->notes, &out->n_notes, err);
}

enum wh_status mapping_graph_by(const struct wh_manifest *manifest,
				const struct mapping_hints *hints,
				struct arena *arena, struct mapping_graph *out,
				struct wh_error *err)
{
	struct mapping_graph made = {0};
	uint32_t i;

	made.key_of =
		arena_alloc(arena, manifest->n_tensors, sizeof(*made.key_of));
	if (!made.key_of)
		return wh_fail_memory(err);
	if (manifest->graph && hints->map)
		return wh_fail(err, WH_EINVAL,
			       "the model has an object graph of its own, "
			       "which is kept: a map has nothing to say");
	if (manifest->graph) {
		made.graph = *manifest->graph;
		for (i = 0; i < manifest->n_tensors; i++)
			made.key_of[i] = manifest->tensors[i].key;
	} else {
		WH_TRY(build_graph(manifest, hints, arena, &made, err));
	}
	*out = made;
	return WH_OK;
}

enum wh_status mapping_graph(const struct wh_manifest *manifest,
			     const char *model_config, struct arena *arena,
			     struct mapping_graph *out, struct wh_error *err)
{
	struct mapping_hints hints = {.model_config = model_config};

	return mapping_graph_by(manifest, &hints, arena, out, err);
}

enum wh_status mapping_paths_from_names(struct wh_manifest *manifest,
					struct arena *arena,
					struct wh_error *err)
{
	const struct config_layer **config, *model;
	uint32_t i, j;

	WH_TRY(layers_config_model(manifest, NULL, arena, &model, err));
	WH_TRY(layers_config_match(manifest, model, arena, &config, err));
	for (i = 0; i < manifest->n_layers; i++) {
		struct wh_layer *layer = &manifest->layers[i];
		struct layer_paths paths;
		struct wh_error undecided;
		enum wh_status status;

		if (layer->kind > WH_LAYER_MODEL)
			continue;
		if (config[i] && !layer->class_name)
			layer->class_name = config[i]->class_name;
		status = paths_of_layer(layer, config[i], arena, &paths,
					&undecided);
		if (status == WH_EUNSUPPORTED)
			continue;
		if (status)
			return wh_fail(err, status, "%s", undecided.message);
		for (j = 0; j < layer->n_variables; j++)
			layer->variables[j].object_path = paths.paths[j];
	}
	return WH_OK;
}
