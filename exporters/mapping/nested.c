/* A nested model's group is flat: the names of its inner layers' weights, all
 * trained ones first. The configuration says which layers there are and how
 * they nest, so each weight finds its layer by the longest name that its own
 * starts with. Layer names are unique wherever Keras can write such a file:
 * two equal ones would be two datasets of one name.
 */
#include "mapping/nested.h"

#include <string.h>

#include "base/auto.h"
#include "base/text.h"
#include "core/name_map.h"
#include "mapping/order.h"
#include "mapping/scope.h"

#define NOWHERE UINT32_MAX

/* One layer of the configuration's tree; parents stand before children. */
struct object {
	const struct config_layer *config;
	uint32_t parent;
	uint32_t first, n; /* its weights in `by_leaf` */
	const char *path;  /* of its node; "" for the outermost */
	bool is_leaf, is_weighted, is_twice;
};

struct tree {
	struct object *objects;
	uint32_t n, capacity;
	struct name_map leaves; /* name -> object */
	uint32_t *owner;	/* of each variable */
	struct scoped *weights;
	struct arena *arena;
};

static void free_tree(struct tree *tree)
{
	name_map_free(&tree->leaves);
	free(tree->objects);
}
#define tree_auto_t __attribute__((cleanup(free_tree))) struct tree

static bool holds_model(const struct config_layer *config)
{
	while (config->kind == CONFIG_WRAPPER && config->n_children == 1)
		config = &config->children[0];
	return config->kind == CONFIG_MODEL;
}

static enum wh_status add_object(struct tree *tree,
				 const struct config_layer *config,
				 uint32_t parent, struct wh_error *err)
{
	struct object *moved;
	uint32_t wanted;

	if (tree->n == tree->capacity) {
		wanted = tree->capacity ? tree->capacity * 2 : 32;
		moved = realloc(tree->objects, wanted * sizeof(*moved));
		if (!moved)
			return wh_fail_memory(err);
		tree->objects = moved;
		tree->capacity = wanted;
	}
	tree->objects[tree->n++] = (struct object){
		.config = config,
		.parent = parent,
		.is_leaf = !holds_model(config),
	};
	return WH_OK;
}

/* Breadth first, so that the children of one object stand together. */
static enum wh_status expand(struct tree *tree,
			     const struct config_layer *config,
			     struct wh_error *err)
{
	uint32_t at, i;
	bool added;

	WH_TRY(add_object(tree, config, NOWHERE, err));
	for (at = 0; at < tree->n; at++) {
		const struct config_layer *here = tree->objects[at].config;

		if (!tree->objects[at].is_leaf) {
			for (i = 0; i < here->n_children; i++)
				WH_TRY(add_object(tree, &here->children[i], at,
						  err));
			continue;
		}
		WH_TRY(name_map_add(&tree->leaves, here->name, at, &added,
				    err));
		if (!added)
			tree->objects[name_map_find(&tree->leaves, here->name)]
				.is_twice = true;
	}
	return WH_OK;
}

/* The leaf whose name is the longest scope of `name`, and what follows it. */
static uint32_t find_leaf(const struct tree *tree, const char *name,
			  const char **rest)
{
	char *scope = arena_strdup(tree->arena, name);
	uint32_t found;
	char *slash;

	if (!scope)
		return NOWHERE;
	while ((slash = strrchr(scope, '/'))) {
		*slash = '\0';
		found = name_map_find(&tree->leaves, scope);
		if (found != UINT32_MAX && name[slash - scope + 1]) {
			*rest = name + (slash - scope) + 1;
			return found;
		}
	}
	return NOWHERE;
}

/* Keras 3 writes the names of the models around in front, and no output
 * number: the longest tail that starts with a leaf's name counts. */
static uint32_t find_owner(const struct tree *tree, const char *name,
			   bool may_be_deep, const char **rest)
{
	uint32_t found = find_leaf(tree, name, rest);
	const char *slash = name;

	while (found == NOWHERE && may_be_deep && (slash = strchr(slash, '/')))
		found = find_leaf(tree, ++slash, rest);
	return found;
}

