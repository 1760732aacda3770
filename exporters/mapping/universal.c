/* One graph for several programs (FORMAT.md, "Roots"): edges to the same nodes
 * under the names of Keras 2 and of Keras 3. A reader follows those that it
 * has attributes for, the others are harmless.
 *
 *	Keras 2		layer_with_weights-k, layer-i	kernel, embeddings
 *	Keras 3		_operations/i (Functional),	_kernel, _embeddings
 *			_functional/_operations/i
 *			(Sequential); inputs count
 */
#include <string.h>

#include "base/text.h"
#include "mapping/config.h"
#include "mapping/draft.h"
#include "mapping/keras3.h"
#include "mapping/layers_config.h"
#include "mapping/mapping.h"

#define NOWHERE UINT32_MAX

struct widening {
	struct wh_graph graph;
	struct arena *arena;
	const struct config_layer **config; /* of nodes; or NULL */
	bool from_keras3;		    /* from one of its files */
	uint32_t capacity;
};

static enum wh_status add_node(struct widening *widening, uint32_t n_edges,
			       uint32_t *node, struct wh_error *err)
{
	struct wh_graph_node *made;

	if (widening->graph.n_nodes == widening->capacity)
		return wh_fail(err, WH_EUNSUPPORTED,
			       "the object graph has too many models");
	*node = widening->graph.n_nodes++;
	made = &widening->graph.nodes[*node];
	*made = (struct wh_graph_node){0};
	made->edges =
		arena_alloc(widening->arena, n_edges, sizeof(*made->edges));
	return made->edges ? WH_OK : wh_fail_memory(err);
}

/* Behind the node's own edges, unless it has one of that name. */
static enum wh_status add_edge(struct widening *widening, uint32_t node,
			       const char *name, uint32_t child,
			       struct wh_error *err)
{
	struct wh_graph_node *at = &widening->graph.nodes[node];
	struct wh_graph_edge *edges;

	if (graph_child(at, name) != NOWHERE)
		return WH_OK;
	edges = arena_alloc(widening->arena, at->n_edges + 1u, sizeof(*edges));
	if (!edges)
		return wh_fail_memory(err);
	if (at->n_edges)
		memcpy(edges, at->edges, at->n_edges * sizeof(*edges));
	edges[at->n_edges++] = (struct wh_graph_edge){child, name};
	at->edges = edges;
	return WH_OK;
}

/* ---- Variables
 * -------------------------------------------------------------- */

static const struct {
	const char *from, *to;
} aliases[] = {
	{"kernel", "_kernel"},		/* Dense, Conv: Keras 3 */
	{"embeddings", "_embeddings"},	/* Embedding: Keras 3 */
	{"depthwise_kernel", "kernel"}, /* DepthwiseConv: Keras 3 */
	{"_kernel", "kernel"},		/* and back */
	{"_embeddings", "embeddings"},
};

static enum wh_status add_aliases(struct widening *widening, uint32_t node,
				  struct wh_error *err)
{
	size_t i;

	for (i = 0; i < sizeof(aliases) / sizeof(aliases[0]); i++) {
		uint32_t child = graph_child(&widening->graph.nodes[node],
					     aliases[i].from);

		if (child != NOWHERE &&
		    widening->graph.nodes[child].n_attributes)
			WH_TRY(add_edge(widening, node, aliases[i].to, child,
					err));
	}
	return WH_OK;
}

static const char *name_after(const char *name, const char *prefix)
{
	return text_starts(name, prefix) ? name + strlen(prefix) : NULL;
}

/* ---- Layers
 * ----------------------------------------------------------------- */

/* The nodes of `layer-0`, `layer-1`, ... of one model, and their places among
 * its operations. */
struct layers {
	uint32_t *nodes, *places;
	uint32_t n;
};

/* Calls of functions have places, but are no layers; without a configuration
 * there are none. */
static void find_places(const struct config_layer *config,
			struct layers *layers)
{
	uint32_t i, n = 0;

	for (i = 0; config && i < config->n_children && n < layers->n; i++)
		if (!config->children[i].is_operation)
			layers->places[n++] = i;
	for (i = n; i < layers->n; i++)
		layers->places[i] = i;
}

static enum wh_status list_layers(const struct widening *widening,
				  uint32_t node, struct layers *layers,
				  struct wh_error *err)
{
	const struct wh_graph_node *at = &widening->graph.nodes[node];
	uint64_t number;
	uint32_t i;

