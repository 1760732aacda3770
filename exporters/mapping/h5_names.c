/* The legacy HDF5 layout of a model of any origin: FORMAT.md, "Names". */
#include <stdlib.h>
#include <string.h>

#include "base/text.h"
#include "core/name_map.h"
#include "mapping/draft.h"
#include "mapping/layers_config.h"
#include "mapping/mapping.h"
#include "mapping/nested.h"
#include "mapping/notes.h"
#include "mapping/order.h"

struct naming {
	const struct wh_manifest *manifest;
	struct arena *arena;
	struct notes notes;
	const struct config_layer **config;
	const char **full_names; /* of each tensor; "" where there is none */
	uint32_t *walk;		 /* of each tensor: its place, depth first */
};

static void free_naming(struct naming *naming)
{
	notes_free(&naming->notes);
}

static bool is_written(const struct wh_layer *layer)
{
	return layer->kind == WH_LAYER || layer->kind == WH_LAYER_MODEL;
}

/* A layer as it was listed, under the names that it came with. */
static enum wh_status keep_layer(struct naming *naming,
				 const struct wh_layer *layer,
				 struct mapping_layer *out,
				 struct wh_error *err)
{
	uint32_t i;

	out->name = layer->name;
	out->kind = layer->kind;
	out->n_weights = layer->n_variables;
	out->weights = arena_alloc(naming->arena, layer->n_variables,
				   sizeof(*out->weights));
	if (!out->weights)
		return wh_fail_memory(err);
	for (i = 0; i < layer->n_variables; i++)
		out->weights[i] = (struct mapping_weight){
			layer->variables[i].name, layer->variables[i].tensor};
	return WH_OK;
}

static enum wh_status name_map_tensors(const struct wh_manifest *manifest,
				       struct name_map *map,
				       struct wh_error *err)
{
	uint32_t i;
	bool added;

	for (i = 0; i < manifest->n_tensors; i++)
		WH_TRY(name_map_add(map, manifest->tensors[i].key, i, &added,
				    err));
	return WH_OK;
}

/* Full names by key. */
static enum wh_status find_full_names(struct naming *naming,
				      const struct name_map *keys)
{
	const struct wh_graph *graph = naming->manifest->graph;
	uint32_t i, j, tensor;

	for (i = 0; graph && i < graph->n_nodes; i++)
		for (j = 0; j < graph->nodes[i].n_attributes; j++) {
			const struct wh_graph_attribute *value =
				&graph->nodes[i].attributes[j];

			tensor = name_map_find(keys, value->checkpoint_key);
			if (tensor != UINT32_MAX && value->full_name)
				naming->full_names[tensor] = value->full_name;
		}
	return WH_OK;
}

/* Depth first, an object's own values before those of the objects inside it:
 * how Keras collects the weights of a layer. */
struct walk {
	const struct wh_graph *graph;
	const struct name_map *keys;
	bool *seen;
	struct walk_frame {
		uint32_t node, edge;
	} * stack;
	uint32_t depth, n;
	uint32_t *place;
};

static void free_walk(struct walk *walk)
{
	free(walk->seen);
	free(walk->stack);
}

static void enter_node(struct walk *walk, uint32_t node)
{
	const struct wh_graph_node *here = &walk->graph->nodes[node];
	uint32_t i, j, tensor;

	walk->stack[walk->depth++] = (struct walk_frame){.node = node};
	for (i = 0; i < here->n_edges; i++) {
		uint32_t child = here->edges[i].node;
		const struct wh_graph_node *value = &walk->graph->nodes[child];

		if (walk->seen[child] || !value->n_attributes)
			continue;
		walk->seen[child] = true;
		for (j = 0; j < value->n_attributes; j++) {
			tensor = name_map_find(
				walk->keys,
				value->attributes[j].checkpoint_key);
			if (tensor != UINT32_MAX)
				walk->place[tensor] = walk->n++;
		}
	}
}

static enum wh_status walk_graph(struct naming *naming,
				 const struct name_map *keys,
				 struct wh_error *err)
{
	__attribute__((cleanup(free_walk))) struct walk walk = {
		.graph = naming->manifest->graph,
		.keys = keys,
		.place = naming->walk};
	uint32_t i;

	for (i = 0; i < naming->manifest->n_tensors; i++)
		naming->walk[i] = i;
	if (!walk.graph)
		return WH_OK;
	WH_TRY(graph_check(walk.graph, err));
	walk.seen = calloc(walk.graph->n_nodes, sizeof(bool));
	walk.stack = calloc(walk.graph->n_nodes, sizeof(*walk.stack));
	if (!walk.seen || !walk.stack)
		return wh_fail_memory(err);
	walk.seen[0] = true;
	enter_node(&walk, 0);
	while (walk.depth) {
		struct walk_frame *frame = &walk.stack[walk.depth - 1];
		const struct wh_graph_node *node =
			&walk.graph->nodes[frame->node];
		uint32_t child;

		if (frame->edge == node->n_edges) {
			walk.depth--;
			continue;
		}
		child = node->edges[frame->edge++].node;
		if (walk.seen[child])
			continue;
		walk.seen[child] = true;
		enter_node(&walk, child);
	}
	return WH_OK;
}

