/* TensorFlow's matching: python/checkpoint/restore.py and checkpoint.py, 2.21.
 *
 * Breadth first from the two roots: a child of the checkpoint's node goes to
 * the model's child of the very same name. A node is bound once, by the first
 * edge that finds something; values are restored once. No backtracking, and
 * shapes are looked at only when a value is assigned. */
#include <stdlib.h>
#include <string.h>

#include "base/auto.h"
#include "base/buf.h"
#include "core/name_map.h"
#include "loading/pairing.h"
#include "mapping/draft.h"

#define NOWHERE	   UINT32_MAX
#define MOST_SHOWN 10u /* unmatched objects in a message, as TensorFlow */

/* One of the two graphs, and which tensor each key is. */
struct side {
	const struct wh_graph *graph;
	const struct wh_manifest *manifest;
	struct name_map tensors; /* by checkpoint key */
	const char **names;	 /* of nodes, for messages; or NULL */
};

struct matching {
	struct pairing *pairing;
	struct side from, to;
	uint32_t *bound;   /* of each of the checkpoint's nodes */
	uint32_t *queue;   /* the checkpoint's nodes, in order of binding */
	uint8_t *is_bound; /* of each of the model's nodes */
	uint8_t *is_slot;  /* of each of the checkpoint's nodes */
	uint32_t n_bound;
	const char *unused; /* an attribute that the model lacks */
	uint32_t unused_node;
};

static void matching_free(struct matching *matching)
{
	name_map_free(&matching->from.tensors);
	name_map_free(&matching->to.tensors);
	free(matching->bound);
	free(matching->queue);
	free(matching->is_bound);
	free(matching->is_slot);
}

static enum wh_status map_keys(struct side *side, const char *const *key_of,
			       struct wh_error *err)
{
	uint32_t i;
	bool added;

	for (i = 0; i < side->manifest->n_tensors; i++)
		if (key_of[i])
			WH_TRY(name_map_add(&side->tensors, key_of[i], i,
					    &added, err));
	return WH_OK;
}

/* ---- Names for messages
 * --------------------------------------------------- */

/* "(root).layer_with_weights-0.kernel": by the first path that leads there. */
static enum wh_status name_nodes(struct side *side, struct arena *arena,
				 struct wh_error *err)
{
	const struct wh_graph *graph = side->graph;
	uint32_t *queue wh_free_auto = calloc(graph->n_nodes, sizeof(*queue));
	uint32_t head, tail = 1, i;

	if (side->names)
		return WH_OK;
	side->names = arena_alloc(arena, graph->n_nodes, sizeof(char *));
	if (!side->names || !queue)
		return wh_fail_memory(err);
	side->names[0] = "(root)";
	for (head = 0; head < tail; head++) {
		const struct wh_graph_node *node = &graph->nodes[queue[head]];

		for (i = 0; i < node->n_edges; i++) {
			const struct wh_graph_edge *edge = &node->edges[i];

			if (side->names[edge->node])
				continue;
			side->names[edge->node] = arena_printf(
				arena, "%s.%s", side->names[queue[head]],
				edge->name);
			if (!side->names[edge->node])
				return wh_fail_memory(err);
			queue[tail++] = edge->node;
		}
	}
	return WH_OK;
}

static const char *node_name(const struct side *side, uint32_t node)
{
	const struct wh_graph_node *at = &side->graph->nodes[node];

	if (side->names[node])
		return side->names[node];
	return at->n_attributes ? at->attributes[0].checkpoint_key
				: "(an object without a name)";
}

/* ---- Values
 * ----------------------------------------------------------------- */

/* RestoreV2's words for dtypes. */
static const char *tf_name(enum wh_dtype dtype)
{
	if (dtype == WH_FLOAT32)
		return "float";
	if (dtype == WH_FLOAT64)
		return "double";
	return dtype == WH_FLOAT16 ? "half" : wh_dtype_name(dtype);
}