	layers->n = 0;
	layers->nodes = arena_alloc(widening->arena, at->n_edges + 1u,
				    sizeof(*layers->nodes));
	layers->places = arena_alloc(widening->arena, at->n_edges + 1u,
				     sizeof(*layers->places));
	if (!layers->nodes || !layers->places)
		return wh_fail_memory(err);
	for (i = 0; i <= at->n_edges; i++)
		layers->nodes[i] = NOWHERE;
	for (i = 0; i < at->n_edges; i++) {
		const char *digits = name_after(at->edges[i].name, "layer-");

		if (digits && text_to_u64(digits, &number) &&
		    number < at->n_edges && layers->nodes[number] == NOWHERE)
			layers->nodes[number] = at->edges[i].node;
	}
	while (layers->nodes[layers->n] != NOWHERE)
		layers->n++;
	find_places(widening->config[node], layers);
	return WH_OK;
}

/* How many inputs are not listed, and have to be counted. */
struct inputs {
	uint32_t functional, sequential; /* in either kind's list */
};

/* A Functional lists its inputs, which have no weights, first; a Sequential
 * does not. Where that isn't known each kind's list is counted as that kind
 * does. */
static struct inputs count_inputs(const struct widening *widening,
				  uint32_t node, const struct layers *layers)
{
	const struct config_layer *config = widening->config[node];
	uint32_t first = layers->nodes[0];
	const char *class_name = config ? config->class_name : NULL;

	if (class_name && strcmp(class_name, "Sequential") != 0)
		return (struct inputs){0, 0};
	if (class_name ||
	    widening->graph.nodes[first].has_values == WH_HAS_VALUES_YES)
		return (struct inputs){1, 1};
	return (struct inputs){0, 1};
}

/* A list of the layers by their numbers, as Keras 3's `_operations`. */
static enum wh_status add_list(struct widening *widening,
			       const struct layers *layers, uint32_t first,
			       uint32_t *list, struct wh_error *err)
{
	uint32_t i;

	WH_TRY(add_node(widening, layers->n, list, err));
	for (i = 0; i < layers->n; i++) {
		struct wh_graph_node *made = &widening->graph.nodes[*list];
		const char *name = arena_printf(widening->arena, "%u",
						first + layers->places[i]);

		if (!name)
			return wh_fail_memory(err);
		made->edges[made->n_edges++] =
			(struct wh_graph_edge){layers->nodes[i], name};
	}
	return WH_OK;
}

static enum wh_status add_keras3(struct widening *widening, uint32_t node,
				 const struct layers *layers,
				 struct wh_error *err)
{
	struct inputs inputs = count_inputs(widening, node, layers);
	uint32_t list = 0, functional = 0;

	WH_TRY(add_list(widening, layers, inputs.functional, &list, err));
	WH_TRY(add_edge(widening, node, "_operations", list, err));
	if (inputs.sequential != inputs.functional)
		WH_TRY(add_list(widening, layers, inputs.sequential, &list,
				err));
	WH_TRY(add_node(widening, 1, &functional, err));
	WH_TRY(add_edge(widening, functional, "_operations", list, err));
	return add_edge(widening, node, "_functional", functional, err);
}

/* From Keras 3: its operations with weights are Keras 2's layers with
 * weights, in the same order, which is that of the list's edges. */
static enum wh_status add_keras2(struct widening *widening, uint32_t node,
				 struct wh_error *err)
{
	const struct wh_graph *graph = &widening->graph;
	uint32_t inner = graph_child(&graph->nodes[node], "_functional");
	uint32_t list = graph_child(
		&graph->nodes[inner == NOWHERE ? node : inner], "_operations");
	uint32_t i, weighted = 0;

	for (i = 0; list != NOWHERE && i < graph->nodes[list].n_edges; i++) {
		uint32_t child = graph->nodes[list].edges[i].node;
		const char *name;

		if (graph->nodes[child].has_values != WH_HAS_VALUES_YES)
			continue;
		name = arena_printf(widening->arena, "layer_with_weights-%u",
				    weighted++);
		if (!name)
			return wh_fail_memory(err);
		WH_TRY(add_edge(widening, node, name, child, err));
	}
	return WH_OK;
}

