/* The order of a layer's weights in HDF5: FORMAT.md, "Names". */
#include <stdlib.h>
#include <string.h>

#include "core/name_map.h"
#include "mapping/draft.h"
#include "mapping/naming.h"
#include "mapping/nested.h"
#include "mapping/order.h"

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
static void find_full_names(struct naming *naming, const struct name_map *keys)
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

static enum wh_status prepare_keras3(struct naming *naming,
				     const char *model_config,
				     struct wh_error *err)
{
	uint32_t i;

	WH_TRY(keras3_names_find(naming->manifest, model_config, naming->arena,
				 &naming->keras3, err));
	WH_TRY(keras3_check_order(naming->manifest, &naming->keras3,
				  naming->targets, err));
	naming->config = naming->keras3.config;
	naming->order = naming->keras3.order;
	for (i = 0; i < naming->manifest->n_tensors; i++) {
		naming->walk[i] = i;
		if (naming->keras3.full_names[i])
			naming->full_names[i] = naming->keras3.full_names[i];
	}
	return WH_OK;
}

enum wh_status naming_prepare(struct naming *naming, const char *model_config,
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
	if (keras3_is_origin(manifest))
		return prepare_keras3(naming, model_config, err);
	WH_TRY(layers_config(manifest, model_config, naming->arena,
			     &naming->config, &naming->order, err));
	WH_TRY(name_map_tensors(manifest, &keys, err));
	find_full_names(naming, &keys);
	return walk_graph(naming, &keys, err);
}

bool naming_has_flags(const struct wh_layer *layer)
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

enum wh_status naming_order_by_flags(const struct naming *naming,
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

/* ---- Keras 3's files ---------------------------------------------------- */

static bool keras3_is_decided(const struct naming *naming,
			      const struct wh_layer *layer)
{
	uint32_t i;

	for (i = 0; i < layer->n_variables; i++)
		if (!naming->keras3.paths[layer->variables[i].tensor])
			return false;
	return true;
}

static void find_quantized(struct naming *naming, const struct wh_layer *layer)
{
	uint32_t i;

	for (i = 0; i < layer->n_variables && !naming->unordered; i++)
		if (naming->keras3.is_quantized[layer->variables[i].tensor])
			naming->unordered = layer->name;
}

#define MAX_COMPARED 1000u

/* One object's variables stand in their order; which of several objects comes
 * first in Keras 2 is not known where their class isn't. */
static enum wh_status check_objects(struct naming *naming,
				    const struct wh_layer *layer,
				    struct wh_error *err)
{
	const struct wh_tensor *tensors = naming->manifest->tensors;
	const struct wh_variable *variables = layer->variables;
	bool several = false;
	uint32_t i, j;

	for (i = 0; i < layer->n_variables; i++)
		for (j = 0; j < i; j++) {
			uint32_t a = variables[j].tensor;
			uint32_t b = variables[i].tensor;

			if (strcmp(naming->keras3.objects[a],
				   naming->keras3.objects[b]) == 0)
				continue;
			several = true;
			if (layer->n_variables <= MAX_COMPARED &&
			    (tensors[a].rank != tensors[b].rank ||
			     memcmp(tensors[a].shape, tensors[b].shape,
				    tensors[a].rank * sizeof(uint64_t)) != 0))
				continue;
			return wh_fail(err, WH_EUNSUPPORTED,
				       "layer '%s': weights '%s' and '%s' have "
				       "one shape, and which of the objects "
				       "inside it comes first in an HDF5 file "
				       "is not known; --model-config FILE (the "
				       "model's to_json()) says it of Keras's "
				       "own layers",
				       layer->name, variables[j].name,
				       variables[i].name);
		}
	if (!several)
		return WH_OK;
	return notes_add(&naming->notes, err,
			 "layer '%s' is of no known class: its %u weights are "
			 "written in the Keras 3 file's order",
			 layer->name, layer->n_variables);
}

enum wh_status naming_order(struct naming *naming, const struct wh_layer *layer,
			    const struct config_layer *config,
			    const char *const *paths, uint32_t *order,
			    struct wh_error *err)
{
	enum order_kind kind;
	uint32_t i;

	for (i = 0; i < layer->n_variables; i++)
		order[i] = i;
	if (naming->keras3.paths && !keras3_is_decided(naming, layer)) {
		find_quantized(naming, layer);
		return check_objects(naming, layer, err);
	}
	kind = order_sort(paths, order, layer->n_variables);
	if (kind == ORDER_GRAPH)
		return order_by_graph(naming, layer, paths, order, err);
	if (kind == ORDER_KNOWN)
		return WH_OK;
	if (config)
		return order_by_config(naming, layer, config, order, err);
	if (naming_has_flags(layer))
		return naming_order_by_flags(naming, layer, order, err);
	return refuse_order(naming, layer, kind, err);
}
