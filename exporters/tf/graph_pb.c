/* TrackableObjectGraph, a message in messages:
 *
 *	graph	1 nodes
 *	node	1 children (edges), 2 attributes, 3 slot_variables,
 *		4 registered_saver, 5 has_checkpoint_values
 *	edge	1 node_id, 2 local_name
 *	value	1 name, 2 full_name, 3 checkpoint_key, 4 optional_restore
 *	slot	1 original_variable_node_id, 2 slot_name,
 *		3 slot_variable_node_id
 *	saver	1 name, 2 object_name
 *	bool	1 value
 *
 * Fields: tensorflow/core/protobuf/trackable_object_graph.proto (TensorFlow
 * 2.21), google/protobuf/wrappers.proto. Decoded by hand, as bundle.h's: a
 * model has three nodes and more for each of up to a million tensors.
 */
#include "tf/graph_pb.h"

#include <string.h>

#include "base/checked.h"
#include "base/text.h"
#include "tf/wire.h"
#include <weighhouse/tensor.h>

enum { GRAPH_NODES = 1 };
enum {
	NODE_CHILDREN = 1,
	NODE_ATTRIBUTES = 2,
	NODE_SLOTS = 3,
	NODE_SAVER = 4,
	NODE_HAS_VALUES = 5
};
enum { EDGE_NODE = 1, EDGE_NAME = 2 };
enum { VALUE_NAME = 1, VALUE_FULL_NAME = 2, VALUE_KEY = 3, VALUE_OPTIONAL = 4 };
enum { SLOT_ORIGINAL = 1, SLOT_NAME = 2, SLOT_NODE = 3 };
enum { SAVER_NAME = 1, SAVER_OBJECT = 2 };
enum { BOOL_VALUE = 1 };

/* ---- Reading
 * ------------------------------------------------------------------ */

/* Bytes of memory: an empty node of 2 bytes takes 72. */
#define MAX_UNPACKED ((uint64_t)1 << 30)

struct decoder {
	struct arena *arena;
	struct wh_error *err;
	uint32_t n_nodes;
	uint64_t left; /* of MAX_UNPACKED */
};

static enum wh_status unreadable(const struct decoder *d)
{
	return wh_fail(d->err, WH_ECORRUPT, "the object graph can't be read");
}

static enum wh_status spend(struct decoder *d, uint64_t n, size_t size)
{
	uint64_t total;

	if (!checked_mul(n, size, &total) || total > d->left)
		return unreadable(d);
	d->left -= total;
	return WH_OK;
}

static enum wh_status make_list(struct decoder *d, uint32_t n, size_t size,
				void *list)
{
	void *made;

	WH_TRY(spend(d, n, size));
	made = arena_alloc(d->arena, n, size);
	if (!made)
		return wh_fail_memory(d->err);
	/* Of whatever type the pointer is, it is only copied. */
	memcpy(list, &made, sizeof(made));
	return WH_OK;
}

static enum wh_status read_name(struct decoder *d, struct cursor bytes,
				const char **out)
{
	size_t len = cursor_left(&bytes);

	if (len > WH_MAX_NAME || !text_is_name((const char *)bytes.at, len))
		return wh_fail(d->err, WH_ECORRUPT,
			       "a name in the object graph is not valid UTF-8, "
			       "or too long");
	WH_TRY(spend(d, 1, len + 1));
	*out = arena_bytes(d->arena, bytes.at, len);
	return *out ? WH_OK : wh_fail_memory(d->err);
}

/* An int32: of a varint the lower half. */
static enum wh_status check_id(const struct decoder *d, uint64_t value,
			       uint32_t *out)
{
	int32_t id = (int32_t)(uint32_t)value;

	if (id < 0 || (uint32_t)id >= d->n_nodes)
		return wh_fail(d->err, WH_ECORRUPT,
			       "the object graph names node %d of %u", id,
			       d->n_nodes);
	*out = (uint32_t)id;
	return WH_OK;
}

static enum wh_status read_edge(struct decoder *d, struct cursor message,
				struct wh_graph_edge *edge)
{
	struct wire_field field;
	uint64_t node = 0;

	edge->name = "";
	while (cursor_left(&message)) {
		if (!cursor_field(&message, &field))
			return unreadable(d);
		if (field.tag == TAG(EDGE_NODE, WIRE_VARINT))
			node = field.value;
		else if (field.tag == TAG(EDGE_NAME, WIRE_BYTES))
			WH_TRY(read_name(d, field.bytes, &edge->name));
	}
	return check_id(d, node, &edge->node);
}

