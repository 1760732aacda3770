/* From a checkpoint of tf.train.Checkpoint to that of save_weights (FORMAT.md,
 * "Roots"): what the model leads to, numbered breadth first from it, each value
 * under its path from there. Slots follow, in the order that they had.
 */
#include <stdlib.h>
#include <string.h>

#include "core/name_map.h"
#include "mapping/draft.h"
#include "mapping/graph_layers.h"
#include "mapping/mapping.h"
#include "mapping/notes.h"

#define NOWHERE UINT32_MAX

/* Bytes of all paths, as of a checkpoint's keys: of a chain of nodes that
 * somebody made by hand they would take the square of its length. */
#define MAX_PATHS ((uint64_t)256 << 20)

static const char attributes[] = "/.ATTRIBUTES/";

struct lifting {
	const struct wh_graph *from;
	struct arena *arena;
	uint32_t *number;  /* of each old node; NOWHERE: left out */
	uint32_t *old;	   /* of each new node */
	const char **path; /* of each new node: its keys' beginning */
	uint64_t n_bytes;  /* of the paths */
	uint32_t n_nodes;
	struct name_map keys; /* the old beginning of a key -> new node */
};

static void free_lifting(struct lifting *lifting)
{
	name_map_free(&lifting->keys);
}

static bool is_new(const struct lifting *lifting, uint32_t node)
{
	return lifting->number[node] == NOWHERE;
}

static enum wh_status reach(struct lifting *lifting, uint32_t node,
			    const char *path, struct wh_error *err)
{
	size_t len;

	if (!path)
		return wh_fail_memory(err);
	len = strlen(path);
	lifting->n_bytes += len;
	if (len > WH_MAX_NAME || lifting->n_bytes > MAX_PATHS)
		return wh_fail(err, WH_ECORRUPT,
			       "the object graph's paths are too long");
	lifting->number[node] = lifting->n_nodes;
	lifting->old[lifting->n_nodes] = node;
	lifting->path[lifting->n_nodes++] = path;
	return WH_OK;
}

static enum wh_status reach_children(struct lifting *lifting, uint32_t at,
				     struct wh_error *err)
{
	const struct wh_graph_node *node =
		&lifting->from->nodes[lifting->old[at]];
	uint32_t i;

	for (i = 0; i < node->n_edges; i++)
		if (is_new(lifting, node->edges[i].node))
			WH_TRY(reach(lifting, node->edges[i].node,
				     path_append(lifting->arena,
						 lifting->path[at],
						 node->edges[i].name),
				     err));
	return WH_OK;
}

/* A slot of a variable that is left out goes, too. */
static enum wh_status reach_slots(struct lifting *lifting, uint32_t at,
				  struct wh_error *err)
{
	const struct wh_graph_node *node =
		&lifting->from->nodes[lifting->old[at]];
	uint32_t i;

	for (i = 0; i < node->n_slots; i++) {
		const struct wh_graph_slot *slot = &node->slots[i];
		uint32_t original = lifting->number[slot->original];
		const char *base;

		if (original == NOWHERE || !is_new(lifting, slot->slot))
			continue;
		base = arena_printf(lifting->arena, "%s/.OPTIMIZER_SLOT/%s",
				    lifting->path[original], lifting->path[at]);
		if (!base)
			return wh_fail_memory(err);
		WH_TRY(reach(lifting, slot->slot,
			     path_append(lifting->arena, base, slot->name),
			     err));
	}
	return WH_OK;
}

static enum wh_status reach_all(struct lifting *lifting, uint32_t model,
				struct wh_error *err)
{
	uint32_t i, n, n_old = lifting->from->n_nodes;

	lifting->number =
		arena_alloc(lifting->arena, n_old, sizeof(*lifting->number));
	lifting->old =
		arena_alloc(lifting->arena, n_old, sizeof(*lifting->old));
	lifting->path =
		arena_alloc(lifting->arena, n_old, sizeof(*lifting->path));
	if (!lifting->number || !lifting->old || !lifting->path)
		return wh_fail_memory(err);
	for (i = 0; i < n_old; i++)
		lifting->number[i] = NOWHERE;
	WH_TRY(reach(lifting, model, "", err));
	for (i = 0; i < lifting->n_nodes; i++)
		WH_TRY(reach_children(lifting, i, err));
	for (i = 0, n = lifting->n_nodes; i < n; i++)
		WH_TRY(reach_slots(lifting, i, err));
	return WH_OK;
}

/* ---- The nodes at their new places
 * ---------------------------------------------------------------- */