static enum wh_status check_value(const struct pairing *pairing, uint32_t to,
				  uint32_t from, const char *key,
				  const char *full_name, struct wh_error *err)
{
	const struct wh_tensor *expected = &pairing->to->tensors[to];
	const struct wh_tensor *received = &pairing->from->tensors[from];

	if (expected->dtype != received->dtype && !pairing->options->cast)
		return wh_fail(err, WH_EMISMATCH,
			       "tensor_name = %s; expected dtype %s does not "
			       "equal original dtype %s",
			       key, tf_name(expected->dtype),
			       tf_name(received->dtype));
	if (shapes_equal(expected, received))
		return WH_OK;
	return wh_fail(err, WH_EMISMATCH,
		       "Received incompatible tensor with shape %s when "
		       "attempting to restore variable with shape %s and name "
		       "%s:0.",
		       python_shape(pairing->arena, received),
		       python_shape(pairing->arena, expected), full_name);
}

/* Keys that an attribute's key stands for: a hash table has two. */
static const char *const key_forms[] = {"", "-keys", "-values", "_STATE"};

static enum wh_status restore_value(struct matching *matching,
				    const struct wh_graph_attribute *from,
				    const struct wh_graph_attribute *to,
				    struct wh_error *err)
{
	struct pairing *pairing = matching->pairing;
	const char *full_name = to->full_name && *to->full_name
					? to->full_name
					: to->checkpoint_key;
	bool found = false;
	size_t i;

	for (i = 0; i < sizeof(key_forms) / sizeof(key_forms[0]); i++) {
		const char *source =
			arena_printf(pairing->arena, "%s%s",
				     from->checkpoint_key, key_forms[i]);
		const char *target =
			arena_printf(pairing->arena, "%s%s", to->checkpoint_key,
				     key_forms[i]);
		uint32_t a, b;

		if (!source || !target)
			return wh_fail_memory(err);
		a = name_map_find(&matching->from.tensors, source);
		b = name_map_find(&matching->to.tensors, target);
		if (a == NO_TENSOR || b == NO_TENSOR)
			continue;
		found = true;
		WH_TRY(check_value(pairing, b, a, source, full_name, err));
		pair_tensors(pairing, b, a);
	}
	if (found || pairing->options->skip_mismatch)
		return WH_OK;
	return wh_fail(err, WH_EMISMATCH, "Key %s not found in checkpoint",
		       from->checkpoint_key);
}

static const struct wh_graph_attribute *
find_attribute(const struct wh_graph_node *node, const char *name)
{
	uint32_t i;

	for (i = 0; i < node->n_attributes; i++)
		if (strcmp(node->attributes[i].name, name) == 0)
			return &node->attributes[i];
	return NULL;
}

static enum wh_status restore_values(struct matching *matching, uint32_t node,
				     struct wh_error *err)
{
	const struct wh_graph_node *from = &matching->from.graph->nodes[node];
	const struct wh_graph_node *to =
		&matching->to.graph->nodes[matching->bound[node]];
	uint32_t i;

	for (i = 0; i < from->n_attributes; i++) {
		const struct wh_graph_attribute *at = &from->attributes[i];
		const struct wh_graph_attribute *live =
			find_attribute(to, at->name);

		if (live) {
			WH_TRY(restore_value(matching, at, live, err));
		} else if (!matching->unused) {
			matching->unused = at->name;
			matching->unused_node = node;
		}
	}
	return WH_OK;
}

/* ---- Binding
 * ---------------------------------------------------------------- */

static void bind(struct matching *matching, uint32_t node, uint32_t live)
{
	if (matching->bound[node] != NOWHERE || live == NOWHERE)
		return;
	matching->bound[node] = live;
	matching->is_bound[live] = 1;
	matching->queue[matching->n_bound++] = node;
}

