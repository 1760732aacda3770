#include "mapping/graph_layers.h"

#include <stdlib.h>
#include <string.h>

#include "base/array.h"
#include "base/text.h"
#include "mapping/draft.h"

#define NOWHERE	  UINT32_MAX
#define MAX_LISTS 8u /* lists in lists that are looked into */

static const char weighted[] = "layer_with_weights-";
static const char plain[] = "layer-";

void graph_layers_free(struct graph_layers *found)
{
	free(found->layers);
	free(found->optimizers);
	free(found->blocked);
	free(found->visited);
}

static enum wh_status push(void *array, uint32_t *n, size_t *capacity,
			   const void *item, size_t size, struct wh_error *err)
{
	char *items;

	WH_TRY(array_grow(array, *n, capacity, size, err));
	memcpy(&items, array, sizeof(items));
	memcpy(items + (size_t)(*n)++ * size, item, size);
	return WH_OK;
}

static enum wh_status block(struct graph_layers *found, uint32_t node,
			    struct wh_error *err)
{
	return push(&found->blocked, &found->n_blocked,
		    &found->blocked_capacity, &node, sizeof(node), err);
}

static enum wh_status add_layer(struct graph_layers *found,
				struct graph_layer layer, struct wh_error *err)
{
	return push(&found->layers, &found->n_layers, &found->layers_capacity,
		    &layer, sizeof(layer), err);
}

/* The number behind `prefix`; NOWHERE if `name` is anything else. */
static uint32_t number_after(const char *name, const char *prefix)
{
	uint64_t number;

	if (!text_starts(name, prefix) ||
	    !text_to_u64(name + strlen(prefix), &number) || number >= NOWHERE)
		return NOWHERE;
	return (uint32_t)number;
}

static bool has_numbered(const struct wh_graph_node *node)
{
	uint32_t i;

	for (i = 0; i < node->n_edges; i++)
		if (number_after(node->edges[i].name, weighted) != NOWHERE ||
		    number_after(node->edges[i].name, plain) != NOWHERE)
			return true;
	return false;
}

static bool is_optimizer(const struct wh_graph *graph,
			 const struct wh_graph_edge *edge)
{
	const struct wh_graph_node *node = &graph->nodes[edge->node];

	return strcmp(edge->name, "optimizer") == 0 || node->n_slots ||
	       graph_child(node, "_iterations") != NOWHERE ||
	       graph_child(node, "iter") != NOWHERE;
}

/* Keras 3 keeps its layers in a list of operations. */
static uint32_t find_operations(const struct wh_graph *graph, uint32_t model)
{
	uint32_t functional = graph_child(&graph->nodes[model], "_functional");

	return graph_child(
		&graph->nodes[functional == NOWHERE ? model : functional],
		"_operations");
}

bool graph_is_model(const struct wh_graph *graph, uint32_t node)
{
	return has_numbered(&graph->nodes[node]) ||
	       find_operations(graph, node) != NOWHERE;
}

/* The model under a tf.train.Checkpoint(model=..., optimizer=...): the child
 * `model`, or the only one that has layers. A model that was saved itself has
 * an edge `root`, or layers of its own. */
static uint32_t find_model(const struct wh_graph *graph)
{
	const struct wh_graph_node *root = &graph->nodes[0];
	uint32_t i, child = graph_child(root, "model"), n = 0;

	if (graph_child(root, "root") != NOWHERE || graph_is_model(graph, 0))
		return 0;
	if (child != NOWHERE)
		return child;
	for (i = 0; i < root->n_edges; i++) {
		if (!graph_is_model(graph, root->edges[i].node))
			continue;
		child = root->edges[i].node;
		n++;
	}
	return n == 1 ? child : 0;
}

static enum wh_status find_optimizers(const struct wh_graph *graph,
				      uint32_t holder,
				      struct graph_layers *found,
				      struct wh_error *err)
{
	const struct wh_graph_node *node = &graph->nodes[holder];
	uint32_t i;