static enum wh_status read_value(struct decoder *d, struct cursor message,
				 struct wh_graph_attribute *value)
{
	struct wire_field field;

	value->name = value->full_name = value->checkpoint_key = "";
	while (cursor_left(&message)) {
		if (!cursor_field(&message, &field))
			return unreadable(d);
		if (field.tag == TAG(VALUE_NAME, WIRE_BYTES))
			WH_TRY(read_name(d, field.bytes, &value->name));
		else if (field.tag == TAG(VALUE_FULL_NAME, WIRE_BYTES))
			WH_TRY(read_name(d, field.bytes, &value->full_name));
		else if (field.tag == TAG(VALUE_KEY, WIRE_BYTES))
			WH_TRY(read_name(d, field.bytes,
					 &value->checkpoint_key));
		else if (field.tag == TAG(VALUE_OPTIONAL, WIRE_VARINT))
			value->optional_restore = field.value != 0;
	}
	return WH_OK;
}

static enum wh_status read_slot(struct decoder *d, struct cursor message,
				struct wh_graph_slot *slot)
{
	uint64_t original = 0, node = 0;
	struct wire_field field;

	slot->name = "";
	while (cursor_left(&message)) {
		if (!cursor_field(&message, &field))
			return unreadable(d);
		if (field.tag == TAG(SLOT_ORIGINAL, WIRE_VARINT))
			original = field.value;
		else if (field.tag == TAG(SLOT_NAME, WIRE_BYTES))
			WH_TRY(read_name(d, field.bytes, &slot->name));
		else if (field.tag == TAG(SLOT_NODE, WIRE_VARINT))
			node = field.value;
	}
	WH_TRY(check_id(d, original, &slot->original));
	return check_id(d, node, &slot->slot);
}

/* Of a message that comes twice the later fields hold, as protobuf merges. */
static enum wh_status read_saver(struct decoder *d, struct cursor message,
				 struct wh_graph_node *node)
{
	struct wire_field field;

	if (!node->saver_name)
		node->saver_name = node->saver_object = "";
	while (cursor_left(&message)) {
		if (!cursor_field(&message, &field))
			return unreadable(d);
		if (field.tag == TAG(SAVER_NAME, WIRE_BYTES))
			WH_TRY(read_name(d, field.bytes, &node->saver_name));
		else if (field.tag == TAG(SAVER_OBJECT, WIRE_BYTES))
			WH_TRY(read_name(d, field.bytes, &node->saver_object));
	}
	return WH_OK;
}

static enum wh_status read_has_values(struct decoder *d, struct cursor message,
				      struct wh_graph_node *node)
{
	struct wire_field field;

	if (node->has_values == WH_HAS_VALUES_ABSENT)
		node->has_values = WH_HAS_VALUES_NO;
	while (cursor_left(&message)) {
		if (!cursor_field(&message, &field))
			return unreadable(d);
		if (field.tag == TAG(BOOL_VALUE, WIRE_VARINT))
			node->has_values = field.value ? WH_HAS_VALUES_YES
						       : WH_HAS_VALUES_NO;
	}
	return WH_OK;
}

static enum wh_status read_part(struct decoder *d,
				const struct wire_field *field,
				struct wh_graph_node *node)
{
	switch (field->tag) {
	case TAG(NODE_CHILDREN, WIRE_BYTES):
		return read_edge(d, field->bytes,
				 &node->edges[node->n_edges++]);
	case TAG(NODE_ATTRIBUTES, WIRE_BYTES):
		return read_value(d, field->bytes,
				  &node->attributes[node->n_attributes++]);
	case TAG(NODE_SLOTS, WIRE_BYTES):
		return read_slot(d, field->bytes,
				 &node->slots[node->n_slots++]);
	case TAG(NODE_SAVER, WIRE_BYTES):
		return read_saver(d, field->bytes, node);
	case TAG(NODE_HAS_VALUES, WIRE_BYTES):
		return read_has_values(d, field->bytes, node);
	default:
		return WH_OK;
	}
}

/* Rooms for a node's parts, as many as there are. */
static enum wh_status make_lists(struct decoder *d, struct cursor message,
				 struct wh_graph_node *node)
{
	uint32_t n_edges = 0, n_attributes = 0, n_slots = 0;
	struct wire_field field;

