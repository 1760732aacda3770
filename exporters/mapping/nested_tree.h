/* mapping/nested_tree.h: the layers inside a layer, and whose weights they
 * have. */
#ifndef WH_MAPPING_NESTED_TREE_H
#define WH_MAPPING_NESTED_TREE_H

#include "core/name_map.h"
#include "mapping/nested.h"
#include "mapping/scope.h"

/** One layer of the configuration's tree; parents stand before children, and
 *  the children of one side by side. */
struct nested_object {
	const struct config_layer *config;
	uint32_t parent;
	uint32_t first, n; /* its weights in `sorted` */
	const char *path;  /* of its node; "" for the outermost */
	bool is_leaf, is_weighted, is_twice;
};

struct nested_tree {
	struct arena *arena;
	struct nested_object *objects;
	uint32_t n;
	size_t capacity;
	struct name_map leaves; /* name -> object */
	uint32_t *owner;	/* of each variable: its object */
	struct scoped *weights; /* of each variable: what is left of it */
	uint32_t *sorted;	/* variables by object, else in their order */
};
void nested_tree_free(struct nested_tree *tree);

/** Builds the tree of a layer's configuration and gives each variable, by its
 *  name, to a leaf; edges of nested models go to `out`. The tree has its
 *  arena; the caller frees it, also after an error. */
enum wh_status nested_tree_build(struct nested_tree *tree,
				 const struct wh_layer *layer,
				 const char *const *names,
				 const struct config_layer *config,
				 struct layer_paths *out, struct wh_error *err);

/** The object paths of one leaf's weights, each at its variable's place. */
enum wh_status nested_leaf_paths(const struct nested_tree *tree,
				 const struct nested_object *leaf,
				 const struct wh_layer *layer,
				 const char **paths, struct wh_error *err);

#endif