static void bind_children(struct matching *matching, uint32_t node)
{
	const struct wh_graph_node *from = &matching->from.graph->nodes[node];
	const struct wh_graph_node *to =
		&matching->to.graph->nodes[matching->bound[node]];
	uint32_t i;

	for (i = 0; i < from->n_edges; i++)
		bind(matching, from->edges[i].node,
		     graph_child(to, from->edges[i].name));
}

/* The model's slot of the same name for the same variable. */
static uint32_t find_slot(const struct matching *matching, uint32_t optimizer,
			  const struct wh_graph_slot *wanted)
{
	const struct wh_graph_node *live =
		&matching->to.graph->nodes[matching->bound[optimizer]];
	uint32_t variable = matching->bound[wanted->original], i;

	for (i = 0; i < live->n_slots && variable != NOWHERE; i++)
		if (live->slots[i].original == variable &&
		    strcmp(live->slots[i].name, wanted->name) == 0)
			return live->slots[i].slot;
	return NOWHERE;
}

static bool skips_slots(const struct matching *matching)
{
	const struct wh_checkpoint_options *options =
		matching->pairing->options->options;

	return options && options->experimental_skip_slot_variables;
}

static void bind_slots(struct matching *matching)
{
	const struct wh_graph *graph = matching->from.graph;
	uint32_t node, i;

	for (node = 0; node < graph->n_nodes; node++)
		for (i = 0; i < graph->nodes[node].n_slots; i++) {
			const struct wh_graph_slot *slot =
				&graph->nodes[node].slots[i];

			matching->is_slot[slot->slot] = 1;
			if (matching->bound[node] != NOWHERE &&
			    !skips_slots(matching))
				bind(matching, slot->slot,
				     find_slot(matching, node, slot));
		}
}

static enum wh_status bind_all(struct matching *matching, struct wh_error *err)
{
	uint32_t head, restored = 0;

	bind(matching, 0, 0);
	for (head = 0; head < matching->n_bound; head++)
		bind_children(matching, matching->queue[head]);
	bind_slots(matching);
	for (; restored < matching->n_bound; restored++)
		WH_TRY(restore_values(matching, matching->queue[restored],
				      err));
	return WH_OK;
}

/* ---- What the status object would assert
 * ---------------------------------- */

/* The model's slots don't count where slots are skipped. */
static bool is_live_slot(const struct matching *matching, uint32_t node)
{
	const struct wh_graph *graph = matching->to.graph;
	uint32_t i, k;

	for (i = 0; i < graph->n_nodes; i++)
		for (k = 0; k < graph->nodes[i].n_slots; k++)
			if (graph->nodes[i].slots[k].slot == node)
				return true;
	return false;
}

/* "[(root).a.kernel, (root).b.kernel]": the first of them, and how many. */
static enum wh_status list_unmatched(struct matching *matching, uint32_t most,
				     uint32_t *n, const char **list,
				     struct wh_error *err)
{
	const struct wh_graph *graph = matching->to.graph;
	struct wh_buf text = {0};
	enum wh_status status =
		name_nodes(&matching->to, matching->pairing->arena, err);
	uint32_t node;

	*n = 0;
	for (node = 0; node < graph->n_nodes && !status; node++) {
		if (!graph->nodes[node].n_attributes ||
		    matching->is_bound[node])
			continue;
		if (skips_slots(matching) && is_live_slot(matching, node))
			continue;
		if ((*n)++ < most)
			status = wh_buf_printf(&text, err, "%s%s",
					       *n > 1 ? ", " : "",
					       node_name(&matching->to, node));
	}
	*list = status ? NULL
		       : arena_bytes(matching->pairing->arena, text.data,
				     text.size);
	wh_buf_free(&text);
	if (status)
		return status;
	return *list ? WH_OK : wh_fail_memory(err);
}

static enum wh_status assert_nontrivial(struct matching *matching,
					struct wh_error *err)
{
	const char *list;
	uint32_t n;