static enum wh_status lift_edges(const struct lifting *lifting, uint32_t at,
				 struct wh_graph_node *node,
				 struct wh_error *err)
{
	struct wh_graph_edge *edges =
		arena_alloc(lifting->arena, node->n_edges + 1, sizeof(*edges));
	uint32_t i, n = 0;

	if (!edges)
		return wh_fail_memory(err);
	/* Below a slot nothing was reached. */
	for (i = 0; i < node->n_edges; i++)
		if (!is_new(lifting, node->edges[i].node))
			edges[n++] = (struct wh_graph_edge){
				lifting->number[node->edges[i].node],
				node->edges[i].name};
	/* save_weights attaches the model to itself. */
	if (at == 0)
		edges[n++] = (struct wh_graph_edge){0, "root"};
	node->edges = edges;
	node->n_edges = n;
	return WH_OK;
}

static enum wh_status lift_slots(const struct lifting *lifting,
				 struct wh_graph_node *node,
				 struct wh_error *err)
{
	struct wh_graph_slot *slots =
		arena_alloc(lifting->arena, node->n_slots, sizeof(*slots));
	uint32_t i, n = 0;

	if (!slots)
		return wh_fail_memory(err);
	for (i = 0; i < node->n_slots; i++) {
		const struct wh_graph_slot *slot = &node->slots[i];

		if (is_new(lifting, slot->original) ||
		    is_new(lifting, slot->slot))
			continue;
		slots[n++] = (struct wh_graph_slot){
			lifting->number[slot->original],
			lifting->number[slot->slot], slot->name};
	}
	node->slots = slots;
	node->n_slots = n;
	return WH_OK;
}

/* What stands in front of a key's "/.ATTRIBUTES/", and from there on the rest,
 * which is NULL where a saver of its own has made the key. */
static const char *key_base(const struct lifting *lifting, const char *key,
			    const char **rest)
{
	const char *at, *cut = NULL;

	for (at = strstr(key, attributes); at; at = strstr(at + 1, attributes))
		cut = at;
	*rest = cut;
	return arena_bytes(lifting->arena, key, cut ? (size_t)(cut - key) : 0);
}

static enum wh_status lift_key(const struct lifting *lifting, const char *key,
			       const char **out, struct wh_error *err)
{
	const char *rest, *base = key_base(lifting, key, &rest);
	uint32_t node;

	*out = NULL;
	if (!base)
		return wh_fail_memory(err);
	node = rest ? name_map_find(&lifting->keys, base) : NOWHERE;
	if (node == NOWHERE)
		return WH_OK;
	*out = arena_printf(lifting->arena, "%s%s", lifting->path[node],
			    node ? rest : rest + 1);
	return *out ? WH_OK : wh_fail_memory(err);
}

static enum wh_status lift_values(struct lifting *lifting, uint32_t at,
				  struct wh_graph_node *node,
				  struct wh_error *err)
{
	struct wh_graph_attribute *values = arena_alloc(
		lifting->arena, node->n_attributes, sizeof(*values));
	const char *rest, *base;
	uint32_t i;
	bool added;

	if (!values)
		return wh_fail_memory(err);
	for (i = 0; i < node->n_attributes; i++) {
		values[i] = node->attributes[i];
		base = key_base(lifting, values[i].checkpoint_key, &rest);
		if (!base)
			return wh_fail_memory(err);
		if (!rest)
			return wh_fail(err, WH_EUNSUPPORTED,
				       "the key '%s' is none that TensorFlow "
				       "gives, so it stays where it is: "
				       "without --root model",
				       values[i].checkpoint_key);
		WH_TRY(name_map_add(&lifting->keys, base, at, &added, err));
		WH_TRY(lift_key(lifting, values[i].checkpoint_key,
				&values[i].checkpoint_key, err));
	}
	node->attributes = values;
	return WH_OK;
}

static enum wh_status lift_tensors(const struct lifting *lifting,
				   const struct wh_manifest *manifest,
				   struct mapping_graph *mapped,
				   struct wh_error *err)
{
	__attribute__((cleanup(notes_free))) struct notes notes = {
		.arena = lifting->arena};
	const char **key_of = arena_alloc(lifting->arena, manifest->n_tensors,
					  sizeof(*key_of));
	uint32_t i;

	if (!key_of)
		return wh_fail_memory(err);
	for (i = 0; i < manifest->n_tensors; i++)
		if (mapped->key_of[i])
			WH_TRY(lift_key(lifting, mapped->key_of[i], &key_of[i],
					err));
	mapped->key_of = key_of;
	WH_TRY(notes_left_out(&notes, manifest, key_of, err));
	return notes_settle(&notes, &mapped->notes, &mapped->n_notes, err);
}