	while (cursor_left(&message)) {
		if (!cursor_field(&message, &field))
			return unreadable(d);
		n_edges += field.tag == TAG(NODE_CHILDREN, WIRE_BYTES);
		n_attributes += field.tag == TAG(NODE_ATTRIBUTES, WIRE_BYTES);
		n_slots += field.tag == TAG(NODE_SLOTS, WIRE_BYTES);
	}
	WH_TRY(make_list(d, n_edges, sizeof(*node->edges), &node->edges));
	WH_TRY(make_list(d, n_attributes, sizeof(*node->attributes),
			 &node->attributes));
	return make_list(d, n_slots, sizeof(*node->slots), &node->slots);
}

static enum wh_status read_node(struct decoder *d, struct cursor message,
				struct wh_graph_node *node)
{
	struct wire_field field;

	WH_TRY(make_lists(d, message, node));
	while (cursor_left(&message)) {
		if (!cursor_field(&message, &field))
			return unreadable(d);
		WH_TRY(read_part(d, &field, node));
	}
	return WH_OK;
}

static bool count_nodes(struct cursor message, uint32_t *n)
{
	struct wire_field field;

	while (cursor_left(&message)) {
		if (!cursor_field(&message, &field))
			return false;
		*n += field.tag == TAG(GRAPH_NODES, WIRE_BYTES);
	}
	return true;
}

enum wh_status graph_pb_read(const uint8_t *bytes, size_t len,
			     struct arena *arena, struct wh_graph **out,
			     struct wh_error *err)
{
	struct decoder d = {.arena = arena, .err = err, .left = MAX_UNPACKED};
	struct cursor message = {bytes, bytes + len};
	struct wh_graph *graph;
	struct wire_field field;
	uint32_t i = 0;

	if (len > UINT32_MAX || !count_nodes(message, &d.n_nodes))
		return unreadable(&d);
	if (d.n_nodes == 0)
		return wh_fail(err, WH_ECORRUPT,
			       "the object graph has no nodes");
	graph = arena_alloc(arena, 1, sizeof(*graph));
	if (!graph)
		return wh_fail_memory(err);
	graph->n_nodes = d.n_nodes;
	WH_TRY(make_list(&d, d.n_nodes, sizeof(*graph->nodes), &graph->nodes));
	while (cursor_field(&message, &field))
		if (field.tag == TAG(GRAPH_NODES, WIRE_BYTES))
			WH_TRY(read_node(&d, field.bytes, &graph->nodes[i++]));
	*out = graph;
	return WH_OK;
}

/* ---- Writing
 * -------------------------------------------------------------------- */

/* What can't be read back isn't written. */
static enum wh_status check_name(const char *text, struct wh_error *err)
{
	size_t len = text ? strlen(text) : 0;

	if (len <= WH_MAX_NAME)
		return WH_OK;
	return wh_fail(err, WH_EUNSUPPORTED,
		       "a name in the object graph, '%.60s...', would have %zu "
		       "bytes; at most %u are read",
		       text, len, WH_MAX_NAME);
}

static enum wh_status check_names(const struct wh_graph_node *node,
				  struct wh_error *err)
{
	uint32_t i;

	for (i = 0; i < node->n_edges; i++)
		WH_TRY(check_name(node->edges[i].name, err));
	for (i = 0; i < node->n_attributes; i++) {
		WH_TRY(check_name(node->attributes[i].name, err));
		WH_TRY(check_name(node->attributes[i].full_name, err));
		WH_TRY(check_name(node->attributes[i].checkpoint_key, err));
	}
	for (i = 0; i < node->n_slots; i++)
		WH_TRY(check_name(node->slots[i].name, err));
	WH_TRY(check_name(node->saver_name, err));
	return check_name(node->saver_object, err);
}

/* Sizes with tag and length; what proto3 leaves out has none. */

static size_t message_size(size_t len)
{
	return 1 + varint_size(len) + len;
}

static size_t text_size(const char *text)
{
	size_t len = text ? strlen(text) : 0;

	return len ? message_size(len) : 0;
}

static size_t number_size(uint32_t value)
{
	return value ? 1 + varint_size(value) : 0;
}

/* Without tag and length. */

static size_t edge_size(const struct wh_graph_edge *edge)
{
	return number_size(edge->node) + text_size(edge->name);
}

static size_t value_size(const struct wh_graph_attribute *value)
{
	return text_size(value->name) + text_size(value->full_name) +
	       text_size(value->checkpoint_key) +
	       number_size(value->optional_restore);
}

static size_t slot_size(const struct wh_graph_slot *slot)
{
	return number_size(slot->original) + text_size(slot->name) +
	       number_size(slot->slot);
}