	if (matching->n_bound > 1)
		return WH_OK;
	WH_TRY(list_unmatched(matching, MOST_SHOWN, &n, &list, err));
	if (n == 0)
		return wh_fail(err, WH_EMISMATCH,
			       "Nothing to load. No dependencies have been "
			       "added to the model yet.");
	return wh_fail(err, WH_EMISMATCH,
		       "Nothing except the root object matched a checkpointed "
		       "value. Typically this means that the checkpoint does "
		       "not match the Python program. The following objects "
		       "have no matching checkpointed value: [%s]",
		       list);
}

static enum wh_status assert_existing(struct matching *matching,
				      struct wh_error *err)
{
	const char *list;
	uint32_t n;

	WH_TRY(list_unmatched(matching, MOST_SHOWN, &n, &list, err));
	if (n == 0)
		return WH_OK;
	return wh_fail(err, WH_EMISMATCH,
		       "Found %u Python objects that were not bound to "
		       "checkpointed values, likely due to changes in the "
		       "Python program. Showing %u of %u unmatched objects: "
		       "[%s]",
		       n, n < MOST_SHOWN ? n : MOST_SHOWN, n, list);
}

/* The first of the checkpoint's objects with a value that went nowhere. */
static uint32_t find_unresolved(const struct matching *matching,
				uint32_t *count)
{
	const struct wh_graph *graph = matching->from.graph;
	uint32_t node, first = NOWHERE;

	*count = 0;
	for (node = 0; node < graph->n_nodes; node++) {
		if (!graph->nodes[node].n_attributes ||
		    matching->bound[node] != NOWHERE ||
		    (matching->is_slot[node] && skips_slots(matching)))
			continue;
		if (!(*count)++)
			first = node;
	}
	return first;
}

static enum wh_status assert_consumed(struct matching *matching,
				      struct wh_error *err)
{
	uint32_t n, node = find_unresolved(matching, &n);

	WH_TRY(name_nodes(&matching->from, matching->pairing->arena, err));
	if (node != NOWHERE && matching->is_slot[node])
		return wh_fail(err, WH_EMISMATCH,
			       "Unresolved slot restorations: %s",
			       node_name(&matching->from, node));
	if (node != NOWHERE)
		return wh_fail(err, WH_EMISMATCH,
			       "Unresolved object in checkpoint %s",
			       node_name(&matching->from, node));
	if (matching->unused)
		return wh_fail(
			err, WH_EMISMATCH,
			"Unused attributes in these objects (the "
			"attributes exist in the checkpoint but were "
			"not restored): %s: %s",
			node_name(&matching->from, matching->unused_node),
			matching->unused);
	return WH_OK;
}

/* What TensorFlow logs when a status goes without expect_partial. */
static enum wh_status tell_partial(struct matching *matching,
				   struct wh_error *err)
{
	uint32_t n_from, n_to, node = find_unresolved(matching, &n_from);
	const char *list;

	WH_TRY(list_unmatched(matching, 1, &n_to, &list, err));
	WH_TRY(name_nodes(&matching->from, matching->pairing->arena, err));
	if (n_from)
		pairing_warn(matching->pairing,
			     "Value in checkpoint could not be found in the "
			     "restored object: %s (%u in all)",
			     node_name(&matching->from, node), n_from);
	if (n_to)
		pairing_warn(matching->pairing,
			     "%s has no value in the checkpoint and keeps its "
			     "own (%u in all)",
			     list, n_to);
	return WH_OK;
}

static enum wh_status assert_all(struct matching *matching,
				 struct wh_error *err)
{
	enum wh_assertion assertion = matching->pairing->options->assertion;

