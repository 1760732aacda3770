#include "mapping/neutral_graph.h"

#include <string.h>

#include "base/json_put.h"
#include <weighhouse/tensor.h>

/* ---- Writing: what is empty is left out
 * -------------------------------------------- */

static void put_list(json_t **object, const char *key, json_t *list)
{
	if (!list || json_array_size(list))
		json_put(object, key, list);
	else
		json_decref(list);
}

static json_t *describe_node(const struct wh_graph_node *node)
{
	json_t *row = json_object(), *edges = json_array();
	json_t *values = json_array(), *slots = json_array();
	uint32_t i;

	for (i = 0; i < node->n_edges; i++)
		json_add(&edges,
			 json_pack("[I,s]", (json_int_t)node->edges[i].node,
				   node->edges[i].name));
	for (i = 0; i < node->n_attributes; i++) {
		const struct wh_graph_attribute *at = &node->attributes[i];

		json_add(&values,
			 json_pack("[s,s,s,b]", at->name,
				   at->full_name ? at->full_name : "",
				   at->checkpoint_key ? at->checkpoint_key : "",
				   (int)at->optional_restore));
	}
	for (i = 0; i < node->n_slots; i++)
		json_add(&slots, json_pack("[I,I,s]",
					   (json_int_t)node->slots[i].original,
					   (json_int_t)node->slots[i].slot,
					   node->slots[i].name));
	put_list(&row, "edges", edges);
	put_list(&row, "values", values);
	put_list(&row, "slots", slots);
	if (node->saver_name)
		json_put(&row, "saver",
			 json_pack("[s,s]", node->saver_name,
				   node->saver_object ? node->saver_object
						      : ""));
	if (node->has_values)
		json_put(&row, "has_values", json_integer(node->has_values));
	return row;
}

json_t *neutral_graph_describe(const struct wh_graph *graph)
{
	json_t *nodes = json_array();
	uint32_t i;

	for (i = 0; i < graph->n_nodes; i++)
		json_add(&nodes, describe_node(&graph->nodes[i]));
	return nodes;
}

/* ---- Reading
 * ------------------------------------------------------------------- */

struct reading {
	struct arena *arena;
	uint32_t n_nodes;
	bool bad; /* it tells no graph */
	bool no_memory;
};

static const char *text_at(struct reading *r, const json_t *row, size_t i)
{
	const json_t *text = json_array_get(row, i);
	const char *copy;

	if (!json_is_string(text)) {
		r->bad = true;
		return "";
	}
	copy = arena_bytes(r->arena, json_string_value(text),
			   json_string_length(text));
	r->no_memory |= !copy;
	return copy;
}

static uint32_t node_at(struct reading *r, const json_t *row, size_t i)
{
	json_int_t node = json_integer_value(json_array_get(row, i));

	if (!json_is_integer(json_array_get(row, i)) || node < 0 ||
	    node >= (json_int_t)r->n_nodes) {
		r->bad = true;
		return 0;
	}
	return (uint32_t)node;
}

/* Room for the rows of a list; how many in `*n`. */
static void *make_room(struct reading *r, const json_t *list, size_t size,
		       uint32_t *n)
{
	void *room = arena_alloc(r->arena, json_array_size(list), size);

	r->no_memory |= !room;
	r->bad |= list && !json_is_array(list);
	*n = room ? (uint32_t)json_array_size(list) : 0;
	return room;
}

static void read_edges(struct reading *r, const json_t *list,
		       struct wh_graph_node *node)
{
	uint32_t i;

	node->edges = make_room(r, list, sizeof(*node->edges), &node->n_edges);
	for (i = 0; i < node->n_edges; i++) {
		const json_t *row = json_array_get(list, i);

		node->edges[i] = (struct wh_graph_edge){node_at(r, row, 0),
							text_at(r, row, 1)};
	}
}

static void read_values(struct reading *r, const json_t *list,
			struct wh_graph_node *node)
{
	uint32_t i;

	node->attributes = make_room(r, list, sizeof(*node->attributes),
				     &node->n_attributes);
	for (i = 0; i < node->n_attributes; i++) {
		const json_t *row = json_array_get(list, i);

		node->attributes[i] = (struct wh_graph_attribute){
			text_at(r, row, 0), text_at(r, row, 1),
			text_at(r, row, 2),
			json_is_true(json_array_get(row, 3))};
	}
}

static void read_slots(struct reading *r, const json_t *list,
		       struct wh_graph_node *node)
{
	uint32_t i;

	node->slots = make_room(r, list, sizeof(*node->slots), &node->n_slots);
	for (i = 0; i < node->n_slots; i++) {
		const json_t *row = json_array_get(list, i);

		node->slots[i] = (struct wh_graph_slot){node_at(r, row, 0),
							node_at(r, row, 1),
							text_at(r, row, 2)};
	}
}

static void read_node(struct reading *r, const json_t *row,
		      struct wh_graph_node *node)
{
	const json_t *saver = json_object_get(row, "saver");
	json_int_t has = json_integer_value(json_object_get(row, "has_values"));

	read_edges(r, json_object_get(row, "edges"), node);
	read_values(r, json_object_get(row, "values"), node);
	read_slots(r, json_object_get(row, "slots"), node);
	if (saver) {
		node->saver_name = text_at(r, saver, 0);
		node->saver_object = text_at(r, saver, 1);
	}
	r->bad |= has < WH_HAS_VALUES_ABSENT || has > WH_HAS_VALUES_YES;
	node->has_values = (enum wh_graph_has_values)has;
}

enum wh_status neutral_graph_read(const json_t *nodes, struct arena *arena,
				  struct wh_graph **out, struct wh_error *err)
{
	struct reading r = {.arena = arena};
	struct wh_graph *graph = arena_alloc(arena, 1, sizeof(*graph));
	uint32_t i;

	*out = NULL;
	if (!graph)
		return wh_fail_memory(err);
	graph->nodes =
		make_room(&r, nodes, sizeof(*graph->nodes), &graph->n_nodes);
	r.n_nodes = graph->n_nodes;
	for (i = 0; i < graph->n_nodes && !r.bad && !r.no_memory; i++)
		read_node(&r, json_array_get(nodes, i), &graph->nodes[i]);
	if (r.no_memory)
		return wh_fail_memory(err);
	if (!r.bad && graph->n_nodes)
		*out = graph;
	return WH_OK;
}