	for (i = 0; i < node->n_edges; i++)
		if (node->edges[i].node != found->model &&
		    node->edges[i].node != 0 &&
		    number_after(node->edges[i].name, weighted) == NOWHERE &&
		    is_optimizer(graph, &node->edges[i]))
			WH_TRY(push(&found->optimizers, &found->n_optimizers,
				    &found->optimizers_capacity,
				    &node->edges[i].node, sizeof(uint32_t),
				    err));
	return WH_OK;
}

static int compare_places(const void *a, const void *b)
{
	const struct graph_layer *one = a, *other = b;

	if (one->place != other->place)
		return one->place < other->place ? -1 : 1;
	return 0;
}

/* Keeps of layers with one node the first, then sorts by place: `layer-i`
 * gives it to those that have both edges. */
static enum wh_status settle_numbered(const struct wh_graph *graph,
				      struct graph_layers *found,
				      struct wh_error *err)
{
	uint32_t *first = malloc(graph->n_nodes * sizeof(*first));
	uint32_t i, n = 0;

	if (!first)
		return wh_fail_memory(err);
	memset(first, 0xff, graph->n_nodes * sizeof(*first));
	for (i = 0; i < found->n_layers; i++) {
		struct graph_layer layer = found->layers[i];
		uint32_t at = first[layer.node];

		if (at == NOWHERE) {
			first[layer.node] = n;
			found->layers[n++] = layer;
		} else if (number_after(layer.edge, plain) != NOWHERE) {
			found->layers[at].place = layer.place;
		}
	}
	free(first);
	found->n_layers = n;
	/* Places are unlike each other but in files that no writer makes. */
	if (n)
		qsort(found->layers, n, sizeof(*found->layers), compare_places);
	return WH_OK;
}

static bool all_plain(const struct wh_graph_node *model)
{
	uint32_t i;

	for (i = 0; i < model->n_edges; i++)
		if (number_after(model->edges[i].name, plain) != NOWHERE)
			return true;
	return false;
}

static enum wh_status find_numbered(const struct wh_graph *graph,
				    struct graph_layers *found,
				    struct wh_error *err)
{
	const struct wh_graph_node *model = &graph->nodes[found->model];
	bool placed = all_plain(model);
	uint32_t i;

	for (i = 0; i < model->n_edges; i++) {
		const struct wh_graph_edge *edge = &model->edges[i];
		uint32_t k = number_after(edge->name, weighted);
		uint32_t place = number_after(edge->name, plain);

		if (edge->node == found->model ||
		    (k == NOWHERE && place == NOWHERE))
			continue;
		/* Without `layer-i` the count of layers with weights orders
		 * them; it never does beside others. */
		if (place == NOWHERE)
			place = placed ? NOWHERE : k;
		WH_TRY(add_layer(found,
				 (struct graph_layer){.node = edge->node,
						      .edge = edge->name,
						      .place = place},
				 err));
	}
	return settle_numbered(graph, found, err);
}

static bool is_list(const struct wh_graph_node *node)
{
	uint64_t number;
	uint32_t i;

	if (node->n_attributes || node->n_edges == 0)
		return false;
	for (i = 0; i < node->n_edges; i++)
		if (!text_to_u64(node->edges[i].name, &number))
			return false;
	return true;
}

/* Keras's metrics are objects with these variables; they are no layers. */
static bool is_metric(const struct wh_graph *graph,
		      const struct wh_graph_node *node)
{
	static const char *const names[] = {
		"total",	  "count",	     "true_positives",
		"true_negatives", "false_positives", "false_negatives",
		"total_cm",	  "accumulator",
	};
	uint32_t i, n = 0;
	size_t j;

	for (i = 0; i < node->n_edges; i++) {
		if (!graph->nodes[node->edges[i].node].n_attributes)
			continue;
		for (j = 0; j < sizeof(names) / sizeof(names[0]); j++)
			if (strcmp(node->edges[i].name, names[j]) == 0)
				break;
		if (j == sizeof(names) / sizeof(names[0]))
			return false;
		n++;
	}
	return n > 0;
}