	if (assertion == WH_ASSERT_CONSUMED ||
	    assertion == WH_ASSERT_EXISTING_OBJECTS_MATCHED)
		WH_TRY(assert_existing(matching, err));
	if (assertion == WH_ASSERT_CONSUMED)
		WH_TRY(assert_consumed(matching, err));
	WH_TRY(assert_nontrivial(matching, err));
	if (assertion == WH_EXPECT_PARTIAL)
		return WH_OK;
	return tell_partial(matching, err);
}

enum wh_status pair_objects(struct pairing *pairing,
			    const struct mapping_graph *from,
			    const struct mapping_graph *to,
			    struct wh_error *err)
{
	__attribute__((cleanup(matching_free))) struct matching matching = {
		.pairing = pairing,
		.from = {.graph = &from->graph, .manifest = pairing->from},
		.to = {.graph = &to->graph, .manifest = pairing->to}};
	uint32_t i, n = from->graph.n_nodes;

	WH_TRY(graph_check(&from->graph, err));
	WH_TRY(graph_check(&to->graph, err));
	matching.bound = malloc(n * sizeof(*matching.bound));
	matching.queue = malloc(n * sizeof(*matching.queue));
	matching.is_slot = calloc(n, 1);
	matching.is_bound = calloc(to->graph.n_nodes, 1);
	if (!matching.bound || !matching.queue || !matching.is_slot ||
	    !matching.is_bound)
		return wh_fail_memory(err);
	for (i = 0; i < n; i++)
		matching.bound[i] = NOWHERE;
	WH_TRY(map_keys(&matching.from, from->key_of, err));
	WH_TRY(map_keys(&matching.to, to->key_of, err));
	WH_TRY(bind_all(&matching, err));
	return assert_all(&matching, err);
}

/* ---- Without a graph
 * -------------------------------------------------------- */

/* The first variable without a value stands for all of them in the text. */
static enum wh_status check_names(struct pairing *pairing, uint32_t n_found,
				  const char *missing, uint32_t n_missing,
				  struct wh_error *err)
{
	enum wh_assertion assertion = pairing->options->assertion;

	if (n_missing == 0 || (n_found && assertion == WH_EXPECT_PARTIAL))
		return WH_OK;
	if (n_found && assertion == WH_ASSERT_NONTRIVIAL_MATCH) {
		pairing_warn(pairing,
			     "%s has no value in the checkpoint and keeps its "
			     "own (%u in all)",
			     missing, n_missing);
		return WH_OK;
	}
	return wh_fail(err, WH_EMISMATCH,
		       "Some objects had attributes which were not restored: "
		       "%s (%u in all)",
		       missing, n_missing);
}

enum wh_status pair_full_names(struct pairing *pairing,
			       const struct mapping_graph *to,
			       struct wh_error *err)
{
	__attribute__((cleanup(name_map_free))) struct name_map keys = {0},
								own = {0};
	const char *missing = NULL;
	uint32_t i, k, n_found = 0, n_missing = 0;
	bool added;

	for (i = 0; i < pairing->from->n_tensors; i++)
		WH_TRY(name_map_add(&keys, pairing->from->tensors[i].key, i,
				    &added, err));
	for (i = 0; i < pairing->to->n_tensors; i++)
		if (to->key_of[i])
			WH_TRY(name_map_add(&own, to->key_of[i], i, &added,
					    err));
	for (i = 0; i < to->graph.n_nodes; i++)
		for (k = 0; k < to->graph.nodes[i].n_attributes; k++) {
			const struct wh_graph_attribute *at =
				&to->graph.nodes[i].attributes[k];
			const char *name = at->full_name ? at->full_name : "";
			uint32_t a = name_map_find(&keys, name);
			uint32_t b = name_map_find(&own, at->checkpoint_key);

			if (a == NO_TENSOR || b == NO_TENSOR) {
				missing = missing ? missing : name;
				n_missing++;
				continue;
			}
			WH_TRY(check_value(pairing, b, a, name, name, err));
			pair_tensors(pairing, b, a);
			n_found++;
		}
	return check_names(pairing, n_found, missing, n_missing, err);
}
