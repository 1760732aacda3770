#include "tf/graph_pb.h"

#include <stdlib.h>
#include <string.h>

#include "base/text.h"
#include "trackable.pb-c.h"
#include <weighhouse/tensor.h>

/* ---- Reading
 * ------------------------------------------------------------------ */

struct decoder {
	struct arena *arena;
	struct wh_error *err;
	uint32_t n_nodes;
};

static enum wh_status copy_bytes(const struct decoder *d,
				 ProtobufCBinaryData bytes, const char **out)
{
	if (bytes.len > WH_MAX_NAME ||
	    !text_is_name((const char *)bytes.data, bytes.len))
		return wh_fail(d->err, WH_ECORRUPT,
			       "a name in the object graph is not valid UTF-8, "
			       "or too long");
	*out = arena_bytes(d->arena, bytes.data, bytes.len);
	return *out ? WH_OK : wh_fail_memory(d->err);
}

static enum wh_status check_id(const struct decoder *d, int32_t id,
			       uint32_t *out)
{
	if (id < 0 || (uint32_t)id >= d->n_nodes)
		return wh_fail(d->err, WH_ECORRUPT,
			       "the object graph names node %d of %u", id,
			       d->n_nodes);
	*out = (uint32_t)id;
	return WH_OK;
}

static enum wh_status read_edges(const struct decoder *d,
				 const Weighhouse__Node *from,
				 struct wh_graph_node *to)
{
	size_t i;

	to->edges = arena_alloc(d->arena, from->n_children, sizeof(*to->edges));
	if (!to->edges)
		return wh_fail_memory(d->err);
	to->n_edges = (uint32_t)from->n_children;
	for (i = 0; i < from->n_children; i++) {
		WH_TRY(check_id(d, from->children[i]->node_id,
				&to->edges[i].node));
		WH_TRY(copy_bytes(d, from->children[i]->local_name,
				  &to->edges[i].name));
	}
	return WH_OK;
}

static enum wh_status read_values(const struct decoder *d,
				  const Weighhouse__Node *from,
				  struct wh_graph_node *to)
{
	size_t i;

	to->attributes = arena_alloc(d->arena, from->n_attributes,
				     sizeof(*to->attributes));
	if (!to->attributes)
		return wh_fail_memory(d->err);
	to->n_attributes = (uint32_t)from->n_attributes;
	for (i = 0; i < from->n_attributes; i++) {
		const Weighhouse__Value *value = from->attributes[i];
		struct wh_graph_attribute *at = &to->attributes[i];

		WH_TRY(copy_bytes(d, value->name, &at->name));
		WH_TRY(copy_bytes(d, value->full_name, &at->full_name));
		WH_TRY(copy_bytes(d, value->checkpoint_key,
				  &at->checkpoint_key));
		at->optional_restore = value->optional_restore;
	}
	return WH_OK;
}

static enum wh_status read_slots(const struct decoder *d,
				 const Weighhouse__Node *from,
				 struct wh_graph_node *to)
{
	size_t i;

	to->slots = arena_alloc(d->arena, from->n_slot_variables,
				sizeof(*to->slots));
	if (!to->slots)
		return wh_fail_memory(d->err);
	to->n_slots = (uint32_t)from->n_slot_variables;
	for (i = 0; i < from->n_slot_variables; i++) {
		const Weighhouse__Slot *slot = from->slot_variables[i];

		WH_TRY(check_id(d, slot->original_variable_node_id,
				&to->slots[i].original));
		WH_TRY(check_id(d, slot->slot_variable_node_id,
				&to->slots[i].slot));
		WH_TRY(copy_bytes(d, slot->slot_name, &to->slots[i].name));
	}
	return WH_OK;
}

static enum wh_status read_node(const struct decoder *d,
				const Weighhouse__Node *from,
				struct wh_graph_node *to)
{
	WH_TRY(read_edges(d, from, to));
	WH_TRY(read_values(d, from, to));
	WH_TRY(read_slots(d, from, to));
	if (from->registered_saver) {
		WH_TRY(copy_bytes(d, from->registered_saver->name,
				  &to->saver_name));
		WH_TRY(copy_bytes(d, from->registered_saver->object_name,
				  &to->saver_object));
	}
	to->has_values = !from->has_checkpoint_values ? WH_HAS_VALUES_ABSENT
			 : from->has_checkpoint_values->value
				 ? WH_HAS_VALUES_YES
				 : WH_HAS_VALUES_NO;
	return WH_OK;
}

static enum wh_status convert(struct decoder *d, const Weighhouse__Graph *from,
			      struct wh_graph **out)
{
	struct wh_graph *graph = arena_alloc(d->arena, 1, sizeof(*graph));
	size_t i;

	if (!graph)
		return wh_fail_memory(d->err);
	if (from->n_nodes == 0)
		return wh_fail(d->err, WH_ECORRUPT,
			       "the object graph has no nodes");
	d->n_nodes = graph->n_nodes = (uint32_t)from->n_nodes;
	graph->nodes =
		arena_alloc(d->arena, from->n_nodes, sizeof(*graph->nodes));
	if (!graph->nodes)
		return wh_fail_memory(d->err);
	for (i = 0; i < from->n_nodes; i++)
		WH_TRY(read_node(d, from->nodes[i], &graph->nodes[i]));
	*out = graph;
	return WH_OK;
}

/* Of protobuf-c's memory: an empty node of 2 bytes takes some hundred. */
#define MAX_UNPACKED ((size_t)1 << 30)

struct budget {
	struct arena arena; /* all that protobuf-c has asked for */
	size_t left;
};

