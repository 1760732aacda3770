/* The counter of saves, a variable of the root: save() has counted its own,
 * and what an asynchronous write() adds is 0.
 *
 * It is the root's last child, so breadth-first numbers put it behind the
 * children before it, and move the nodes below them up by one.
 */
#include <string.h>

#include "base/endian.h"
#include "mapping/draft.h"
#include "tf/layout.h"

#define COUNTER_NAME "save_counter"

static enum wh_status set_count(struct layout *layout, struct wh_error *err)
{
	uint8_t bytes[8];

	put_le64(bytes, layout->options->save_counter);
	return wh_buf_append(&layout->counter_bytes, bytes, sizeof(bytes), err);
}

/* A counter that came with the checkpoint keeps its node and key, and gets the
 * new count, where one is given. */
static enum wh_status replace_count(struct layout *layout, struct wh_error *err)
{
	uint32_t i, n = layout->source->manifest.n_tensors;

	if (!layout->options->save_counter)
		return WH_OK;
	for (i = 0; i < n; i++) {
		const char *key = layout->mapping.key_of[i];

		if (!key || strcmp(key, COUNTER_KEY) != 0)
			continue;
		layout->mapping.key_of[i] = NULL;
		return set_count(layout, err);
	}
	return WH_OK;
}

static uint32_t counter_number(const struct wh_graph_node *root)
{
	uint32_t i, last = 0;

	for (i = 0; i < root->n_edges; i++)
		if (root->edges[i].node > last)
			last = root->edges[i].node;
	return last + 1;
}

/* `node` with edges and slots to nodes that moved up from `number` on; room
 * for an edge more. */
static enum wh_status move_up(struct wh_graph_node *node, uint32_t number,
			      struct arena *arena, struct wh_error *err)
{
	struct wh_graph_edge *edges =
		arena_alloc(arena, node->n_edges + 1u, sizeof(*edges));
	struct wh_graph_slot *slots =
		arena_alloc(arena, node->n_slots, sizeof(*slots));
	uint32_t i;

	if (!edges || !slots)
		return wh_fail_memory(err);
	for (i = 0; i < node->n_edges; i++) {
		edges[i] = node->edges[i];
		edges[i].node += edges[i].node >= number;
	}
	for (i = 0; i < node->n_slots; i++) {
		slots[i] = node->slots[i];
		slots[i].original += slots[i].original >= number;
		slots[i].slot += slots[i].slot >= number;
	}
	node->edges = edges;
	node->slots = slots;
	return WH_OK;
}

static enum wh_status insert_counter(struct wh_graph *graph,
				     struct arena *arena, struct wh_error *err)
{
	uint32_t i, number = counter_number(&graph->nodes[0]);
	struct wh_graph_attribute *value =
		arena_alloc(arena, 1, sizeof(*value));
	struct wh_graph_node *nodes =
		arena_alloc(arena, graph->n_nodes + 1u, sizeof(*nodes));

	if (!value || !nodes)
		return wh_fail_memory(err);
	for (i = 0; i < graph->n_nodes; i++) {
		struct wh_graph_node *node = &nodes[i + (i >= number)];

		*node = graph->nodes[i];
		WH_TRY(move_up(node, number, arena, err));
	}
	nodes[0].edges[nodes[0].n_edges++] =
		(struct wh_graph_edge){number, COUNTER_NAME};
	*value = (struct wh_graph_attribute){.name = "VARIABLE_VALUE",
					     .full_name = COUNTER_NAME,
					     .checkpoint_key = COUNTER_KEY};
	nodes[number] = (struct wh_graph_node){.attributes = value,
					       .n_attributes = 1,
					       .has_values = WH_HAS_VALUES_YES};
	graph->nodes = nodes;
	graph->n_nodes++;
	return WH_OK;
}

enum wh_status layout_count_save(struct layout *layout, struct wh_error *err)
{
	struct wh_graph *graph = &layout->mapping.graph;

	WH_TRY(graph_check(graph, err));
	if (graph_child(&graph->nodes[0], COUNTER_NAME) != UINT32_MAX)
		return replace_count(layout, err);
	/* What can't be read back isn't written. */
	if (layout->source->manifest.n_tensors >= WH_MAX_TENSORS)
		return wh_fail(err, WH_EUNSUPPORTED,
			       "a counter of saves would be one more than %u "
			       "tensors",
			       WH_MAX_TENSORS);
	WH_TRY(insert_counter(graph, &layout->arena, err));
	return set_count(layout, err);
}
