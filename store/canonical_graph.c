/* The object graph as a text: `node`, then a line for each of its parts. */
#include "canonical.h"

#include <inttypes.h>
#include <string.h>

#include "base/text.h"

static enum wh_status add_escaped(struct wh_buf *out, const char *text,
				  const char *after, struct wh_error *err)
{
	WH_TRY(line_escape(out, text, strlen(text), err));
	return wh_buf_append(out, after, strlen(after), err);
}

static enum wh_status add_attribute(struct wh_buf *out,
				    const struct wh_graph_attribute *at,
				    struct wh_error *err)
{
	WH_TRY(line_number(out, "value", at->optional_restore, "\t", err));
	WH_TRY(add_escaped(out, at->name, "\t", err));
	WH_TRY(add_escaped(out, at->full_name ? at->full_name : "", "\t", err));
	return add_escaped(out, at->checkpoint_key, "\n", err);
}

static enum wh_status add_node(struct wh_buf *out,
			       const struct wh_graph_node *node,
			       struct wh_error *err)
{
	uint32_t i;

	WH_TRY(line_number(out, "node", (unsigned)node->has_values, "\n", err));
	for (i = 0; i < node->n_edges; i++) {
		WH_TRY(line_number(out, "edge", node->edges[i].node, "\t",
				   err));
		WH_TRY(add_escaped(out, node->edges[i].name, "\n", err));
	}
	for (i = 0; i < node->n_attributes; i++)
		WH_TRY(add_attribute(out, &node->attributes[i], err));
	for (i = 0; i < node->n_slots; i++) {
		WH_TRY(wh_buf_printf(
			out, err, "slot %" PRIu32 "\t%" PRIu32 "\t",
			node->slots[i].original, node->slots[i].slot));
		WH_TRY(add_escaped(out, node->slots[i].name, "\n", err));
	}
	if (node->saver_name) {
		WH_TRY(wh_buf_append(out, "saver ", 6, err));
		WH_TRY(add_escaped(out, node->saver_name, "\t", err));
		WH_TRY(add_escaped(out,
				   node->saver_object ? node->saver_object : "",
				   "\n", err));
	}
	return WH_OK;
}

enum wh_status canonical_graph(struct wh_buf *out, const struct wh_graph *graph,
			       struct wh_error *err)
{
	uint32_t i;

	WH_TRY(wh_buf_printf(out, err,
			     "weighhouse graph 1\ncount %" PRIu32 "\n",
			     graph->n_nodes));
	for (i = 0; i < graph->n_nodes; i++)
		WH_TRY(add_node(out, &graph->nodes[i], err));
	return WH_OK;
}

/* What a pass over the text counts, so that a second one can fill arrays. */
struct counts {
	uint32_t edges, values, slots;
};

static enum wh_status parse_node_id(struct line_reader *reader,
				    const char *field, uint32_t n_nodes,
				    uint32_t *id, struct wh_error *err)
{
	uint64_t value;

	if (!text_to_u64(field, &value) || value >= n_nodes)
		return line_bad(reader, err);
	*id = (uint32_t)value;
	return WH_OK;
}

static enum wh_status read_edge(struct line_reader *reader,
				struct wh_graph *graph,
				struct wh_graph_node *node,
				struct wh_error *err)
{
	struct wh_graph_edge *edge = &node->edges[node->n_edges];
	char *fields[2];

	WH_TRY(line_fields(reader, fields, NULL, 2, err));
	WH_TRY(parse_node_id(reader, fields[0], graph->n_nodes, &edge->node,
			     err));
	edge->name = fields[1];
	node->n_edges++;
	return WH_OK;
}

static enum wh_status read_value(struct line_reader *reader,
				 struct wh_graph_node *node,
				 struct wh_error *err)
{
	char *fields[4];

	WH_TRY(line_fields(reader, fields, NULL, 4, err));
	node->attributes[node->n_attributes++] = (struct wh_graph_attribute){
		.optional_restore = fields[0][0] == '1',
		.name = fields[1],
		.full_name = fields[2],
		.checkpoint_key = fields[3],
	};
	return WH_OK;
}

static enum wh_status read_slot(struct line_reader *reader,
				struct wh_graph *graph,
				struct wh_graph_node *node,
				struct wh_error *err)
{
	struct wh_graph_slot *slot = &node->slots[node->n_slots];
	char *fields[3];

