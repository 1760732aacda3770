/* The two roots of a Keras model's checkpoint (FORMAT.md, "Roots"):
 *
 *	save_weights            node 0 is the model, with an edge `root` to
 *	                        itself
 *	Checkpoint(model=...)   node 0 has an edge `model`; every key starts
 *	                        with it; `save_counter` is node 0's
 *
 * Breadth-first numbers only move up by the new root, and by save_counter,
 * which moves to the front of the second level.
 */
#include <string.h>

#include "mapping/draft.h"
#include "mapping/mapping.h"

#define NOWHERE UINT32_MAX

static bool is_checkpoint(const struct wh_graph *graph)
{
	const struct wh_graph_node *root = &graph->nodes[0];

	return graph_child(root, "model") != NOWHERE &&
	       graph_child(root, "root") == NOWHERE;
}

struct moving {
	const struct wh_graph *from;
	struct arena *arena;
	uint32_t counter; /* old number of save_counter, or NOWHERE */
	const char *counter_key;
};

static uint32_t moved(const struct moving *moving, uint32_t node)
{
	if (node == 0)
		return 1;
	if (node == moving->counter)
		return 2;
	return node + 1 +
	       (node < moving->counter && moving->counter != NOWHERE);
}

/* A slot's key names two paths, and both gain the new root's edge. */
static const char *move_key(const struct moving *moving, const char *key)
{
	static const char slot_word[] = "/.OPTIMIZER_SLOT/";
	const char *slot = strstr(key, slot_word);
	const char *join = *key == '/' ? "" : "/";

	if (moving->counter_key && strcmp(key, moving->counter_key) == 0)
		return key;
	if (!slot)
		return arena_printf(moving->arena, "model%s%s", join, key);
	return arena_printf(moving->arena, "model%s%.*s%smodel/%s", join,
			    (int)(slot - key), key, slot_word,
			    slot + strlen(slot_word));
}

static enum wh_status move_edges(const struct moving *moving, uint32_t from,
				 struct wh_graph_node *node,
				 struct wh_error *err)
{
	struct wh_graph_edge *edges =
		arena_alloc(moving->arena, node->n_edges, sizeof(*edges));
	uint32_t i, n = 0;

	if (!edges)
		return wh_fail_memory(err);
	for (i = 0; i < node->n_edges; i++) {
		const struct wh_graph_edge *edge = &node->edges[i];

		if (from == 0 &&
		    (edge->node == moving->counter ||
		     (edge->node == 0 && strcmp(edge->name, "root") == 0)))
			continue;
		edges[n].name = edge->name;
		edges[n++].node = moved(moving, edge->node);
	}
	node->edges = edges;
	node->n_edges = n;
	return WH_OK;
}

static enum wh_status move_values(const struct moving *moving,
				  struct wh_graph_node *node,
				  struct wh_error *err)
{
	struct wh_graph_attribute *values =
		arena_alloc(moving->arena, node->n_attributes, sizeof(*values));
	struct wh_graph_slot *slots =
		arena_alloc(moving->arena, node->n_slots, sizeof(*slots));
	uint32_t i;

	if (!values || !slots)
		return wh_fail_memory(err);
	for (i = 0; i < node->n_attributes; i++) {
		values[i] = node->attributes[i];
		values[i].checkpoint_key =
			move_key(moving, values[i].checkpoint_key);
		if (!values[i].checkpoint_key)
			return wh_fail_memory(err);
	}
	for (i = 0; i < node->n_slots; i++) {
		slots[i] = node->slots[i];
		slots[i].original = moved(moving, slots[i].original);
		slots[i].slot = moved(moving, slots[i].slot);
	}
	node->attributes = values;
	node->slots = slots;
	return WH_OK;
}

static enum wh_status make_root(const struct moving *moving,
				struct wh_graph_node *root,
				struct wh_error *err)
{
	root->edges = arena_alloc(moving->arena, 2, sizeof(*root->edges));
	if (!root->edges)
		return wh_fail_memory(err);
	root->edges[root->n_edges++] = (struct wh_graph_edge){1, "model"};
	if (moving->counter != NOWHERE)
		root->edges[root->n_edges++] =
			(struct wh_graph_edge){2, "save_counter"};
	root->has_values = moving->from->nodes[0].has_values;
	return WH_OK;
}

static enum wh_status move_keys(const struct moving *moving,
				const char *const *old, const char **key_of,
				uint32_t n_tensors, struct wh_error *err)
{
	uint32_t i;

	for (i = 0; i < n_tensors; i++) {
		key_of[i] = old[i] ? move_key(moving, old[i]) : NULL;
		if (old[i] && !key_of[i])
			return wh_fail_memory(err);
	}
	return WH_OK;
}

enum wh_status mapping_root_checkpoint(struct mapping_graph *mapped,
				       uint32_t n_tensors, struct arena *arena,
				       struct wh_error *err)
{
	const struct wh_graph *from = &mapped->graph;
	struct moving moving = {.from = from, .arena = arena};
	struct wh_graph made = {.n_nodes = from->n_nodes + 1};
	const char **key_of = arena_alloc(arena, n_tensors, sizeof(*key_of));
	uint32_t i;

	made.nodes = arena_alloc(arena, made.n_nodes, sizeof(*made.nodes));
	if (!made.nodes || !key_of)
		return wh_fail_memory(err);
	WH_TRY(graph_check(from, err));
	if (is_checkpoint(from))
		return WH_OK;
	moving.counter = graph_child(&from->nodes[0], "save_counter");
	if (moving.counter == 0)
		moving.counter = NOWHERE;
	if (moving.counter != NOWHERE &&
	    from->nodes[moving.counter].n_attributes)
		moving.counter_key = from->nodes[moving.counter]
					     .attributes[0]
					     .checkpoint_key;
	WH_TRY(make_root(&moving, &made.nodes[0], err));
	for (i = 0; i < from->n_nodes; i++) {
		struct wh_graph_node *node = &made.nodes[moved(&moving, i)];

		*node = from->nodes[i];
		WH_TRY(move_edges(&moving, i, node, err));
		WH_TRY(move_values(&moving, node, err));
	}
	WH_TRY(move_keys(&moving, mapped->key_of, key_of, n_tensors, err));
	mapped->graph = made;
	mapped->key_of = key_of;
	return WH_OK;
}
