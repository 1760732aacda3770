/* mapping/draft.h: an object graph being made, and how TensorFlow numbers
 * and keys one. */
#ifndef WH_MAPPING_DRAFT_H
#define WH_MAPPING_DRAFT_H

#include "base/arena.h"
#include "core/name_map.h"
#include <weighhouse/graph.h>

struct draft_node {
	uint32_t tensor; /* WH_LITERAL: an object without a value */
	const char *full_name;
};
struct draft_link {
	uint32_t parent, child;
	const char *name;
};

/** A zeroed one with its arena is empty; freed by draft_free. */
struct draft {
	struct arena *arena;
	struct draft_node *nodes;
	uint32_t n_nodes;
	size_t nodes_capacity;
	struct draft_link *links;
	uint32_t n_links;
	size_t links_capacity;
	struct name_map paths; /* "<base>:<path>" -> node */
};
void draft_free(struct draft *draft);

enum wh_status draft_node(struct draft *draft, uint32_t *node,
			  struct wh_error *err);
/** `name` is borrowed. */
enum wh_status draft_link(struct draft *draft, uint32_t parent,
			  const char *name, uint32_t child,
			  struct wh_error *err);

/** The node at `path` ("cell/kernel") below `base`; the nodes and edges that
 *  are missing on the way are made. WH_EUNSUPPORTED for paths deeper than
 *  PATHS_MAX_DEPTH or with an empty component. */
enum wh_status draft_path(struct draft *draft, uint32_t base, const char *path,
			  uint32_t *node, struct wh_error *err);

/** As draft_path, but the last edge leads to the node `same`. */
enum wh_status draft_alias(struct draft *draft, uint32_t base, const char *path,
			   uint32_t same, struct wh_error *err);

/** Numbers the draft from its node 0 as TensorFlow does (breadth first, edges
 *  in the order of their making), gives each value its key, and says in
 *  `has_values` which nodes lead to one. `key_of[tensor]` receives keys. */
enum wh_status draft_finish(const struct draft *draft, struct wh_graph *graph,
			    const char **key_of, struct wh_error *err);

/** WH_ECORRUPT unless the graph has a node 0 and every edge and slot leads to
 *  a node. */
enum wh_status graph_check(const struct wh_graph *graph, struct wh_error *err);

/** Where the first edge of that name leads, or UINT32_MAX. */
uint32_t graph_child(const struct wh_graph_node *node, const char *name);

/** Fills every node's has_values: values, slots or a saver of its own or of
 *  any descendant. The graph has been checked. */
enum wh_status graph_mark_values(struct wh_graph *graph, struct wh_error *err);

/** `path` + `/` + `name` with TensorFlow's escapes (`.` is `..`, `/` is
 *  `.S`); NULL without memory. */
const char *path_append(struct arena *arena, const char *path,
			const char *name);

#endif
