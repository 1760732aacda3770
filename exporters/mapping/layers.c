/* The layers of a checkpoint that has an object graph: FORMAT.md, "Layers of
 * a graph". Every node belongs to the first layer that reaches it. */
#include <stdlib.h>
#include <string.h>

#include "base/text.h"
#include "mapping/draft.h"
#include "mapping/graph_layers.h"
#include "mapping/layer_name.h"
#include "mapping/mapping.h"

#define NOWHERE	  UINT32_MAX
#define MAX_DEPTH 64u /* objects between a layer and its variable */
#define MAX_PATH  1024u

struct reading {
	const struct wh_graph *graph;
	struct manifest_builder *builder;
	struct arena *arena;
	struct name_map keys;  /* checkpoint key -> tensor */
	struct name_map names; /* of layers so far */
	struct name_map bases; /* names that clashed -> place in `next` */
	uint32_t *next;	       /* the number that a clash gets */
	bool *taken;	       /* tensors that have a variable */
	bool *seen;	       /* nodes that have an owner */
	uint32_t *parent;      /* how a node was reached in its layer */
	const char **edge;
	uint32_t *queue;
	struct named_variable *named; /* of the layer at hand */
	struct wh_variable *variables;
	uint32_t n_tensors;
};

static void free_reading(struct reading *reading)
{
	name_map_free(&reading->keys);
	name_map_free(&reading->names);
	name_map_free(&reading->bases);
	free(reading->next);
	free(reading->taken);
	free(reading->seen);
	free(reading->parent);
	free(reading->edge);
	free(reading->queue);
	free(reading->named);
	free(reading->variables);
}

static enum wh_status map_keys(struct reading *reading, const char *const *keys,
			       uint32_t n_keys, struct wh_error *err)
{
	uint32_t i;
	bool added;

	for (i = 0; i < n_keys; i++)
		WH_TRY(name_map_add(&reading->keys, keys[i], i, &added, err));
	return WH_OK;
}

static enum wh_status begin(struct reading *reading, const char *const *keys,
			    uint32_t n_keys, struct wh_error *err)
{
	size_t n_nodes = reading->graph ? reading->graph->n_nodes : 0;

	reading->n_tensors = n_keys;
	reading->taken = calloc((size_t)n_keys + 1, sizeof(bool));
	reading->seen = calloc(n_nodes + 1, sizeof(bool));
	reading->parent = calloc(n_nodes + 1, sizeof(*reading->parent));
	reading->edge = calloc(n_nodes + 1, sizeof(*reading->edge));
	reading->queue = calloc(n_nodes + 1, sizeof(*reading->queue));
	reading->next = calloc(n_nodes + 1, sizeof(*reading->next));
	reading->named = calloc((size_t)n_keys + 1, sizeof(*reading->named));
	reading->variables =
		calloc((size_t)n_keys + 1, sizeof(*reading->variables));
	if (!reading->taken || !reading->seen || !reading->parent ||
	    !reading->edge || !reading->queue || !reading->next ||
	    !reading->named || !reading->variables)
		return wh_fail_memory(err);
	return map_keys(reading, keys, n_keys, err);
}

/* The path from `base` to `node`, by the edges that reached it; NULL if it is
 * too long to be one that Keras makes, `*ok` false without memory. */
static const char *path_to(const struct reading *reading, uint32_t base,
			   uint32_t node, bool *ok)
{
	const char *names[MAX_DEPTH];
	const char *path = "";
	uint32_t depth = 0;
	size_t len = 0;

	*ok = true;
	for (; node != base; node = reading->parent[node]) {
		if (depth == MAX_DEPTH)
			return NULL;
		names[depth++] = reading->edge[node];
		len += strlen(reading->edge[node]) + 1;
	}
	if (len > MAX_PATH)
		return NULL;
	while (depth-- > 0 && path)
		path = path_append(reading->arena, path, names[depth]);
	*ok = path != NULL;
	return path;
}

/* The tensor of the node's own value; NOWHERE if it has none that is free. */
static uint32_t value_of(const struct reading *reading, uint32_t node,
			 const char **full_name)
{
	const struct wh_graph_node *at = &reading->graph->nodes[node];
	uint32_t i, tensor;

	for (i = 0; i < at->n_attributes; i++) {
		const struct wh_graph_attribute *value = &at->attributes[i];

		if (strcmp(value->name, "VARIABLE_VALUE") != 0)
			continue;
		tensor = name_map_find(&reading->keys, value->checkpoint_key);
		if (tensor == NOWHERE || reading->taken[tensor])
			continue;
		*full_name = value->full_name ? value->full_name : "";
		return tensor;
	}
	return NOWHERE;
}

