#include "mapping/draft.h"

#include <stdlib.h>
#include <string.h>

#include "base/array.h"
#include "base/auto.h"
#include "mapping/paths.h"

#define VALUE_KEY "/.ATTRIBUTES/VARIABLE_VALUE"

void draft_free(struct draft *draft)
{
	free(draft->nodes);
	free(draft->links);
	name_map_free(&draft->paths);
}

enum wh_status draft_node(struct draft *draft, uint32_t *node,
			  struct wh_error *err)
{
	WH_TRY(array_grow(&draft->nodes, draft->n_nodes, &draft->nodes_capacity,
			  sizeof(*draft->nodes), err));
	draft->nodes[draft->n_nodes] =
		(struct draft_node){.tensor = UINT32_MAX};
	*node = draft->n_nodes++;
	return WH_OK;
}

enum wh_status draft_link(struct draft *draft, uint32_t parent,
			  const char *name, uint32_t child,
			  struct wh_error *err)
{
	WH_TRY(array_grow(&draft->links, draft->n_links, &draft->links_capacity,
			  sizeof(*draft->links), err));
	draft->links[draft->n_links++] =
		(struct draft_link){parent, child, name};
	return WH_OK;
}

/* The child of `parent` over the last component of `path`, which starts at
 * `name`; made if it is missing, as `*node` or, if that is no node, anew. */
static enum wh_status find_or_link(struct draft *draft, uint32_t base,
				   uint32_t parent, const char *path,
				   size_t len, size_t name, uint32_t *node,
				   struct wh_error *err)
{
	char *key = arena_printf(draft->arena, "%u:%.*s", base, (int)len, path);
	const char *copy;
	uint32_t found;
	bool added;

	if (!key)
		return wh_fail_memory(err);
	found = name_map_find(&draft->paths, key);
	if (found != UINT32_MAX) {
		*node = found;
		return WH_OK;
	}
	copy = arena_bytes(draft->arena, path + name, len - name);
	if (!copy)
		return wh_fail_memory(err);
	if (*node == UINT32_MAX)
		WH_TRY(draft_node(draft, node, err));
	WH_TRY(draft_link(draft, parent, copy, *node, err));
	return name_map_add(&draft->paths, key, *node, &added, err);
}

/* Walks `path`; its last edge leads to `*node` if that is one. */
static enum wh_status walk(struct draft *draft, uint32_t base, const char *path,
			   uint32_t *node, struct wh_error *err)
{
	uint32_t at = base, depth = 0;
	size_t name = 0, len;

	do {
		uint32_t next = UINT32_MAX;

		len = strcspn(path + name, "/");
		if (len == 0 || ++depth > PATHS_MAX_DEPTH)
			return wh_fail(err, WH_EUNSUPPORTED,
				       "'%s' is no object path", path);
		if (!path[name + len])
			next = *node;
		WH_TRY(find_or_link(draft, base, at, path, name + len, name,
				    &next, err));
		at = next;
		name += len + 1;
	} while (path[name - 1]);
	*node = at;
	return WH_OK;
}

enum wh_status draft_path(struct draft *draft, uint32_t base, const char *path,
			  uint32_t *node, struct wh_error *err)
{
	uint32_t found = UINT32_MAX;

	WH_TRY(walk(draft, base, path, &found, err));
	*node = found;
	return WH_OK;
}

enum wh_status draft_alias(struct draft *draft, uint32_t base, const char *path,
			   uint32_t same, struct wh_error *err)
{
	return walk(draft, base, path, &same, err);
}

static size_t escaped_len(const char *name)
{
	size_t n = 0;

	for (; *name; name++)
		n += *name == '.' || *name == '/' ? 2 : 1;
	return n;
}

const char *path_append(struct arena *arena, const char *path, const char *name)
{
	size_t base = strlen(path);
	char *made = arena_alloc(arena, base + escaped_len(name) + 2, 1);
	char *at;

	if (!made)
		return NULL;
	memcpy(made, path, base);
	at = made + base;
	if (base)
		*at++ = '/';
	for (; *name; name++) {
		if (*name == '.' || *name == '/')
			*at++ = '.';
		*at++ = *name == '/' ? 'S' : *name;
	}
	return made;
}

/* The draft's edges, sorted by parent into `graph`, still under the draft's
 * own numbers. */
static enum wh_status spread_links(const struct draft *draft,
				   struct wh_graph *graph, struct wh_error *err)
{
	struct wh_graph_edge *edges =
		arena_alloc(draft->arena, draft->n_links, sizeof(*edges));
	uint32_t i, sum = 0;