static enum wh_status assign(struct tree *tree, const struct wh_layer *layer,
			     const char *const *names, struct wh_error *err)
{
	uint32_t i;

	tree->owner = arena_alloc(tree->arena, layer->n_variables,
				  sizeof(*tree->owner));
	tree->weights = arena_alloc(tree->arena, layer->n_variables,
				    sizeof(*tree->weights));
	if (!tree->owner || !tree->weights)
		return wh_fail_memory(err);
	for (i = 0; i < layer->n_variables; i++) {
		struct scoped *weight = &tree->weights[i];
		bool deep = !strchr(layer->variables[i].name, ':');
		uint32_t owner =
			find_owner(tree, names[i], deep, &weight->rest);

		if (owner == NOWHERE || tree->objects[owner].is_twice)
			return wh_fail(err, WH_EUNSUPPORTED,
				       "layer '%s': the model configuration "
				       "has %s layer inside it that weight "
				       "'%s' is of",
				       layer->name,
				       owner == NOWHERE ? "no"
							: "more than one",
				       layer->variables[i].name);
		weight->name = layer->variables[i].name;
		tree->owner[i] = owner;
		tree->objects[owner].n++;
	}
	return WH_OK;
}

static void mark_weighted(struct tree *tree)
{
	uint32_t at = tree->n;

	while (at-- > 0) {
		struct object *object = &tree->objects[at];

		if (object->n)
			object->is_weighted = true;
		if (object->is_weighted && object->parent != NOWHERE)
			tree->objects[object->parent].is_weighted = true;
	}
}

static enum wh_status add_edge(struct layer_paths *out, struct arena *arena,
			       const char *path, const char *same_as,
			       struct wh_error *err)
{
	if (!path)
		return wh_fail_memory(err);
	if (out->n_edges == out->edges_capacity) {
		uint32_t wanted = out->n_edges ? out->n_edges * 2 : 32;
		struct path_edge *moved =
			arena_alloc(arena, wanted, sizeof(*moved));

		if (!moved)
			return wh_fail_memory(err);
		if (out->n_edges)
			memcpy(moved, out->edges,
			       out->n_edges * sizeof(*moved));
		out->edges = moved;
		out->edges_capacity = wanted;
	}
	out->edges[out->n_edges++] = (struct path_edge){path, same_as};
	return WH_OK;
}

static const char *join(struct arena *arena, const char *base, const char *name,
			uint32_t number)
{
	return arena_printf(arena, "%s%s%s%u", base, *base ? "/" : "", name,
			    number);
}

/* The paths of one model's layers, numbered as TensorFlow does: all of them
 * `layer-i`, those with weights `layer_with_weights-k` too, and that first. */
static enum wh_status name_children(struct tree *tree, uint32_t parent,
				    uint32_t *at, struct layer_paths *out,
				    struct wh_error *err)
{
	const char *base = tree->objects[parent].path;
	bool wraps = tree->objects[parent].config->kind == CONFIG_WRAPPER;
	uint32_t i, k = 0;

	for (i = 0; *at < tree->n && tree->objects[*at].parent == parent;
	     i++, (*at)++) {
		struct object *object = &tree->objects[*at];
		const char *plain = join(tree->arena, base, "layer-", i);

		if (wraps) {
			object->path = arena_printf(tree->arena, "%s%slayer",
						    base, *base ? "/" : "");
			if (!object->path)
				return wh_fail_memory(err);
			continue;
		}
		object->path = plain;
		if (object->is_weighted) {
			object->path = join(tree->arena, base,
					    "layer_with_weights-", k++);
			WH_TRY(add_edge(out, tree->arena, object->path, NULL,
					err));
		}
		WH_TRY(add_edge(out, tree->arena, plain,
				object->is_weighted ? object->path : NULL,
				err));
	}
	return WH_OK;
}

static enum wh_status name_objects(struct tree *tree, struct layer_paths *out,
				   struct wh_error *err)
{
	uint32_t parent, at = 1;

	tree->objects[0].path = "";
	for (parent = 0; parent < tree->n; parent++)
		if (!tree->objects[parent].is_leaf)
			WH_TRY(name_children(tree, parent, &at, out, err));
	return WH_OK;
}