static void *budget_alloc(void *arg, size_t size)
{
	struct budget *budget = arg;

	if (size > budget->left)
		return NULL;
	budget->left -= size;
	return arena_alloc(&budget->arena, size, 1);
}

/* With the arena: thousands of nodes are three allocations each. */
static void budget_free(void *arg, void *memory)
{
	(void)arg, (void)memory;
}

enum wh_status graph_pb_read(const uint8_t *bytes, size_t len,
			     struct arena *arena, struct wh_graph **graph,
			     struct wh_error *err)
{
	struct decoder decoder = {.arena = arena, .err = err};
	struct budget budget = {.left = MAX_UNPACKED};
	ProtobufCAllocator allocator = {budget_alloc, budget_free, &budget};
	Weighhouse__Graph *message;
	enum wh_status status;

	message = weighhouse__graph__unpack(&allocator, len, bytes);
	status = message ? convert(&decoder, message, graph)
			 : wh_fail(err, WH_ECORRUPT,
				   "the object graph can't be read");
	arena_free(&budget.arena);
	return status;
}

/* ---- Writing
 * -------------------------------------------------------------------- */

static ProtobufCBinaryData bytes_of(const char *text)
{
	/* protobuf-c's data is not const, though packing only reads it. */
	return (ProtobufCBinaryData){
		.len = text ? strlen(text) : 0,
		.data = (uint8_t *)(uintptr_t)text,
	};
}

/* A message of each kind and the array of pointers that protobuf-c wants. */
#define MAKE_LIST(arena, n, type, list, init)                                  \
	do {                                                                   \
		type *made_ = arena_alloc(arena, n, sizeof(type));             \
		size_t k_;                                                     \
		(list) = arena_alloc(arena, n, sizeof(type *));                \
		if (!made_ || !(list))                                         \
			return NULL;                                           \
		for (k_ = 0; k_ < (n); k_++) {                                 \
			init(&made_[k_]);                                      \
			(list)[k_] = &made_[k_];                               \
		}                                                              \
	} while (0)

static Weighhouse__Node *fill_lists(struct arena *arena,
				    const struct wh_graph_node *from,
				    Weighhouse__Node *to)
{
	uint32_t i;

	to->n_children = from->n_edges;
	MAKE_LIST(arena, from->n_edges, Weighhouse__Edge, to->children,
		  weighhouse__edge__init);
	for (i = 0; i < from->n_edges; i++) {
		to->children[i]->node_id = (int32_t)from->edges[i].node;
		to->children[i]->local_name = bytes_of(from->edges[i].name);
	}
	to->n_attributes = from->n_attributes;
	MAKE_LIST(arena, from->n_attributes, Weighhouse__Value, to->attributes,
		  weighhouse__value__init);
	for (i = 0; i < from->n_attributes; i++) {
		const struct wh_graph_attribute *at = &from->attributes[i];
		Weighhouse__Value *value = to->attributes[i];

		value->name = bytes_of(at->name);
		value->full_name = bytes_of(at->full_name);
		value->checkpoint_key = bytes_of(at->checkpoint_key);
		value->optional_restore = at->optional_restore;
	}
	to->n_slot_variables = from->n_slots;
	MAKE_LIST(arena, from->n_slots, Weighhouse__Slot, to->slot_variables,
		  weighhouse__slot__init);
	for (i = 0; i < from->n_slots; i++) {
		Weighhouse__Slot *slot = to->slot_variables[i];

		slot->original_variable_node_id =
			(int32_t)from->slots[i].original;
		slot->slot_variable_node_id = (int32_t)from->slots[i].slot;
		slot->slot_name = bytes_of(from->slots[i].name);
	}
	return to;
}

static Weighhouse__Node *make_node(struct arena *arena,
				   const struct wh_graph_node *from)
{
	Weighhouse__Node *to = arena_alloc(arena, 1, sizeof(*to));
	Weighhouse__Bool *has = arena_alloc(arena, 1, sizeof(*has));
	Weighhouse__Saver *saver = arena_alloc(arena, 1, sizeof(*saver));

	if (!to || !has || !saver)
		return NULL;
	weighhouse__node__init(to);
	if (from->has_values != WH_HAS_VALUES_ABSENT) {
		weighhouse__bool__init(has);
		has->value = from->has_values == WH_HAS_VALUES_YES;
		to->has_checkpoint_values = has;
	}
	if (from->saver_name) {
		weighhouse__saver__init(saver);
		saver->name = bytes_of(from->saver_name);
		saver->object_name = bytes_of(from->saver_object);
		to->registered_saver = saver;
	}
	return fill_lists(arena, from, to);
}

static enum wh_status pack(const struct wh_graph *graph, struct arena *arena,
			   struct wh_buf *out, struct wh_error *err)
{
	Weighhouse__Graph message;
	size_t size;
	uint32_t i;

	weighhouse__graph__init(&message);
	message.n_nodes = graph->n_nodes;
	message.nodes =
		arena_alloc(arena, graph->n_nodes, sizeof(*message.nodes));
	if (!message.nodes)
		return wh_fail_memory(err);
	for (i = 0; i < graph->n_nodes; i++) {
		message.nodes[i] = make_node(arena, &graph->nodes[i]);
		if (!message.nodes[i])
			return wh_fail_memory(err);
	}
	size = weighhouse__graph__get_packed_size(&message);
	WH_TRY(wh_buf_reserve(out, size + 1, err));
	out->size += weighhouse__graph__pack(&message, out->data + out->size);
	return WH_OK;
}

enum wh_status graph_pb_write(const struct wh_graph *graph, struct wh_buf *out,
			      struct wh_error *err)
{
	struct arena arena = {0};
	enum wh_status status = pack(graph, &arena, out, err);

	arena_free(&arena);
	return status;
}
