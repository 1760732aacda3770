/* has_checkpoint_values of every node: it decides whether a restore keeps a
 * child that does not exist yet for later. */
#include <stdlib.h>
#include <string.h>

#include "mapping/draft.h"

/* Edges turned around: `first[i]` .. `first[i + 1]` index `parents`. */
struct reverse {
	uint64_t *first;
	uint32_t *parents, *queue;
};

static void free_reverse(struct reverse *reverse)
{
	free(reverse->first);
	free(reverse->parents);
	free(reverse->queue);
}

static enum wh_status check_node(const struct wh_graph *graph, uint32_t index,
				 struct wh_error *err)
{
	const struct wh_graph_node *node = &graph->nodes[index];
	uint32_t i, n = graph->n_nodes;

	for (i = 0; i < node->n_edges; i++)
		if (node->edges[i].node >= n)
			return wh_fail(err, WH_ECORRUPT,
				       "object graph: node %u has a child %u, "
				       "but there are %u nodes",
				       index, node->edges[i].node, n);
	for (i = 0; i < node->n_slots; i++)
		if (node->slots[i].original >= n || node->slots[i].slot >= n)
			return wh_fail(err, WH_ECORRUPT,
				       "object graph: a slot of node %u is of "
				       "no node",
				       index);
	return WH_OK;
}

enum wh_status graph_check(const struct wh_graph *graph, struct wh_error *err)
{
	uint32_t i;

	if (graph->n_nodes == 0)
		return wh_fail(err, WH_ECORRUPT, "object graph without nodes");
	for (i = 0; i < graph->n_nodes; i++)
		WH_TRY(check_node(graph, i, err));
	return WH_OK;
}

uint32_t graph_child(const struct wh_graph_node *node, const char *name)
{
	uint32_t i;

	for (i = 0; i < node->n_edges; i++)
		if (strcmp(node->edges[i].name, name) == 0)
			return node->edges[i].node;
	return UINT32_MAX;
}

static enum wh_status turn_around(const struct wh_graph *graph,
				  struct reverse *reverse, struct wh_error *err)
{
	uint64_t n_edges = 0, sum = 0;
	uint32_t i, j;

	for (i = 0; i < graph->n_nodes; i++)
		n_edges += graph->nodes[i].n_edges;
	reverse->first =
		calloc((size_t)graph->n_nodes + 2, sizeof(*reverse->first));
	reverse->parents =
		calloc((size_t)n_edges + 1, sizeof(*reverse->parents));
	reverse->queue =
		calloc((size_t)graph->n_nodes + 1, sizeof(*reverse->queue));
	if (!reverse->first || !reverse->parents || !reverse->queue)
		return wh_fail_memory(err);
	/* Counted two places up, summed one place up: filling then leaves
	 * each start where it belongs. */
	for (i = 0; i < graph->n_nodes; i++)
		for (j = 0; j < graph->nodes[i].n_edges; j++)
			reverse->first[graph->nodes[i].edges[j].node + 2]++;
	for (i = 0; i < graph->n_nodes + 2; i++) {
		sum += reverse->first[i];
		reverse->first[i] = sum;
	}
	for (i = 0; i < graph->n_nodes; i++)
		for (j = 0; j < graph->nodes[i].n_edges; j++) {
			uint32_t child = graph->nodes[i].edges[j].node;

			reverse->parents[reverse->first[child + 1]++] = i;
		}
	return WH_OK;
}

enum wh_status graph_mark_values(struct wh_graph *graph, struct wh_error *err)
{
	__attribute__((cleanup(free_reverse))) struct reverse reverse = {0};
	uint32_t i, at, n = 0;
	uint64_t j;

	WH_TRY(turn_around(graph, &reverse, err));
	for (i = 0; i < graph->n_nodes; i++) {
		struct wh_graph_node *node = &graph->nodes[i];
		bool has =
			node->n_attributes || node->n_slots || node->saver_name;

		node->has_values = has ? WH_HAS_VALUES_YES : WH_HAS_VALUES_NO;
		if (has)
			reverse.queue[n++] = i;
	}
	for (at = 0; at < n; at++)
		for (j = reverse.first[reverse.queue[at]];
		     j < reverse.first[reverse.queue[at] + 1]; j++) {
			uint32_t parent = reverse.parents[j];

			if (graph->nodes[parent].has_values ==
			    WH_HAS_VALUES_YES)
				continue;
			graph->nodes[parent].has_values = WH_HAS_VALUES_YES;
			reverse.queue[n++] = parent;
		}
	return WH_OK;
}