/* Sorts variables by their leaf; those of one leaf keep their order. */
static enum wh_status group_by_leaf(struct tree *tree, uint32_t n,
				    uint32_t **sorted, struct wh_error *err)
{
	uint32_t *made = arena_alloc(tree->arena, n, sizeof(*made));
	uint32_t i, sum = 0;

	if (!made)
		return wh_fail_memory(err);
	for (i = 0; i < tree->n; i++) {
		tree->objects[i].first = sum;
		sum += tree->objects[i].n;
		tree->objects[i].n = 0;
	}
	for (i = 0; i < n; i++) {
		struct object *leaf = &tree->objects[tree->owner[i]];

		made[leaf->first + leaf->n++] = i;
	}
	*sorted = made;
	return WH_OK;
}

static enum wh_status resolve_leaf(const struct tree *tree,
				   const struct object *leaf,
				   const uint32_t *members,
				   const struct wh_layer *layer,
				   const char **paths, struct wh_error *err)
{
	struct scoped *weights =
		arena_alloc(tree->arena, leaf->n, sizeof(*weights));
	const char *prefix = arena_printf(tree->arena, "%s%s", leaf->path,
					  *leaf->path ? "/" : "");
	enum scope_verdict verdict;
	uint32_t i;

	if (!weights || !prefix)
		return wh_fail_memory(err);
	for (i = 0; i < leaf->n; i++) {
		weights[i] = tree->weights[members[i]];
		weights[i].path = &paths[members[i]];
	}
	verdict = scope_resolve(weights, leaf->n, prefix, leaf->config,
				tree->arena);
	if (verdict == SCOPE_MEMORY)
		return wh_fail_memory(err);
	if (verdict != SCOPE_DECIDED)
		return wh_fail(err, WH_EUNSUPPORTED,
			       "layer '%s': the attribute that weight '%s' "
			       "of the inner layer '%s' hangs on is not "
			       "known; save the model with save_format='tf' "
			       "instead",
			       layer->name, weights[0].name,
			       leaf->config->name);
	return WH_OK;
}

static enum wh_status
build_tree(struct tree *tree, const struct wh_layer *layer,
	   const char *const *names, const struct config_layer *config,
	   struct layer_paths *out, uint32_t **sorted, struct wh_error *err)
{
	WH_TRY(expand(tree, config, err));
	WH_TRY(assign(tree, layer, names, err));
	mark_weighted(tree);
	WH_TRY(name_objects(tree, out, err));
	return group_by_leaf(tree, layer->n_variables, sorted, err);
}

enum wh_status nested_paths(const struct wh_layer *layer,
			    const struct config_layer *config,
			    struct arena *arena, struct layer_paths *out,
			    struct wh_error *err)
{
	tree_auto_t tree = {.arena = arena};
	const char **names =
		arena_alloc(arena, layer->n_variables, sizeof(*names));
	uint32_t *sorted = NULL;
	uint32_t i;

	if (!names)
		return wh_fail_memory(err);
	for (i = 0; i < layer->n_variables; i++) {
		names[i] = name_without_output(layer->variables[i].name, arena);
		if (!names[i])
			return wh_fail_memory(err);
	}
	WH_TRY(build_tree(&tree, layer, names, config, out, &sorted, err));
	for (i = 0; i < tree.n; i++)
		if (tree.objects[i].n)
			WH_TRY(resolve_leaf(&tree, &tree.objects[i],
					    sorted + tree.objects[i].first,
					    layer, out->paths, err));
	return WH_OK;
}

/* Whether the weight at `path` below a leaf is trained, by the flags of the
 * objects on the way and by what it is. */
static bool is_trained(const struct config_layer *config, const char *path)
{
	const char *leaf = strrchr(path, '/');
	bool trained = config->trainable;
	uint32_t number;

	for (; config && strchr(path, '/'); path = strchr(path, '/') + 1) {
		if (config->kind == CONFIG_WRAPPER &&
		    text_starts(path, "layer/"))
			number = 0;
		else if (config->kind == CONFIG_BIDIRECTIONAL)
			number = text_starts(path, "backward_layer/");
		else if (config->kind == CONFIG_CELLS && *path >= '0' &&
			 *path <= '9')
			number = (uint32_t)strtoul(path, NULL, 10);
		else
			continue;
		if (number >= config->n_children)
			break;
		config = &config->children[number];
		trained = trained && config->trainable;
	}
	return trained && !leaf_is_statistic(leaf ? leaf + 1 : path);
}