#define MAX_LOOKED 64u /* nodes looked at for one full name */

/* The full name of a variable at or below `node`, or NULL. */
static const char *find_name(const struct wh_graph *graph, uint32_t node)
{
	uint32_t queue[MAX_LOOKED] = {node};
	uint32_t at, i, n = 1;

	for (at = 0; at < n; at++) {
		const struct wh_graph_node *here = &graph->nodes[queue[at]];

		if (here->n_attributes && here->attributes[0].full_name &&
		    *here->attributes[0].full_name)
			return here->attributes[0].full_name;
		for (i = 0; i < here->n_edges && n < MAX_LOOKED; i++)
			queue[n++] = here->edges[i].node;
	}
	return NULL;
}

/* A dict of layers looks like a layer with layers inside, but for its names:
 * nothing of them is the same behind the model's own. */
static bool is_dict(const struct wh_graph *graph,
		    const struct wh_graph_node *node, const char *scope)
{
	size_t skip = scope ? strlen(scope) : 0;
	const char *first = NULL;
	uint32_t i;

	for (i = 0; skip && i < node->n_edges; i++) {
		const char *name = find_name(graph, node->edges[i].node);

		if (graph->nodes[node->edges[i].node].n_attributes)
			return false;
		if (!name)
			continue;
		if (strncmp(name, scope, skip) != 0 || name[skip] != '/')
			return false;
		name += skip + 1;
		if (!first)
			first = name;
		else if (strcspn(name, "/") != strcspn(first, "/") ||
			 strncmp(name, first, strcspn(first, "/")) != 0)
			return true;
	}
	return false;
}

static bool is_bookkeeping(const char *edge)
{
	return strcmp(edge, "root") == 0 || strcmp(edge, "save_counter") == 0;
}

static int compare_edges(const void *a, const void *b)
{
	const struct wh_graph_edge *one = a, *other = b;

	return strcmp(one->name, other->name);
}

/* The edges of a container in the order in which Keras walks it: a dict's by
 * key, whatever the order in which the keys came. */
static enum wh_status order_edges(const struct wh_graph_node *node, bool by_key,
				  struct arena *arena,
				  const struct wh_graph_edge **edges,
				  struct wh_error *err)
{
	struct wh_graph_edge *sorted;

	*edges = node->edges;
	if (!by_key || node->n_edges == 0)
		return WH_OK;
	sorted = arena_alloc(arena, node->n_edges, sizeof(*sorted));
	if (!sorted)
		return wh_fail_memory(err);
	memcpy(sorted, node->edges, node->n_edges * sizeof(*sorted));
	qsort(sorted, node->n_edges, sizeof(*sorted), compare_edges);
	*edges = sorted;
	return WH_OK;
}

/* Where layers are looked for: the model, or a list or dict in it. */
struct holder {
	uint32_t node, depth;
	const char *path;
	bool is_dict;
};

static enum wh_status find_attributes(const struct wh_graph *graph,
				      struct arena *arena,
				      const struct holder *holder,
				      struct graph_layers *found,
				      struct wh_error *err);

static enum wh_status
find_attribute(const struct wh_graph *graph, struct arena *arena,
	       const struct wh_graph_edge *edge, const struct holder *holder,
	       struct graph_layers *found, struct wh_error *err)
{
	const struct wh_graph_node *child = &graph->nodes[edge->node];
	struct holder inner = {.node = edge->node, .depth = holder->depth + 1};
	struct graph_layer layer = {.node = edge->node, .only_weighted = true};

	if (child->n_attributes || is_bookkeeping(edge->name) ||
	    is_optimizer(graph, edge) || is_metric(graph, child))
		return WH_OK;
	inner.path = layer.edge = path_append(arena, holder->path, edge->name);
	if (!inner.path)
		return wh_fail_memory(err);
	inner.is_dict =
		!has_numbered(child) && is_dict(graph, child, found->scope);
	if (inner.depth <= MAX_LISTS && (inner.is_dict || is_list(child)))
		return find_attributes(graph, arena, &inner, found, err);
	return add_layer(found, layer, err);
}