	WH_TRY(line_fields(reader, fields, NULL, 3, err));
	WH_TRY(parse_node_id(reader, fields[0], graph->n_nodes, &slot->original,
			     err));
	WH_TRY(parse_node_id(reader, fields[1], graph->n_nodes, &slot->slot,
			     err));
	slot->name = fields[2];
	node->n_slots++;
	return WH_OK;
}

static enum wh_status read_part(struct line_reader *reader,
				struct wh_graph *graph,
				struct wh_graph_node *node,
				struct wh_error *err)
{
	char *fields[2];

	if (strcmp(reader->word, "edge") == 0)
		return read_edge(reader, graph, node, err);
	if (strcmp(reader->word, "value") == 0)
		return read_value(reader, node, err);
	if (strcmp(reader->word, "slot") == 0)
		return read_slot(reader, graph, node, err);
	if (strcmp(reader->word, "saver") != 0)
		return line_bad(reader, err);
	WH_TRY(line_fields(reader, fields, NULL, 2, err));
	node->saver_name = fields[0];
	node->saver_object = fields[1];
	return WH_OK;
}

/* Lines of each kind that follow a node's, up to the next node. */
static struct counts count_parts(const char *at, const char *end)
{
	struct counts counts = {0};

	while (at < end && *at != 'n') {
		counts.edges += *at == 'e';
		counts.values += *at == 'v';
		counts.slots += *at == 's';
		at = memchr(at, '\n', (size_t)(end - at));
		if (!at)
			break;
		at++;
	}
	return counts;
}

static enum wh_status begin_node(struct line_reader *reader,
				 struct wh_graph_node *node,
				 struct wh_error *err)
{
	struct counts counts = count_parts(reader->at, reader->end);
	uint64_t has_values;

	if (!text_to_u64(reader->value, &has_values) ||
	    has_values > WH_HAS_VALUES_YES)
		return line_bad(reader, err);
	node->has_values = (enum wh_graph_has_values)has_values;
	node->edges =
		arena_alloc(reader->arena, counts.edges, sizeof(*node->edges));
	node->attributes = arena_alloc(reader->arena, counts.values,
				       sizeof(*node->attributes));
	node->slots =
		arena_alloc(reader->arena, counts.slots, sizeof(*node->slots));
	if (!node->edges || !node->attributes || !node->slots)
		return wh_fail_memory(err);
	return WH_OK;
}

static enum wh_status read_head(struct line_reader *reader,
				struct wh_graph *graph, struct wh_error *err)
{
	enum wh_status status;
	uint64_t n;

	if (!line_next(reader, &status, err) ||
	    strcmp(reader->word, "weighhouse") != 0 ||
	    strcmp(reader->value, "graph 1") != 0)
		return status ? status : line_bad(reader, err);
	if (!line_next(reader, &status, err) ||
	    strcmp(reader->word, "count") != 0 ||
	    !text_to_u64(reader->value, &n) ||
	    n > (uint64_t)(reader->end - reader->at))
		return status ? status : line_bad(reader, err);
	graph->nodes =
		arena_alloc(reader->arena, (size_t)n, sizeof(*graph->nodes));
	if (!graph->nodes)
		return wh_fail_memory(err);
	graph->n_nodes = (uint32_t)n;
	return WH_OK;
}

enum wh_status canonical_read_graph(const char *text, size_t len,
				    struct arena *arena, struct wh_graph **out,
				    struct wh_error *err)
{
	struct line_reader reader = {text, text + len, arena, NULL, NULL};
	struct wh_graph *graph = arena_alloc(arena, 1, sizeof(*graph));
	struct wh_graph_node *node = NULL;
	enum wh_status status;
	uint32_t n = 0;

	if (!graph)
		return wh_fail_memory(err);
	WH_TRY(read_head(&reader, graph, err));
	while (line_next(&reader, &status, err)) {
		if (strcmp(reader.word, "node") == 0) {
			if (n == graph->n_nodes)
				return line_bad(&reader, err);
			node = &graph->nodes[n++];
			WH_TRY(begin_node(&reader, node, err));
			continue;
		}
		if (!node)
			return line_bad(&reader, err);
		WH_TRY(read_part(&reader, graph, node, err));
	}
	if (!status && n != graph->n_nodes)
		status = line_bad(&reader, err);
	if (!status)
		*out = graph;
	return status;
}