/* One leaf's members, sorted by the class tables. */
static enum wh_status sort_leaf(const struct tree *tree,
				const struct object *leaf, uint32_t *members,
				const struct wh_layer *layer,
				const char *const *paths, bool *trained,
				struct wh_error *err)
{
	size_t prefix = strlen(leaf->path) + (*leaf->path ? 1 : 0);
	const char **inner =
		arena_alloc(tree->arena, layer->n_variables, sizeof(*inner));
	uint32_t i;

	if (!inner)
		return wh_fail_memory(err);
	for (i = 0; i < leaf->n; i++) {
		uint32_t at = members[i];

		inner[at] = paths[at] + prefix;
		trained[at] = is_trained(leaf->config, inner[at]);
	}
	/* Of several cells the sort is by cell, as Keras walks them. */
	if (order_sort(inner, members, leaf->n) == ORDER_GRAPH && leaf->n > 1)
		return wh_fail(err, WH_EUNSUPPORTED,
			       "layer '%s': the order of the weights of the "
			       "inner layer '%s' is not known",
			       layer->name, leaf->config->name);
	return WH_OK;
}

/* Keras lists a model's weights as all trained ones of its layers, then all
 * others; a frozen model's own list has those that its layers still call
 * trained in front. Appends the members below `at` that are `wanted`. */
struct listing {
	const struct tree *tree;
	const uint32_t *sorted, *first_child;
	const bool *trained;
	uint32_t *order;
	uint32_t n;
};

static void list_weights(struct listing *listing, uint32_t at, bool wanted)
{
	const struct object *object = &listing->tree->objects[at];
	uint32_t i, child;

	if (object->is_leaf) {
		for (i = 0; i < object->n; i++) {
			uint32_t member = listing->sorted[object->first + i];

			if (listing->trained[member] == wanted)
				listing->order[listing->n++] = member;
		}
		return;
	}
	if (wanted && !object->config->trainable)
		return;
	if (!wanted && !object->config->trainable)
		for (i = 0; i < object->config->n_children; i++)
			list_weights(listing, listing->first_child[at] + i,
				     true);
	for (i = 0; i < object->config->n_children; i++) {
		child = listing->first_child[at] + i;
		list_weights(listing, child, wanted);
	}
}

static enum wh_status find_children(const struct tree *tree,
				    uint32_t **first_child,
				    struct wh_error *err)
{
	uint32_t *made = arena_alloc(tree->arena, tree->n, sizeof(*made));
	uint32_t i;

	if (!made)
		return wh_fail_memory(err);
	for (i = tree->n; i-- > 1;)
		made[tree->objects[i].parent] = i;
	*first_child = made;
	return WH_OK;
}

enum wh_status nested_order(const struct wh_layer *layer,
			    const char *const *names,
			    const struct config_layer *config,
			    struct arena *arena, uint32_t *order,
			    struct wh_error *err)
{
	tree_auto_t tree = {.arena = arena};
	struct layer_paths paths = {0};
	struct listing listing = {.tree = &tree, .order = order};
	uint32_t *sorted = NULL, *first_child = NULL;
	bool *trained = arena_alloc(arena, layer->n_variables, sizeof(bool));
	uint32_t i;

	paths.paths =
		arena_alloc(arena, layer->n_variables, sizeof(*paths.paths));
	if (!paths.paths || !trained)
		return wh_fail_memory(err);
	WH_TRY(build_tree(&tree, layer, names, config, &paths, &sorted, err));
	for (i = 0; i < tree.n; i++) {
		struct object *leaf = &tree.objects[i];

		if (!leaf->n)
			continue;
		WH_TRY(resolve_leaf(&tree, leaf, sorted + leaf->first, layer,
				    paths.paths, err));
		WH_TRY(sort_leaf(&tree, leaf, sorted + leaf->first, layer,
				 paths.paths, trained, err));
	}
	WH_TRY(find_children(&tree, &first_child, err));
	listing.sorted = sorted;
	listing.first_child = first_child;
	listing.trained = trained;
	list_weights(&listing, 0, true);
	list_weights(&listing, 0, false);
	return WH_OK;
}