/* The children that may be layers; lists and dicts are looked into. */
static enum wh_status find_attributes(const struct wh_graph *graph,
				      struct arena *arena,
				      const struct holder *holder,
				      struct graph_layers *found,
				      struct wh_error *err)
{
	const struct wh_graph_node *node = &graph->nodes[holder->node];
	bool by_key = holder->is_dict && !is_list(node);
	const struct wh_graph_edge *edges;
	uint32_t i;

	/* A list is looked into once, however many edges lead to it. */
	if (found->visited[holder->node])
		return WH_OK;
	found->visited[holder->node] = true;
	WH_TRY(block(found, holder->node, err));
	WH_TRY(order_edges(node, by_key, arena, &edges, err));
	for (i = 0; i < node->n_edges; i++)
		WH_TRY(find_attribute(graph, arena, &edges[i], holder, found,
				      err));
	return WH_OK;
}

/* Keras 3's list holds the layers, and operations that are none, in order. */
static enum wh_status add_operations(const struct wh_graph *graph,
				     struct arena *arena, uint32_t operations,
				     struct graph_layers *found,
				     struct wh_error *err)
{
	const struct wh_graph_node *list = &graph->nodes[operations];
	uint32_t i;

	WH_TRY(block(found, operations, err));
	for (i = 0; i < list->n_edges; i++) {
		struct graph_layer layer = {.node = list->edges[i].node};

		layer.edge =
			path_append(arena, "_operations", list->edges[i].name);
		if (!layer.edge)
			return wh_fail_memory(err);
		WH_TRY(add_layer(found, layer, err));
	}
	return WH_OK;
}

/* The first component of the first full name below the model: what Keras
 * puts in front of every name inside a subclassed model. */
static enum wh_status find_scope(const struct wh_graph *graph,
				 struct arena *arena,
				 struct graph_layers *found,
				 struct wh_error *err)
{
	const char *scope = NULL;
	size_t len = 0;
	uint32_t i;

	for (i = 0; i < graph->n_nodes; i++) {
		const struct wh_graph_node *node = &graph->nodes[i];
		const char *name;

		if (node->n_attributes != 1 || !node->attributes[0].full_name)
			continue;
		name = node->attributes[0].full_name;
		if (strchr(name, '/') == strrchr(name, '/'))
			continue;
		len = strcspn(name, "/");
		scope = name;
		break;
	}
	if (!scope)
		return WH_OK;
	found->scope = arena_bytes(arena, scope, len);
	return found->scope ? WH_OK : wh_fail_memory(err);
}

enum wh_status graph_layers_find(const struct wh_graph *graph,
				 struct arena *arena,
				 struct graph_layers *found,
				 struct wh_error *err)
{
	uint32_t operations;

	found->visited = calloc(graph->n_nodes, sizeof(bool));
	if (!found->visited)
		return wh_fail_memory(err);
	found->model = find_model(graph);
	WH_TRY(block(found, 0, err));
	WH_TRY(find_optimizers(graph, 0, found, err));
	if (found->model != 0)
		WH_TRY(find_optimizers(graph, found->model, found, err));
	WH_TRY(find_scope(graph, arena, found, err));
	operations = find_operations(graph, found->model);
	if (has_numbered(&graph->nodes[found->model])) {
		/* Layers called in such a model have no scope but their own. */
		found->scope = NULL;
		WH_TRY(block(found, found->model, err));
		return find_numbered(graph, found, err);
	}
	if (operations != NOWHERE) {
		WH_TRY(block(found, found->model, err));
		return add_operations(graph, arena, operations, found, err);
	}
	return find_attributes(
		graph, arena,
		&(struct holder){.node = found->model, .path = ""}, found, err);
}
