/* A nested model's group is flat: the names of its inner layers' weights, all
 * trained ones first. The configuration says which layers there are and how
 * they nest, so each weight finds its layer by the longest name that its own
 * starts with. Layer names are unique wherever Keras can write such a file:
 * two equal ones would be two datasets of one name.
 */
#include "base/array.h"
#include "mapping/nested_tree.h"

#include <stdlib.h>
#include <string.h>

#define NOWHERE UINT32_MAX

void nested_tree_free(struct nested_tree *tree)
{
	name_map_free(&tree->leaves);
	free(tree->objects);
}

static bool holds_model(const struct config_layer *config)
{
	while (config->kind == CONFIG_WRAPPER && config->n_children == 1)
		config = &config->children[0];
	return config->kind == CONFIG_MODEL;
}

static enum wh_status add_object(struct nested_tree *tree,
				 const struct config_layer *config,
				 uint32_t parent, struct wh_error *err)
{
	WH_TRY(array_grow(&tree->objects, tree->n, &tree->capacity,
			  sizeof(*tree->objects), err));
	tree->objects[tree->n++] = (struct nested_object){
		.config = config,
		.parent = parent,
		.is_leaf = !holds_model(config),
	};
	return WH_OK;
}

/* Breadth first, so that the children of one object stand together. */
static enum wh_status expand(struct nested_tree *tree,
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
static uint32_t find_leaf(const struct nested_tree *tree, const char *name,
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
static uint32_t find_owner(const struct nested_tree *tree, const char *name,
			   bool may_be_deep, const char **rest)
{
	uint32_t found = find_leaf(tree, name, rest);
	const char *slash = name;

	while (found == NOWHERE && may_be_deep && (slash = strchr(slash, '/')))
		found = find_leaf(tree, ++slash, rest);
	return found;
}

static enum wh_status assign(struct nested_tree *tree,
			     const struct wh_layer *layer,
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

static void mark_weighted(struct nested_tree *tree)
{
	uint32_t at = tree->n;

	while (at-- > 0) {
		struct nested_object *object = &tree->objects[at];

		if (object->n || object->config->holds_table)
			object->is_weighted = true;
		if (object->is_weighted && object->parent != NOWHERE)
			tree->objects[object->parent].is_weighted = true;
	}
}

static enum wh_status add_edge(struct layer_paths *out, struct arena *arena,
			       const char *path, const char *same_as,
			       struct wh_error *err)
{
	if (!path || !arena_grow(arena, &out->edges, out->n_edges,
				 &out->edges_room, sizeof(*out->edges)))
		return wh_fail_memory(err);
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
static enum wh_status name_children(struct nested_tree *tree, uint32_t parent,
				    uint32_t *at, struct layer_paths *out,
				    struct wh_error *err)
{
	const char *base = tree->objects[parent].path;
	bool wraps = tree->objects[parent].config->kind == CONFIG_WRAPPER;
	uint32_t i, k = 0;

	for (i = 0; *at < tree->n && tree->objects[*at].parent == parent;
	     i++, (*at)++) {
		struct nested_object *object = &tree->objects[*at];
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

static enum wh_status name_objects(struct nested_tree *tree,
				   struct layer_paths *out,
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
static enum wh_status group_by_leaf(struct nested_tree *tree, uint32_t n,
				    struct wh_error *err)
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
		struct nested_object *leaf = &tree->objects[tree->owner[i]];

		made[leaf->first + leaf->n++] = i;
	}
	tree->sorted = made;
	return WH_OK;
}

enum wh_status nested_leaf_paths(const struct nested_tree *tree,
				 const struct nested_object *leaf,
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
		uint32_t member = tree->sorted[leaf->first + i];

		weights[i] = tree->weights[member];
		weights[i].path = &paths[member];
	}
	verdict = scope_resolve(weights, leaf->n, prefix, leaf->config,
				tree->arena);
	if (verdict == SCOPE_MEMORY)
		return wh_fail_memory(err);
	if (verdict != SCOPE_DECIDED)
		return wh_fail(err, WH_EUNSUPPORTED,
			       "layer '%s': the attribute that weight '%s' "
			       "of the inner layer '%s' hangs on is not "
			       "known; --map FILE says it, or save the "
			       "model with save_format='tf'",
			       layer->name, weights[0].name,
			       leaf->config->name);
	return WH_OK;
}

enum wh_status nested_tree_build(struct nested_tree *tree,
				 const struct wh_layer *layer,
				 const char *const *names,
				 const struct config_layer *config,
				 struct layer_paths *out, struct wh_error *err)
{
	WH_TRY(expand(tree, config, err));
	WH_TRY(assign(tree, layer, names, err));
	mark_weighted(tree);
	WH_TRY(name_objects(tree, out, err));
	return group_by_leaf(tree, layer->n_variables, err);
}

enum wh_status nested_paths(const struct wh_layer *layer,
			    const struct config_layer *config,
			    struct arena *arena, struct layer_paths *out,
			    struct wh_error *err)
{
	__attribute__((cleanup(nested_tree_free))) struct nested_tree tree = {
		.arena = arena};
	const char **names =
		arena_alloc(arena, layer->n_variables, sizeof(*names));
	uint32_t i;

	if (!names)
		return wh_fail_memory(err);
	for (i = 0; i < layer->n_variables; i++) {
		names[i] = name_without_output(layer->variables[i].name, arena);
		if (!names[i])
			return wh_fail_memory(err);
	}
	WH_TRY(nested_tree_build(&tree, layer, names, config, out, err));
	for (i = 0; i < tree.n; i++)
		if (tree.objects[i].n)
			WH_TRY(nested_leaf_paths(&tree, &tree.objects[i], layer,
						 out->paths, err));
	return WH_OK;
}