/* Walks what `base` reaches and nobody owns, breadth first; variables go to
 * reading->variables, their full names beside them. */
static enum wh_status gather(struct reading *reading, uint32_t base,
			     enum wh_role role, uint32_t *n_found,
			     struct wh_error *err)
{
	uint32_t at, i, n = 0, found = *n_found;
	bool ok;

	if (reading->seen[base])
		return WH_OK;
	reading->seen[base] = true;
	reading->queue[n++] = base;
	for (at = 0; at < n; at++) {
		uint32_t node = reading->queue[at];
		const struct wh_graph_node *here = &reading->graph->nodes[node];
		struct wh_variable variable = {.role = role};
		const char *full_name = NULL;

		variable.tensor = value_of(reading, node, &full_name);
		if (variable.tensor != NOWHERE) {
			const char *path = path_to(reading, base, node, &ok);

			if (!ok)
				return wh_fail_memory(err);
			variable.object_path = path && *path ? path : NULL;
			reading->taken[variable.tensor] = true;
			reading->named[found].full_name = full_name;
			reading->named[found].path = path ? path : "";
			reading->variables[found++] = variable;
		}
		for (i = 0; i < here->n_edges; i++) {
			uint32_t child = here->edges[i].node;

			if (reading->seen[child])
				continue;
			reading->seen[child] = true;
			reading->parent[child] = node;
			reading->edge[child] = here->edges[i].name;
			reading->queue[n++] = child;
		}
	}
	*n_found = found;
	return WH_OK;
}

/* `name`, or with the first number behind it that makes it unlike others. */
static enum wh_status make_unique(struct reading *reading, const char *name,
				  const char **unique, struct wh_error *err)
{
	const char *tried = name;
	uint32_t base;
	bool added;

	WH_TRY(name_map_add(&reading->names, name, 0, &added, err));
	if (added) {
		*unique = name;
		return WH_OK;
	}
	WH_TRY(name_map_add(&reading->bases, name, reading->bases.n_used,
			    &added, err));
	base = name_map_find(&reading->bases, name);
	for (added = false; !added;) {
		tried = arena_printf(reading->arena, "%s_%u", name,
				     ++reading->next[base]);
		if (!tried)
			return wh_fail_memory(err);
		WH_TRY(name_map_add(&reading->names, tried, 0, &added, err));
	}
	*unique = tried;
	return WH_OK;
}

static enum wh_status add_variables(struct reading *reading, uint32_t layer,
				    const char *const *keys, uint32_t n,
				    struct wh_error *err)
{
	uint32_t i;

	for (i = 0; i < n; i++) {
		struct wh_variable variable = reading->variables[i];

		variable.name = keys[variable.tensor];
		WH_TRY(manifest_add_variable(reading->builder, layer, &variable,
					     err));
	}
	return WH_OK;
}

static const char *without_scope(const char *name, const char *scope)
{
	size_t len = scope ? strlen(scope) : 0;

	return len && strncmp(name, scope, len) == 0 && name[len] == '/' &&
			       name[len + 1]
		       ? name + len + 1
		       : name;
}

static enum wh_status add_layer(struct reading *reading,
				const struct graph_layer *found,
				const char *scope, const char *const *keys,
				struct wh_error *err)
{
	uint32_t layer, n = 0;
	const char *name;
	bool ok;

	if (reading->seen[found->node])
		return WH_OK;
	WH_TRY(gather(reading, found->node, WH_ROLE_WEIGHT, &n, err));
	if (n == 0 && found->only_weighted)
		return WH_OK;
	name = layer_name(reading->named, n, reading->arena, &ok);
	if (!ok)
		return wh_fail_memory(err);
	WH_TRY(make_unique(reading,
			   name ? without_scope(name, scope) : found->edge,
			   &name, err));
	WH_TRY(manifest_add_layer(reading->builder, name, NULL, WH_LAYER,
				  WH_NO_LAYER, &layer, err));
	return add_variables(reading, layer, keys, n, err);
}

/* Variables that hang on the model itself. */
static enum wh_status add_model_weights(struct reading *reading, uint32_t model,
					const char *const *keys,
					struct wh_error *err)
{
	const struct wh_graph_node *root = &reading->graph->nodes[model];
	const char *full_name;
	uint32_t i, layer, n = 0;

	for (i = 0; i < root->n_edges; i++) {
		uint32_t child = root->edges[i].node;
		uint32_t tensor;

		if (reading->seen[child] ||
		    strcmp(root->edges[i].name, "save_counter") == 0)
			continue;
		tensor = value_of(reading, child, &full_name);
		if (tensor == NOWHERE)
			continue;
		reading->seen[child] = true;
		reading->taken[tensor] = true;
		reading->variables[n++] = (struct wh_variable){
			.object_path = root->edges[i].name, .tensor = tensor};
	}
	if (n == 0)
		return WH_OK;
	WH_TRY(manifest_add_layer(reading->builder, "", NULL, WH_LAYER_MODEL,
				  WH_NO_LAYER, &layer, err));
	return add_variables(reading, layer, keys, n, err);
}