/* The configurations of the layers of `node`, which stand behind it. */
static void pass_config(struct widening *widening, uint32_t node,
			const struct layers *layers)
{
	const struct config_layer *config = widening->config[node];
	uint32_t i;

	for (i = 0; config && i < layers->n; i++)
		if (layers->places[i] < config->n_children &&
		    config->children[layers->places[i]].kind == CONFIG_MODEL &&
		    layers->nodes[i] > node)
			widening->config[layers->nodes[i]] =
				&config->children[layers->places[i]];
}

static enum wh_status widen_node(struct widening *widening, uint32_t node,
				 struct wh_error *err)
{
	const struct wh_graph_node *at = &widening->graph.nodes[node];
	struct layers layers;

	WH_TRY(add_aliases(widening, node, err));
	if (graph_child(at, "layer-0") != NOWHERE) {
		WH_TRY(list_layers(widening, node, &layers, err));
		pass_config(widening, node, &layers);
		return add_keras3(widening, node, &layers, err);
	}
	if (graph_child(at, "layer_with_weights-0") == NOWHERE)
		return add_keras2(widening, node, err);
	if (!widening->from_keras3)
		return WH_OK;
	return wh_fail(
		err, WH_EUNSUPPORTED,
		"a model inside the model came from a Keras 3 file, which "
		"doesn't say how Keras 3 numbers its layers; convert it "
		"to h5 first, and that with --root universal");
}

/* ---- The whole
 * -------------------------------------------------------------- */

static enum wh_status prepare(struct widening *widening,
			      const struct wh_graph *from, struct wh_error *err)
{
	uint32_t i, models = 0;

	for (i = 0; i < from->n_nodes; i++)
		models += graph_child(&from->nodes[i], "layer-0") != NOWHERE;
	/* Two lists and one `_functional` for each. */
	widening->capacity = from->n_nodes + 3 * models;
	widening->graph.n_nodes = from->n_nodes;
	widening->graph.nodes = arena_alloc(widening->arena, widening->capacity,
					    sizeof(*widening->graph.nodes));
	widening->config = arena_alloc(widening->arena, from->n_nodes,
				       sizeof(*widening->config));
	if (!widening->graph.nodes || !widening->config)
		return wh_fail_memory(err);
	memcpy(widening->graph.nodes, from->nodes,
	       from->n_nodes * sizeof(*from->nodes));
	return graph_mark_values(&widening->graph, err);
}

static enum wh_status note_uncounted(struct arena *arena,
				     struct mapping_graph *mapped,
				     struct wh_error *err)
{
	const char **notes =
		arena_alloc(arena, mapped->n_notes + 1u, sizeof(*notes));

	if (!notes)
		return wh_fail_memory(err);
	if (mapped->n_notes)
		memcpy(notes, mapped->notes, mapped->n_notes * sizeof(*notes));
	notes[mapped->n_notes++] =
		"layers are counted for Keras 3 as if no function (`x + y`) "
		"were called between them; --model-config FILE (the model's "
		"to_json()) says it";
	mapped->notes = notes;
	return WH_OK;
}

enum wh_status mapping_root_universal(const struct wh_manifest *manifest,
				      const struct mapping_hints *hints,
				      struct arena *arena,
				      struct mapping_graph *mapped,
				      struct wh_error *err)
{
	struct widening widening = {.arena = arena,
				    .from_keras3 = keras3_is_origin(manifest)};
	uint32_t i, n = mapped->graph.n_nodes;

	WH_TRY(graph_check(&mapped->graph, err));
	if (graph_child(&mapped->graph.nodes[0], "model") != NOWHERE)
		return wh_fail(err, WH_EUNSUPPORTED,
			       "the object graph is that of "
			       "tf.train.Checkpoint(model=...), and only one "
			       "that is rooted at the model can be for all");
	WH_TRY(prepare(&widening, &mapped->graph, err));
	WH_TRY(layers_config_model(manifest, hints->model_config, arena,
				   &widening.config[0], err));
	for (i = 0; i < n; i++)
		WH_TRY(widen_node(&widening, i, err));
	WH_TRY(graph_mark_values(&widening.graph, err));
	mapped->graph = widening.graph;
	if (widening.from_keras3 && !widening.config[0])
		return note_uncounted(arena, mapped, err);
	return WH_OK;
}