static enum wh_status prepare(struct naming *naming, const char *model_config,
			      struct wh_error *err)
{
	__attribute__((cleanup(name_map_free))) struct name_map keys = {0};
	const struct wh_manifest *manifest = naming->manifest;
	uint32_t i;

	naming->full_names = arena_alloc(naming->arena, manifest->n_tensors,
					 sizeof(*naming->full_names));
	naming->walk = arena_alloc(naming->arena, manifest->n_tensors,
				   sizeof(*naming->walk));
	if (!naming->full_names || !naming->walk)
		return wh_fail_memory(err);
	for (i = 0; i < manifest->n_tensors; i++)
		naming->full_names[i] = "";
	WH_TRY(layers_config(manifest, model_config, naming->arena,
			     &naming->config, err));
	WH_TRY(name_map_tensors(manifest, &keys, err));
	WH_TRY(find_full_names(naming, &keys));
	return walk_graph(naming, &keys, err);
}

/* An object path for every variable: where none is known, its name. */
static const char **paths_of(const struct naming *naming,
			     const struct wh_layer *layer)
{
	const char **paths =
		arena_alloc(naming->arena, layer->n_variables, sizeof(*paths));
	uint32_t i;

	for (i = 0; paths && i < layer->n_variables; i++) {
		const struct wh_variable *variable = &layer->variables[i];

		paths[i] = variable->object_path && *variable->object_path
				   ? variable->object_path
				   : variable->name;
	}
	return paths;
}

static bool flags_are_known(const struct wh_layer *layer)
{
	uint32_t i;

	for (i = 0; i < layer->n_variables; i++)
		if (layer->variables[i].trainable == WH_TRAINABLE_UNKNOWN)
			return false;
	return true;
}

/* Moves what `goes_last` says behind the rest; both keep their order. */
static enum wh_status partition(const struct naming *naming, uint32_t *order,
				uint32_t n, const bool *goes_last,
				struct wh_error *err)
{
	uint32_t *last = arena_alloc(naming->arena, n, sizeof(*last));
	uint32_t i, n_first = 0, n_last = 0;

	if (!last)
		return wh_fail_memory(err);
	for (i = 0; i < n; i++) {
		if (goes_last[order[i]])
			last[n_last++] = order[i];
		else
			order[n_first++] = order[i];
	}
	if (n_last)
		memcpy(order + n_first, last, n_last * sizeof(*last));
	return WH_OK;
}

static enum wh_status order_by_flags(const struct naming *naming,
				     const struct wh_layer *layer,
				     uint32_t *order, struct wh_error *err)
{
	bool *frozen =
		arena_alloc(naming->arena, layer->n_variables, sizeof(bool));
	uint32_t i;

	if (!frozen)
		return wh_fail_memory(err);
	for (i = 0; i < layer->n_variables; i++)
		frozen[i] = layer->variables[i].trainable == WH_TRAINABLE_NO;
	return partition(naming, order, layer->n_variables, frozen, err);
}

struct walking {
	const uint32_t *walk;
	const struct wh_layer *layer;
};

static int compare_walk(const void *a, const void *b, void *arg)
{
	const struct walking *walking = arg;
	const struct wh_variable *variables = walking->layer->variables;
	uint32_t one = walking->walk[variables[*(const uint32_t *)a].tensor];
	uint32_t other = walking->walk[variables[*(const uint32_t *)b].tensor];

	return one < other ? -1 : one > other;
}

/* A class that is in no table: as the graph lists its objects, statistics
 * last, which is Keras's order if nothing inside is frozen. */
static enum wh_status order_by_graph(struct naming *naming,
				     const struct wh_layer *layer,
				     const char *const *paths, uint32_t *order,
				     struct wh_error *err)
{
	struct walking walking = {naming->walk, layer};
	uint32_t i, n = layer->n_variables;
	bool *last = arena_alloc(naming->arena, n, sizeof(bool));

	if (!last)
		return wh_fail_memory(err);
	for (i = 0; i < n; i++) {
		const char *slash = strrchr(paths[i], '/');

		last[i] = leaf_is_statistic(slash ? slash + 1 : paths[i]);
	}
	if (n)
		qsort_r(order, n, sizeof(*order), compare_walk, &walking);
	WH_TRY(partition(naming, order, n, last, err));
	if (n < 2)
		return WH_OK;
	return notes_add(&naming->notes, err,
			 "layer '%s' is of no known class: its %u weights are "
			 "written in the object graph's order, '%s' first",
			 layer->name, n, paths[order[0]]);
}

