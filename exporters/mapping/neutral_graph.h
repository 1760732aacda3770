/* mapping/neutral_graph.h: an object graph in a description. */
#ifndef WH_MAPPING_NEUTRAL_GRAPH_H
#define WH_MAPPING_NEUTRAL_GRAPH_H

#include "base/json_out.h"
#include "base/json_scan.h"
#include <weighhouse/graph.h>

/** Writes a list of the nodes, for FORMAT.md's "graph". */
void neutral_graph_describe(struct json_out *out, const struct wh_graph *graph);

/** Reads such a list: the graph in the arena, or NULL if it is none, for a node
 *  isn't there. What is other than texts and numbers is the scan's problem. */
struct wh_graph *neutral_graph_read(struct scan *scan, struct arena *arena);

#endif