static enum wh_status add_optimizers(struct reading *reading,
				     const struct graph_layers *found,
				     const char *const *keys,
				     struct wh_error *err)
{
	uint32_t i, j, layer, n = 0;

	for (i = 0; i < found->n_optimizers; i++)
		WH_TRY(gather(reading, found->optimizers[i], WH_ROLE_OPTIMIZER,
			      &n, err));
	for (i = 0; i < reading->graph->n_nodes; i++) {
		const struct wh_graph_node *node = &reading->graph->nodes[i];

		for (j = 0; j < node->n_slots; j++)
			WH_TRY(gather(reading, node->slots[j].slot,
				      WH_ROLE_OPTIMIZER, &n, err));
	}
	if (n == 0)
		return WH_OK;
	WH_TRY(manifest_add_layer(reading->builder, "optimizer", NULL,
				  WH_LAYER_OPTIMIZER, WH_NO_LAYER, &layer,
				  err));
	return add_variables(reading, layer, keys, n, err);
}

static enum wh_status add_rest(struct reading *reading, const char *const *keys,
			       struct wh_error *err)
{
	uint32_t i, layer, n = 0;

	for (i = 0; i < reading->n_tensors; i++)
		if (!reading->taken[i])
			reading->variables[n++] = (struct wh_variable){
				.role = WH_ROLE_OTHER, .tensor = i};
	if (n == 0)
		return WH_OK;
	WH_TRY(manifest_add_layer(reading->builder, "state", NULL,
				  WH_LAYER_STATE, WH_NO_LAYER, &layer, err));
	return add_variables(reading, layer, keys, n, err);
}

static enum wh_status read_graph(struct reading *reading,
				 const char *const *keys, struct wh_error *err)
{
	__attribute__((
		cleanup(graph_layers_free))) struct graph_layers found = {0};
	uint32_t i;

	WH_TRY(graph_check(reading->graph, err));
	WH_TRY(graph_layers_find(reading->graph, reading->arena, &found, err));
	for (i = 0; i < found.n_blocked; i++)
		reading->seen[found.blocked[i]] = true;
	for (i = 0; i < found.n_optimizers; i++)
		reading->seen[found.optimizers[i]] = true;
	for (i = 0; i < found.n_layers; i++)
		WH_TRY(add_layer(reading, &found.layers[i], found.scope, keys,
				 err));
	WH_TRY(add_model_weights(reading, found.model, keys, err));
	for (i = 0; i < found.n_optimizers; i++)
		reading->seen[found.optimizers[i]] = false;
	WH_TRY(add_optimizers(reading, &found, keys, err));
	return add_rest(reading, keys, err);
}

/* A name-based checkpoint has no objects: a key's layer is its scope. */
static enum wh_status read_names(struct reading *reading,
				 const char *const *keys, struct wh_error *err)
{
	uint32_t i, layer;

	for (i = 0; i < reading->n_tensors; i++) {
		struct wh_variable variable = {.name = keys[i], .tensor = i};
		const char *slash = strrchr(keys[i], '/');
		const char *scope =
			arena_bytes(reading->arena, keys[i],
				    slash ? (size_t)(slash - keys[i]) : 0);
		bool added;

		if (!scope)
			return wh_fail_memory(err);
		variable.object_path = slash && slash[1] ? slash + 1 : keys[i];
		layer = name_map_find(&reading->names, scope);
		if (layer == NOWHERE) {
			WH_TRY(manifest_add_layer(reading->builder, scope, NULL,
						  *scope ? WH_LAYER
							 : WH_LAYER_MODEL,
						  WH_NO_LAYER, &layer, err));
			WH_TRY(name_map_add(&reading->names, scope, layer,
					    &added, err));
		}
		WH_TRY(manifest_add_variable(reading->builder, layer, &variable,
					     err));
	}
	return WH_OK;
}

enum wh_status mapping_layers_from_graph(const struct wh_graph *graph,
					 struct manifest_builder *builder,
					 struct arena *arena,
					 const char *const *keys,
					 uint32_t n_keys, struct wh_error *err)
{
	__attribute__((cleanup(free_reading))) struct reading reading = {
		.graph = graph, .builder = builder, .arena = arena};

	WH_TRY(begin(&reading, keys, n_keys, err));
	return graph ? read_graph(&reading, keys, err)
		     : read_names(&reading, keys, err);
}