static const char *shown_name(const struct naming *naming,
			      const struct wh_layer *layer, uint32_t index)
{
	const struct wh_variable *variable = &layer->variables[index];
	const char *full_name = naming->full_names[variable->tensor];

	return *full_name ? full_name : variable->name;
}

static enum wh_status refuse_order(const struct naming *naming,
				   const struct wh_layer *layer,
				   enum order_kind kind, struct wh_error *err)
{
	return wh_fail(err, WH_EUNSUPPORTED,
		       "layer '%s': weights '%s' and '%s' belong to %s, and "
		       "which of them are trained decides their order in an "
		       "HDF5 file; --model-config FILE (the model's to_json()) "
		       "says it",
		       layer->name, shown_name(naming, layer, 0),
		       shown_name(naming, layer, layer->n_variables - 1),
		       kind == ORDER_NESTED ? "layers inside it"
					    : "several RNN cells");
}

static enum wh_status order_by_config(const struct naming *naming,
				      const struct wh_layer *layer,
				      const struct config_layer *config,
				      uint32_t *order, struct wh_error *err)
{
	const char **names =
		arena_alloc(naming->arena, layer->n_variables, sizeof(*names));
	uint32_t i;

	if (!names)
		return wh_fail_memory(err);
	for (i = 0; i < layer->n_variables; i++)
		names[i] = naming->full_names[layer->variables[i].tensor];
	return nested_order(layer, names, config, naming->arena, order, err);
}

static enum wh_status find_order(struct naming *naming,
				 const struct wh_layer *layer,
				 const struct config_layer *config,
				 const char *const *paths, uint32_t *order,
				 struct wh_error *err)
{
	enum order_kind kind;
	uint32_t i;

	for (i = 0; i < layer->n_variables; i++)
		order[i] = i;
	kind = order_sort(paths, order, layer->n_variables);
	if (kind == ORDER_GRAPH)
		return order_by_graph(naming, layer, paths, order, err);
	if (kind == ORDER_KNOWN)
		return WH_OK;
	if (config)
		return order_by_config(naming, layer, config, order, err);
	if (flags_are_known(layer))
		return order_by_flags(naming, layer, order, err);
	return refuse_order(naming, layer, kind, err);
}

/* Whether Keras may have given this name to a weight of that layer: the
 * layer's scope is in front, that of a subclassed model before it, or the
 * layer is a model, whose weights have their own layers' names. */
static bool is_own_name(const char *full_name, const char *layer,
			const char *path)
{
	const char *slash = strchr(full_name, '/');

	return name_below(full_name, layer) ||
	       (slash && name_below(slash + 1, layer)) ||
	       (slash && strstr(path, "layer_with_weights-"));
}

static enum wh_status try_full_names(const struct naming *naming,
				     const struct wh_layer *layer,
				     const char *const *paths,
				     struct mapping_layer *out, bool *fits,
				     struct wh_error *err)
{
	__attribute__((cleanup(name_map_free))) struct name_map names = {0};
	uint32_t i;

	*fits = false;
	for (i = 0; i < layer->n_variables; i++) {
		const char *full_name =
			naming->full_names[out->weights[i].tensor];
		bool added;

		if (!is_own_name(full_name, out->name, paths[i]))
			return WH_OK;
		WH_TRY(name_map_add(&names, full_name, i, &added, err));
		if (!added)
			return WH_OK;
		out->weights[i].name =
			arena_printf(naming->arena, "%s:0", full_name);
		if (!out->weights[i].name)
			return wh_fail_memory(err);
	}
	*fits = true;
	return WH_OK;
}

static enum wh_status name_by_paths(const struct naming *naming,
				    const char *const *paths,
				    struct mapping_layer *out,
				    struct wh_error *err)
{
	uint32_t i;

	for (i = 0; i < out->n_weights; i++) {
		out->weights[i].name =
			arena_printf(naming->arena, "%s%s%s:0", out->name,
				     *out->name ? "/" : "", paths[i]);
		if (!out->weights[i].name)
			return wh_fail_memory(err);
	}
	return WH_OK;
}

static enum wh_status name_layer(struct naming *naming, uint32_t index,
				 struct mapping_layer *out,
				 struct wh_error *err)
{
	const struct wh_layer *layer = &naming->manifest->layers[index];
	const struct config_layer *config = naming->config[index];
	const char **paths = paths_of(naming, layer), **sorted;
	uint32_t *order =
		arena_alloc(naming->arena, layer->n_variables, sizeof(*order));
	bool fits;
	uint32_t i;

