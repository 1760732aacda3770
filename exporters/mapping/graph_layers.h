/* mapping/graph_layers.h: which nodes of an object graph are the model, its
 * layers and its optimizers. */
#ifndef WH_MAPPING_GRAPH_LAYERS_H
#define WH_MAPPING_GRAPH_LAYERS_H

#include <stdbool.h>

#include "base/arena.h"
#include <weighhouse/graph.h>

struct graph_layer {
	uint32_t node;
	const char *edge;   /* "layer_with_weights-0", "encoder", "blocks/0" */
	bool only_weighted; /* not known to be a layer unless it has weights */
	uint32_t place;	    /* among the model's layers */
};

struct graph_layers {
	uint32_t model; /* the node whose layers they are */
	struct graph_layer *layers;
	uint32_t n_layers;
	size_t layers_capacity;
	uint32_t *optimizers;
	uint32_t n_optimizers;
	size_t optimizers_capacity;
	uint32_t *blocked; /* roots and containers: no layer owns them */
	uint32_t n_blocked;
	size_t blocked_capacity;
	bool *visited;	   /* lists that were looked into */
	const char *scope; /* a subclassed model's name, or NULL */
};
void graph_layers_free(struct graph_layers *found);

/** Whether its edges are those by which Keras keeps a model's layers. */
bool graph_is_model(const struct wh_graph *graph, uint32_t node);

/** The graph has been checked. `found` is freed by the caller, also after an
 *  error; edge names lie in the graph or the arena. */
enum wh_status graph_layers_find(const struct wh_graph *graph,
				 struct arena *arena,
				 struct graph_layers *found,
				 struct wh_error *err);

#endif
