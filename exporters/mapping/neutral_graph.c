#include "mapping/neutral_graph.h"

#include <string.h>

#include "mapping/neutral_scan.h"
#include <weighhouse/tensor.h>

/* ---- Writing: what is empty is left out
 * -------------------------------------------- */

static void put_text(struct json_out *out, const char *text)
{
	json_out_text(out, text ? text : "", text ? strlen(text) : 0);
}

static void begin_list(struct json_out *out, const char *key)
{
	json_out_key(out, key);
	json_out_open(out, '[');
}

static void describe_edges(struct json_out *out,
			   const struct wh_graph_node *node)
{
	uint32_t i;

	begin_list(out, "edges");
	for (i = 0; i < node->n_edges; i++) {
		json_out_open(out, '[');
		json_out_number(out, node->edges[i].node);
		put_text(out, node->edges[i].name);
		json_out_close(out, ']');
	}
	json_out_close(out, ']');
}

static void describe_values(struct json_out *out,
			    const struct wh_graph_node *node)
{
	uint32_t i;

	begin_list(out, "values");
	for (i = 0; i < node->n_attributes; i++) {
		const struct wh_graph_attribute *at = &node->attributes[i];

		json_out_open(out, '[');
		put_text(out, at->name);
		put_text(out, at->full_name);
		put_text(out, at->checkpoint_key);
		json_out_bool(out, at->optional_restore);
		json_out_close(out, ']');
	}
	json_out_close(out, ']');
}

static void describe_slots(struct json_out *out,
			   const struct wh_graph_node *node)
{
	uint32_t i;

	begin_list(out, "slots");
	for (i = 0; i < node->n_slots; i++) {
		json_out_open(out, '[');
		json_out_number(out, node->slots[i].original);
		json_out_number(out, node->slots[i].slot);
		put_text(out, node->slots[i].name);
		json_out_close(out, ']');
	}
	json_out_close(out, ']');
}

static void describe_node(struct json_out *out,
			  const struct wh_graph_node *node)
{
	json_out_open(out, '{');
	if (node->n_edges)
		describe_edges(out, node);
	if (node->n_attributes)
		describe_values(out, node);
	if (node->n_slots)
		describe_slots(out, node);
	if (node->saver_name) {
		begin_list(out, "saver");
		put_text(out, node->saver_name);
		put_text(out, node->saver_object);
		json_out_close(out, ']');
	}
	if (node->has_values) {
		json_out_key(out, "has_values");
		json_out_number(out, node->has_values);
	}
	json_out_close(out, '}');
}

void neutral_graph_describe(struct json_out *out, const struct wh_graph *graph)
{
	uint32_t i;

	json_out_open(out, '[');
	for (i = 0; i < graph->n_nodes; i++)
		describe_node(out, &graph->nodes[i]);
	json_out_close(out, ']');
}

/* ---- Reading
 * ------------------------------------------------------------------- */

struct reading {
	struct scan *scan;
	struct arena *arena;
	uint32_t n_nodes;
	bool bad; /* it tells no graph */
};

static const char *take_text(struct reading *r)
{
	const char *text = NULL;

	neutral_text(r->scan, r->arena, &text);
	return text;
}

static uint32_t take_node(struct reading *r)
{
	int64_t node = neutral_number(r->scan);

	if (node >= 0 && node < (int64_t)r->n_nodes)
		return (uint32_t)node;
	r->bad = true;
	return 0;
}

/* Before another value of a row, which has all of them. */
static void next(struct reading *r)
{
	scan_take(r->scan, ',');
}

static void begin_row(struct reading *r)
{
	scan_open(r->scan, '[');
}

static void end_row(struct reading *r)
{
	scan_take(r->scan, ']');
	r->scan->depth--;
}

/* Room for the rows of the list that comes next; how many in `*n`. */
static void *open_list(struct reading *r, size_t size, uint32_t *n)
{
	size_t count = scan_count(r->scan);
	void *room = arena_alloc(r->arena, count, size);

	if (!room || count > UINT32_MAX)
		neutral_misfit(r->scan);
	*n = (uint32_t)count;
	scan_open(r->scan, '[');
	return room;
}

static void read_edges(struct reading *r, struct wh_graph_node *node)
{
	bool first = true;
	uint32_t i;

	node->edges = open_list(r, sizeof(*node->edges), &node->n_edges);
	for (i = 0; scan_more(r->scan, ']', &first); i++) {
		struct wh_graph_edge *edge = &node->edges[i];

		begin_row(r);
		edge->node = take_node(r);
		next(r);
		edge->name = take_text(r);
		end_row(r);
	}
}

static void read_values(struct reading *r, struct wh_graph_node *node)
{
	bool first = true;
	uint32_t i;

	node->attributes =
		open_list(r, sizeof(*node->attributes), &node->n_attributes);
	for (i = 0; scan_more(r->scan, ']', &first); i++) {
		struct wh_graph_attribute *value = &node->attributes[i];

		begin_row(r);
		value->name = take_text(r);
		next(r);
		value->full_name = take_text(r);
		next(r);
		value->checkpoint_key = take_text(r);
		next(r);
		scan_bool(r->scan, &value->optional_restore);
		end_row(r);
	}
}

static void read_slots(struct reading *r, struct wh_graph_node *node)
{
	bool first = true;
	uint32_t i;

	node->slots = open_list(r, sizeof(*node->slots), &node->n_slots);
	for (i = 0; scan_more(r->scan, ']', &first); i++) {
		struct wh_graph_slot *slot = &node->slots[i];

		begin_row(r);
		slot->original = take_node(r);
		next(r);
		slot->slot = take_node(r);
		next(r);
		slot->name = take_text(r);
		end_row(r);
	}
}

static void read_saver(struct reading *r, struct wh_graph_node *node)
{
	begin_row(r);
	node->saver_name = take_text(r);
	next(r);
	node->saver_object = take_text(r);
	end_row(r);
}

static void read_has_values(struct reading *r, struct wh_graph_node *node)
{
	int64_t has = neutral_number(r->scan);

	r->bad |= has < WH_HAS_VALUES_ABSENT || has > WH_HAS_VALUES_YES;
	node->has_values = (enum wh_graph_has_values)has;
}

static void read_node(struct reading *r, struct wh_graph_node *node)
{
	static const char *const fields[] = {"edges", "values",	    "slots",
					     "saver", "has_values", NULL};
	static void (*const readers[])(struct reading *,
				       struct wh_graph_node *) = {
		read_edges, read_values, read_slots, read_saver,
		read_has_values};
	struct neutral_object object = {.fields = fields};
	unsigned field;

	scan_open(r->scan, '{');
	while (neutral_field(r->scan, &object, &field))
		readers[field](r, node);
}

struct wh_graph *neutral_graph_read(struct scan *scan, struct arena *arena)
{
	struct reading r = {.scan = scan, .arena = arena};
	struct wh_graph *graph = arena_alloc(arena, 1, sizeof(*graph));
	bool first = true;
	uint32_t i;

	if (!graph) {
		neutral_misfit(scan);
		return NULL;
	}
	graph->nodes = open_list(&r, sizeof(*graph->nodes), &graph->n_nodes);
	r.n_nodes = graph->n_nodes;
	for (i = 0; scan_more(scan, ']', &first); i++)
		read_node(&r, &graph->nodes[i]);
	return r.bad || !graph->n_nodes ? NULL : graph;
}