static size_t saver_size(const struct wh_graph_node *node)
{
	return text_size(node->saver_name) + text_size(node->saver_object);
}

static size_t node_size(const struct wh_graph_node *node)
{
	size_t size = 0;
	uint32_t i;

	for (i = 0; i < node->n_edges; i++)
		size += message_size(edge_size(&node->edges[i]));
	for (i = 0; i < node->n_attributes; i++)
		size += message_size(value_size(&node->attributes[i]));
	for (i = 0; i < node->n_slots; i++)
		size += message_size(slot_size(&node->slots[i]));
	if (node->saver_name)
		size += message_size(saver_size(node));
	if (node->has_values != WH_HAS_VALUES_ABSENT)
		size += message_size(
			number_size(node->has_values == WH_HAS_VALUES_YES));
	return size;
}

/* Each writes to `at`, and says where it ends. */

static uint8_t *put_head(uint8_t *at, int field, size_t len)
{
	*at++ = (uint8_t)TAG(field, WIRE_BYTES);
	return at + varint_put(at, len);
}

static uint8_t *put_number(uint8_t *at, int field, uint32_t value)
{
	if (!value)
		return at;
	*at++ = (uint8_t)TAG(field, WIRE_VARINT);
	return at + varint_put(at, value);
}

static uint8_t *put_text(uint8_t *at, int field, const char *text)
{
	size_t len = text ? strlen(text) : 0;

	if (!len)
		return at;
	at = put_head(at, field, len);
	memcpy(at, text, len);
	return at + len;
}

static uint8_t *put_edge(uint8_t *at, const struct wh_graph_edge *edge)
{
	at = put_head(at, NODE_CHILDREN, edge_size(edge));
	at = put_number(at, EDGE_NODE, edge->node);
	return put_text(at, EDGE_NAME, edge->name);
}

static uint8_t *put_value(uint8_t *at, const struct wh_graph_attribute *value)
{
	at = put_head(at, NODE_ATTRIBUTES, value_size(value));
	at = put_text(at, VALUE_NAME, value->name);
	at = put_text(at, VALUE_FULL_NAME, value->full_name);
	at = put_text(at, VALUE_KEY, value->checkpoint_key);
	return put_number(at, VALUE_OPTIONAL, value->optional_restore);
}

static uint8_t *put_slot(uint8_t *at, const struct wh_graph_slot *slot)
{
	at = put_head(at, NODE_SLOTS, slot_size(slot));
	at = put_number(at, SLOT_ORIGINAL, slot->original);
	at = put_text(at, SLOT_NAME, slot->name);
	return put_number(at, SLOT_NODE, slot->slot);
}

static uint8_t *put_node(uint8_t *at, const struct wh_graph_node *node)
{
	bool yes = node->has_values == WH_HAS_VALUES_YES;
	uint32_t i;

	at = put_head(at, GRAPH_NODES, node_size(node));
	for (i = 0; i < node->n_edges; i++)
		at = put_edge(at, &node->edges[i]);
	for (i = 0; i < node->n_attributes; i++)
		at = put_value(at, &node->attributes[i]);
	for (i = 0; i < node->n_slots; i++)
		at = put_slot(at, &node->slots[i]);
	if (node->saver_name) {
		at = put_head(at, NODE_SAVER, saver_size(node));
		at = put_text(at, SAVER_NAME, node->saver_name);
		at = put_text(at, SAVER_OBJECT, node->saver_object);
	}
	if (node->has_values != WH_HAS_VALUES_ABSENT) {
		at = put_head(at, NODE_HAS_VALUES, number_size(yes));
		at = put_number(at, BOOL_VALUE, yes);
	}
	return at;
}

enum wh_status graph_pb_write(const struct wh_graph *graph, struct wh_buf *out,
			      struct wh_error *err)
{
	size_t size = 0;
	uint8_t *at;
	uint32_t i;

	for (i = 0; i < graph->n_nodes; i++) {
		WH_TRY(check_names(&graph->nodes[i], err));
		size += message_size(node_size(&graph->nodes[i]));
	}
	if (size > GRAPH_MAX)
		return wh_fail(err, WH_EUNSUPPORTED,
			       "the object graph would take %zu bytes; at most "
			       "%llu are read",
			       size, (unsigned long long)GRAPH_MAX);
	WH_TRY(wh_buf_reserve(out, size + 1, err));
	at = out->data + out->size;
	for (i = 0; i < graph->n_nodes; i++)
		at = put_node(at, &graph->nodes[i]);
	out->size += size;
	return WH_OK;
}