	WH_TRY(keep_layer(naming, layer, out, err));
	sorted =
		arena_alloc(naming->arena, layer->n_variables, sizeof(*sorted));
	if (!paths || !order || !sorted)
		return wh_fail_memory(err);
	if (config && *config->name)
		out->name = config->name;
	WH_TRY(find_order(naming, layer, config, paths, order, err));
	for (i = 0; i < layer->n_variables; i++) {
		sorted[i] = paths[order[i]];
		out->weights[i].tensor = layer->variables[order[i]].tensor;
	}
	WH_TRY(try_full_names(naming, layer, sorted, out, &fits, err));
	return fits ? WH_OK : name_by_paths(naming, sorted, out, err);
}

static bool differ(const struct wh_tensor *a, const struct wh_tensor *b)
{
	return a->dtype != b->dtype || a->rank != b->rank ||
	       memcmp(a->shape, b->shape, a->rank * sizeof(*a->shape)) != 0;
}

#define MAX_COMPARED 256u

/* Keras writes a model's own weights trained ones first, and no checkpoint
 * says which those are: two of one shape could be taken for each other. */
static enum wh_status check_model_weights(struct naming *naming,
					  const struct wh_layer *layer,
					  struct wh_error *err)
{
	const struct wh_tensor *tensors = naming->manifest->tensors;
	const struct wh_variable *variables = layer->variables;
	uint32_t i, j, n = layer->n_variables;

	if (n < 2)
		return WH_OK;
	for (i = 0; i < n; i++)
		for (j = 0; j < i; j++)
			if (n > MAX_COMPARED ||
			    !differ(&tensors[variables[i].tensor],
				    &tensors[variables[j].tensor]))
				return wh_fail(
					err, WH_EUNSUPPORTED,
					"the model's own weights '%s' and "
					"'%s' have one shape, and which of "
					"them is trained decides the order in "
					"an HDF5 file",
					variables[j].name, variables[i].name);
	return notes_add(&naming->notes, err,
			 "the model's own %u weights are written in the "
			 "object graph's order",
			 n);
}

static enum wh_status name_model_weights(struct naming *naming, uint32_t index,
					 struct mapping_layer *out,
					 struct wh_error *err)
{
	const struct wh_layer *layer = &naming->manifest->layers[index];
	uint32_t *order =
		arena_alloc(naming->arena, layer->n_variables, sizeof(*order));
	const char **paths = paths_of(naming, layer);
	uint32_t i;

	WH_TRY(keep_layer(naming, layer, out, err));
	if (!order || !paths)
		return wh_fail_memory(err);
	for (i = 0; i < layer->n_variables; i++)
		order[i] = i;
	if (flags_are_known(layer))
		WH_TRY(order_by_flags(naming, layer, order, err));
	else
		WH_TRY(check_model_weights(naming, layer, err));
	for (i = 0; i < layer->n_variables; i++) {
		uint32_t tensor = layer->variables[order[i]].tensor;
		const char *full_name = naming->full_names[tensor];

		out->weights[i].tensor = tensor;
		out->weights[i].name =
			arena_printf(naming->arena, "%s:0",
				     *full_name ? full_name : paths[order[i]]);
		if (!out->weights[i].name)
			return wh_fail_memory(err);
	}
	return WH_OK;
}

static enum wh_status fill_layer(struct naming *naming, uint32_t index,
				 bool as_they_are, struct mapping_layer *out,
				 struct wh_error *err)
{
	const struct wh_layer *layer = &naming->manifest->layers[index];

	if (as_they_are)
		return keep_layer(naming, layer, out, err);
	if (layer->kind == WH_LAYER_MODEL)
		return name_model_weights(naming, index, out, err);
	return name_layer(naming, index, out, err);
}

enum wh_status mapping_h5_names(const struct wh_manifest *manifest,
				const char *model_config, struct arena *arena,
				struct mapping_h5 *out, struct wh_error *err)
{
	__attribute__((cleanup(free_naming))) struct naming naming = {
		.manifest = manifest,
		.arena = arena,
		.notes = {.arena = arena}};
	struct mapping_h5 made = {0};
	bool as_they_are = manifest->origin_format &&
			   strcmp(manifest->origin_format, "h5") == 0;
	uint32_t i;

	made.layers =
		arena_alloc(arena, manifest->n_layers, sizeof(*made.layers));
	if (!made.layers)
		return wh_fail_memory(err);
	if (!as_they_are)
		WH_TRY(prepare(&naming, model_config, err));
	for (i = 0; i < manifest->n_layers; i++) {
		if (!is_written(&manifest->layers[i])) {
			made.n_left_out += manifest->layers[i].n_variables;
			continue;
		}
		WH_TRY(fill_layer(&naming, i, as_they_are,
				  &made.layers[made.n_layers++], err));
	}
	WH_TRY(notes_settle(&naming.notes, &made.notes, &made.n_notes, err));
	*out = made;
	return WH_OK;
}