	if (!edges)
		return wh_fail_memory(err);
	for (i = 0; i < draft->n_links; i++)
		graph->nodes[draft->links[i].parent].n_edges++;
	for (i = 0; i < draft->n_nodes; i++) {
		graph->nodes[i].edges = edges + sum;
		sum += graph->nodes[i].n_edges;
		graph->nodes[i].n_edges = 0;
	}
	for (i = 0; i < draft->n_links; i++) {
		const struct draft_link *link = &draft->links[i];
		struct wh_graph_node *parent = &graph->nodes[link->parent];

		parent->edges[parent->n_edges++] =
			(struct wh_graph_edge){link->child, link->name};
	}
	return WH_OK;
}

static enum wh_status give_value(const struct draft *draft, uint32_t from,
				 const char *path, struct wh_graph_node *node,
				 const char **key_of, struct wh_error *err)
{
	const struct draft_node *made = &draft->nodes[from];
	struct wh_graph_attribute *value;

	if (made->tensor == UINT32_MAX)
		return WH_OK;
	value = arena_alloc(draft->arena, 1, sizeof(*value));
	if (!value)
		return wh_fail_memory(err);
	value->name = "VARIABLE_VALUE";
	value->full_name = made->full_name;
	value->checkpoint_key =
		arena_printf(draft->arena, "%s" VALUE_KEY, path);
	if (!value->checkpoint_key)
		return wh_fail_memory(err);
	node->attributes = value;
	node->n_attributes = 1;
	key_of[made->tensor] = value->checkpoint_key;
	return WH_OK;
}

/* Breadth first from node 0: `order` lists the draft's nodes, `number` says
 * where each stands in it, `path` how it was first reached. */
struct numbering {
	uint32_t *order, *number;
	const char **path;
	uint32_t n;
};

static void free_numbering(struct numbering *numbering)
{
	free(numbering->order);
	free(numbering->number);
	free(numbering->path);
}

static enum wh_status visit(const struct draft *draft,
			    const struct wh_graph *drafted,
			    struct numbering *numbering, struct wh_error *err)
{
	uint32_t at, i;

	numbering->order[numbering->n++] = 0;
	numbering->number[0] = 0;
	numbering->path[0] = "";
	for (at = 0; at < numbering->n; at++) {
		uint32_t from = numbering->order[at];

		for (i = 0; i < drafted->nodes[from].n_edges; i++) {
			const struct wh_graph_edge *edge =
				&drafted->nodes[from].edges[i];

			if (numbering->number[edge->node] != UINT32_MAX)
				continue;
			numbering->path[edge->node] =
				path_append(draft->arena, numbering->path[from],
					    edge->name);
			if (!numbering->path[edge->node])
				return wh_fail_memory(err);
			numbering->number[edge->node] = numbering->n;
			numbering->order[numbering->n++] = edge->node;
		}
	}
	return WH_OK;
}

static enum wh_status number_nodes(const struct draft *draft,
				   const struct wh_graph *drafted,
				   struct numbering *numbering,
				   struct wh_error *err)
{
	size_t n = draft->n_nodes;

	numbering->order = calloc(n, sizeof(*numbering->order));
	numbering->number = malloc(n * sizeof(*numbering->number));
	numbering->path = calloc(n, sizeof(*numbering->path));
	if (!numbering->order || !numbering->number || !numbering->path)
		return wh_fail_memory(err);
	memset(numbering->number, 0xff, n * sizeof(*numbering->number));
	return visit(draft, drafted, numbering, err);
}

enum wh_status draft_finish(const struct draft *draft, struct wh_graph *graph,
			    const char **key_of, struct wh_error *err)
{
	__attribute__((cleanup(free_numbering))) struct numbering numbering = {
		0};
	struct wh_graph drafted = {.n_nodes = draft->n_nodes}, made = {0};
	uint32_t i, j;

	drafted.nodes = arena_alloc(draft->arena, draft->n_nodes,
				    sizeof(*drafted.nodes));
	made.nodes =
		arena_alloc(draft->arena, draft->n_nodes, sizeof(*made.nodes));
	if (!drafted.nodes || !made.nodes)
		return wh_fail_memory(err);
	WH_TRY(spread_links(draft, &drafted, err));
	WH_TRY(number_nodes(draft, &drafted, &numbering, err));
	made.n_nodes = numbering.n;
	for (i = 0; i < made.n_nodes; i++) {
		uint32_t from = numbering.order[i];
		struct wh_graph_node *node = &made.nodes[i];

		*node = drafted.nodes[from];
		for (j = 0; j < node->n_edges; j++)
			node->edges[j].node =
				numbering.number[node->edges[j].node];
		WH_TRY(give_value(draft, from, numbering.path[from], node,
				  key_of, err));
	}
	WH_TRY(graph_mark_values(&made, err));
	*graph = made;
	return WH_OK;
}
