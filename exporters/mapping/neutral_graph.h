/* mapping/neutral_graph.h: an object graph in a description. */
#ifndef WH_MAPPING_NEUTRAL_GRAPH_H
#define WH_MAPPING_NEUTRAL_GRAPH_H

#include <jansson.h>

#include "base/arena.h"
#include "base/error.h"
#include <weighhouse/graph.h>

/** A list of the nodes, for FORMAT.md's "graph". */
json_t *neutral_graph_describe(const struct wh_graph *graph);

/** The graph that such a list tells, in the arena; NULL in `*graph` if it is
 *  none: a node that isn't there, other than texts and numbers. */
enum wh_status neutral_graph_read(const json_t *nodes, struct arena *arena,
				  struct wh_graph **graph,
				  struct wh_error *err);

#endif
