/* Keras's order of the weights of a layer that has layers inside: all trained
 * ones, then all others; FORMAT.md, "Names". */
#include <stdlib.h>
#include <string.h>

#include "base/text.h"
#include "mapping/nested_tree.h"
#include "mapping/order.h"

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
static enum wh_status sort_leaf(const struct nested_tree *tree,
				const struct nested_object *leaf,
				const struct wh_layer *layer,
				const char *const *paths, bool *trained,
				struct wh_error *err)
{
	uint32_t *members = tree->sorted + leaf->first;
	size_t prefix = strlen(leaf->path) + (*leaf->path ? 1 : 0);
	uint32_t i;

	for (i = 0; i < leaf->n; i++)
		trained[members[i]] =
			is_trained(leaf->config, paths[members[i]] + prefix);
	/* Of several cells the sort is by cell, as Keras walks them. */
	if (order_sort(paths, members, leaf->n) == ORDER_GRAPH && leaf->n > 1)
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
	const struct nested_tree *tree;
	const uint32_t *first_child;
	const bool *trained;
	uint32_t *order;
	uint32_t n;
};

static void list_weights(struct listing *listing, uint32_t at, bool wanted)
{
	const struct nested_object *object = &listing->tree->objects[at];
	uint32_t i, child;

	if (object->is_leaf) {
		for (i = 0; i < object->n; i++) {
			uint32_t member =
				listing->tree->sorted[object->first + i];

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

static enum wh_status find_children(const struct nested_tree *tree,
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
	__attribute__((cleanup(nested_tree_free))) struct nested_tree tree = {
		.arena = arena};
	struct layer_paths paths = {0};
	struct listing listing = {.tree = &tree, .order = order};
	uint32_t *first_child = NULL;
	bool *trained = arena_alloc(arena, layer->n_variables, sizeof(bool));
	uint32_t i;

	paths.paths =
		arena_alloc(arena, layer->n_variables, sizeof(*paths.paths));
	if (!paths.paths || !trained)
		return wh_fail_memory(err);
	WH_TRY(nested_tree_build(&tree, layer, names, config, &paths, err));
	for (i = 0; i < tree.n; i++) {
		struct nested_object *leaf = &tree.objects[i];

		if (!leaf->n)
			continue;
		WH_TRY(nested_leaf_paths(&tree, leaf, layer, paths.paths, err));
		WH_TRY(sort_leaf(&tree, leaf, layer, paths.paths, trained,
				 err));
	}
	WH_TRY(find_children(&tree, &first_child, err));
	listing.first_child = first_child;
	listing.trained = trained;
	list_weights(&listing, 0, true);
	list_weights(&listing, 0, false);
	return WH_OK;
}