static uint32_t child_of(const struct wh_graph_node *node, const char *name,
			 size_t len)
{
	uint32_t i;

	for (i = 0; i < node->n_edges; i++)
		if (strlen(node->edges[i].name) == len &&
		    memcmp(node->edges[i].name, name, len) == 0)
			return node->edges[i].node;
	return NOWHERE;
}

/* What there is to choose from: objects, not values. */
static const char *list_objects(const struct wh_graph_node *nodes,
				uint32_t node, struct arena *arena)
{
	const char *list = "";
	uint32_t i;

	for (i = 0; list && i < nodes[node].n_edges; i++) {
		const struct wh_graph_edge *edge = &nodes[node].edges[i];

		if (nodes[edge->node].n_edges)
			list = arena_printf(arena, "%s%s%s", list,
					    *list ? ", " : "", edge->name);
	}
	return list;
}

static enum wh_status find_object(const struct wh_graph *graph,
				  const char *object, struct arena *arena,
				  uint32_t *model, struct wh_error *err)
{
	const char *at = object, *list;
	uint32_t node = 0, next;

	for (;;) {
		size_t len = strcspn(at, "/");

		next = child_of(&graph->nodes[node], at, len);
		if (next == NOWHERE)
			break;
		node = next;
		if (!at[len]) {
			*model = node;
			return WH_OK;
		}
		at += len + 1;
	}
	list = list_objects(graph->nodes, node, arena);
	if (!list)
		return wh_fail_memory(err);
	return wh_fail(err, WH_EINVAL,
		       "the checkpoint has no object '%s'; where that ends "
		       "there are: %s",
		       object, *list ? list : "none");
}

/* Whether the root has none of a model's marks, but those of a
 * tf.train.Checkpoint or several models. */
static bool holds_objects(const struct wh_graph *graph)
{
	const struct wh_graph_node *root = &graph->nodes[0];
	uint32_t i, n = 0;

	if (graph_child(root, "root") != NOWHERE || graph_is_model(graph, 0))
		return false;
	for (i = 0; i < root->n_edges; i++)
		n += graph_is_model(graph, root->edges[i].node);
	return n > 1 || graph_child(root, "save_counter") != NOWHERE;
}

static enum wh_status find_model(const struct wh_graph *graph,
				 struct arena *arena, uint32_t *model,
				 struct wh_error *err)
{
	__attribute__((
		cleanup(graph_layers_free))) struct graph_layers found = {0};
	const char *list;

	WH_TRY(graph_layers_find(graph, arena, &found, err));
	*model = found.model;
	if (found.model != 0 || !holds_objects(graph))
		return WH_OK;
	list = list_objects(graph->nodes, 0, arena);
	if (!list)
		return wh_fail_memory(err);
	return wh_fail(err, WH_EUNSUPPORTED,
		       "which object is the model is not known, --object says "
		       "it, of: %s",
		       list);
}

enum wh_status mapping_root_model(const struct wh_manifest *manifest,
				  const char *object, struct arena *arena,
				  struct mapping_graph *mapped,
				  struct wh_error *err)
{
	__attribute__((cleanup(free_lifting))) struct lifting lifting = {
		.from = &mapped->graph, .arena = arena};
	struct wh_graph made = {0};
	uint32_t i, model = 0;

	WH_TRY(graph_check(&mapped->graph, err));
	if (object)
		WH_TRY(find_object(&mapped->graph, object, arena, &model, err));
	else
		WH_TRY(find_model(&mapped->graph, arena, &model, err));
	if (model == 0)
		return WH_OK;
	WH_TRY(reach_all(&lifting, model, err));
	made.n_nodes = lifting.n_nodes;
	made.nodes = arena_alloc(arena, made.n_nodes, sizeof(*made.nodes));
	if (!made.nodes)
		return wh_fail_memory(err);
	for (i = 0; i < made.n_nodes; i++) {
		made.nodes[i] = mapped->graph.nodes[lifting.old[i]];
		WH_TRY(lift_edges(&lifting, i, &made.nodes[i], err));
		WH_TRY(lift_slots(&lifting, &made.nodes[i], err));
		WH_TRY(lift_values(&lifting, i, &made.nodes[i], err));
	}
	WH_TRY(graph_mark_values(&made, err));
	WH_TRY(lift_tensors(&lifting, manifest, mapped, err));
	mapped->graph = made;
	return WH_OK;
}
