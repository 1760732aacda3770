/* Which object of a Keras 3 file a weight belongs to: its TensorFlow path,
 * component by component, along the configuration. FORMAT.md, "Keras 3". */
#include <stdlib.h>
#include <string.h>

#include "base/text.h"
#include "mapping/keras3_build.h"
#include "mapping/keras3_slots.h"
#include "mapping/nested_tree.h"

static bool is_from(const struct wh_manifest *manifest, const char *format)
{
	return manifest->origin_format &&
	       strcmp(manifest->origin_format, format) == 0;
}

/* ---- Along one layer -------------------------------------------------- */

/* A path on its way. */
struct walk {
	struct keras3_building *building;
	const struct wh_layer *layer;
	const struct wh_variable *variable;
	const struct config_layer *config; /* of where it is, or NULL */
	const char *class_name;
	const char *path; /* so far */
};

static enum wh_status refuse(const struct walk *walk, const char *part,
			     struct wh_error *err)
{
	return wh_fail(err, WH_EUNSUPPORTED,
		       "layer '%s': weight '%s' lies in '%s', of which it is "
		       "not known how Keras 3 names it",
		       walk->layer->name, walk->variable->name, part);
}

static enum wh_status go(struct walk *walk, const char *part,
			 const struct config_layer *config,
			 const char *class_name, struct wh_error *err)
{
	walk->path =
		arena_printf(walk->building->arena, "%s/%s", walk->path, part);
	walk->config = config;
	walk->class_name = class_name;
	return walk->path ? WH_OK : wh_fail_memory(err);
}

/* "cells/1": the second cell, by its class. */
static enum wh_status go_to_cell(struct walk *walk, const char *number,
				 struct wh_error *err)
{
	const struct config_layer *config = walk->config;
	const char **slots;
	uint64_t index;

	if (!config || config->kind != CONFIG_CELLS ||
	    !text_to_u64(number, &index) || index >= config->n_children)
		return refuse(walk, "cells", err);
	WH_TRY(slots_of_model(config, walk->building->arena, &slots, err));
	return go(walk, slots[index], &config->children[index],
		  config->children[index].class_name, err);
}

static bool is_number(const char *part)
{
	return *part && strspn(part, "0123456789") == strlen(part);
}

/* "_query_dense" is Keras 2's attribute, "query_dense" Keras 3's. */
static const char *attribute_here(const struct walk *walk, const char *part)
{
	bool attention = walk->class_name &&
			 strcmp(walk->class_name, "MultiHeadAttention") == 0;

	if (!attention)
		return part;
	if (walk->building->of_keras2)
		return attribute_of_keras2(walk->class_name, part);
	return text_starts(part, "_") && text_ends(part, "_dense") ? part + 1
								   : part;
}

static enum wh_status go_on(struct walk *walk, const char *part,
			    struct wh_error *err)
{
	const struct config_layer *config = walk->config;
	enum config_kind kind = config ? config->kind : CONFIG_LAYER;

	if (kind == CONFIG_WRAPPER && strcmp(part, "layer") == 0)
		return go(walk, part, &config->children[0],
			  config->children[0].class_name, err);
	if (kind == CONFIG_BIDIRECTIONAL && strcmp(part, "forward_layer") == 0)
		return go(walk, part, &config->children[0],
			  config->children[0].class_name, err);
	if (kind == CONFIG_BIDIRECTIONAL && strcmp(part, "backward_layer") == 0)
		return go(walk, part, &config->children[1],
			  config->children[1].class_name, err);
	if (kind == CONFIG_CELLS)
		return go(walk, part, config, "StackedRNNCells", err);
	if (is_number(part) || text_starts(part, "layer_with_weights-") ||
	    text_starts(part, "layer-"))
		return refuse(walk, part, err);
	part = attribute_here(walk, part);
	return go(walk, part, NULL, class_of_attribute(walk->class_name, part),
		  err);
}

/* TimeDistributed owns nothing itself: names that don't show it go on inside.
 * Of other wrappers that isn't known, and SpectralNormalization has the kernel
 * of the layer inside a second time. */
static enum wh_status enter_wrapper(struct walk *walk, const char *part,
				    struct wh_error *err)
{
	while (walk->config && walk->config->kind == CONFIG_WRAPPER) {
		const char *name = walk->class_name ? walk->class_name : "";
		bool is_inside = strcmp(part, "layer") == 0;

		if (strcmp(name, "SpectralNormalization") == 0 ||
		    (!is_inside && strcmp(name, "TimeDistributed") != 0))
			return refuse(walk, name, err);
		if (is_inside)
			return WH_OK;
		WH_TRY(go_on(walk, "layer", err));
	}
	return WH_OK;
}

static enum wh_status add_value(struct walk *walk, const char *leaf,
				struct wh_error *err)
{
	struct keras3_building *building = walk->building;
	struct keras3_value value = {.key = leaf,
				     .tensor = walk->variable->tensor};
	uint32_t index;

	/* Keras 3's own checkpoints have private attributes. */
	if (*leaf == '_' && leaf_rank(leaf) != UINT32_MAX)
		leaf++;
	building->leaves[value.tensor] = leaf;
	WH_TRY(keras3_build_object(building, walk->path, NULL, &index, err));
	return keras3_value_add(&building->objects.list[index], &value,
				building->arena, err);
}

/* `rest`: "cell/kernel", below where the walk is. */
static enum wh_status walk_path(struct walk *walk, const char *rest,
				struct wh_error *err)
{
	char *part = arena_strdup(walk->building->arena, rest), *slash;
	bool cells = false;

	if (!part)
		return wh_fail_memory(err);
	while ((slash = strchr(part, '/'))) {
		*slash = '\0';
		WH_TRY(enter_wrapper(walk, part, err));
		if (cells)
			WH_TRY(go_to_cell(walk, part, err));
		else
			WH_TRY(go_on(walk, part, err));
		cells = strcmp(part, "cells") == 0;
		part = slash + 1;
	}
	WH_TRY(enter_wrapper(walk, part, err));
	return add_value(walk, part, err);
}

/* ---- A layer ---------------------------------------------------------- */

static struct walk begin(struct keras3_building *building,
			 const struct wh_layer *layer, uint32_t index,
			 const struct config_layer *config, const char *path)
{
	return (struct walk){.building = building,
			     .layer = layer,
			     .variable = &layer->variables[index],
			     .config = config,
			     .class_name = config->class_name,
			     .path = path};
}

/* What h5 files that came from Keras 3 ones are called: "fc1/vars/0:0". */
static const char *vars_path(const struct wh_layer *layer, const char *name,
			     const char **key)
{
	const char *below = name_below(name, layer->name), *at, *cut = NULL;

	if (!below)
		return NULL;
	for (at = strstr(below, "vars/"); at; at = strstr(at + 1, "vars/"))
		if (at == below || at[-1] == '/')
			cut = at;
	if (!cut || strchr(cut + 5, '/'))
		return NULL;
	*key = cut + 5;
	return below;
}

static enum wh_status fill_vars(struct keras3_building *building,
				const struct wh_layer *layer, const char *slot,
				bool *done, struct wh_error *err)
{
	uint32_t i, index;

	*done = false;
	for (i = 0; i < layer->n_variables; i++) {
		const char *key, *name, *below, *path;
		struct keras3_value value = {
			.tensor = layer->variables[i].tensor};

		name = name_without_output(layer->variables[i].name,
					   building->arena);
		below = name ? vars_path(layer, name, &key) : NULL;
		if (!below)
			return name ? WH_OK : wh_fail_memory(err);
		path = arena_printf(
			building->arena, "%s%s%.*s", slot,
			below + 5 == key ? "" : "/",
			(int)(below + 5 == key ? 0 : key - 6 - below), below);
		if (!path)
			return wh_fail_memory(err);
		value.key = key;
		WH_TRY(keras3_build_object(building, path, NULL, &index, err));
		WH_TRY(keras3_value_add(&building->objects.list[index], &value,
					building->arena, err));
	}
	*done = true;
	return WH_OK;
}

static enum wh_status fill_plain(struct keras3_building *building,
				 const struct wh_layer *layer,
				 const struct config_layer *config,
				 const char *slot, struct wh_error *err)
{
	struct layer_paths found = {0};
	bool from_h5 = is_from(building->manifest, "h5");
	uint32_t i;

	if (from_h5)
		WH_TRY(paths_of_layer(layer, config, building->arena, &found,
				      err));
	for (i = 0; i < layer->n_variables; i++) {
		struct walk walk = begin(building, layer, i, config, slot);
		const char *path = from_h5 ? found.paths[i]
				   : layer->variables[i].object_path
					   ? layer->variables[i].object_path
					   : layer->variables[i].name;

		WH_TRY(walk_path(&walk, path, err));
	}
	return WH_OK;
}

/* ---- Nested models ---------------------------------------------------- */

/* The path of an object of the tree. */
static enum wh_status path_of(const struct keras3_building *building,
			      const struct nested_tree *tree, uint32_t index,
			      const char *slot, const char **path,
			      struct wh_error *err)
{
	const struct nested_object *object = &tree->objects[index], *parent;
	const char *above, **slots;

	if (object->parent == UINT32_MAX) {
		*path = slot;
		return WH_OK;
	}
	parent = &tree->objects[object->parent];
	WH_TRY(path_of(building, tree, object->parent, slot, &above, err));
	if (parent->config->kind == CONFIG_WRAPPER) {
		*path = arena_printf(building->arena, "%s/layer", above);
		return *path ? WH_OK : wh_fail_memory(err);
	}
	WH_TRY(slots_of_model(parent->config, building->arena, &slots, err));
	*path = arena_printf(building->arena, "%s/layers/%s", above,
			     slots[object->config - parent->config->children]);
	return *path ? WH_OK : wh_fail_memory(err);
}

static const char *below_leaf(const struct nested_object *leaf,
			      const char *path)
{
	return *leaf->path ? path + strlen(leaf->path) + 1 : path;
}

static enum wh_status fill_leaf(struct keras3_building *building,
				const struct nested_tree *tree, uint32_t index,
				const struct wh_layer *layer, const char *slot,
				const char **paths, struct wh_error *err)
{
	const struct nested_object *leaf = &tree->objects[index];
	const char *path;
	uint32_t i;

	WH_TRY(nested_leaf_paths(tree, leaf, layer, paths, err));
	WH_TRY(path_of(building, tree, index, slot, &path, err));
	for (i = 0; i < leaf->n; i++) {
		uint32_t member = tree->sorted[leaf->first + i];
		struct walk walk =
			begin(building, layer, member, leaf->config, path);

		WH_TRY(walk_path(&walk, below_leaf(leaf, paths[member]), err));
	}
	return WH_OK;
}

static enum wh_status
fill_nested(struct keras3_building *building, const struct wh_layer *layer,
	    const struct config_layer *config, const char *slot,
	    const char *const *full_names, struct wh_error *err)
{
	__attribute__((cleanup(nested_tree_free))) struct nested_tree tree = {
		.arena = building->arena};
	struct layer_paths out = {0};
	uint32_t i, n = layer->n_variables;
	const char **names = arena_alloc(building->arena, n, sizeof(*names));

	out.paths = arena_alloc(building->arena, n, sizeof(*out.paths));
	if (!names || !out.paths)
		return wh_fail_memory(err);
	for (i = 0; i < n; i++) {
		const char *full = full_names[layer->variables[i].tensor];

		names[i] = *full ? full
				 : name_without_output(layer->variables[i].name,
						       building->arena);
		if (!names[i])
			return wh_fail_memory(err);
	}
	WH_TRY(nested_tree_build(&tree, layer, names, config, &out, err));
	for (i = 0; i < tree.n; i++)
		if (tree.objects[i].n)
			WH_TRY(fill_leaf(building, &tree, i, layer, slot,
					 out.paths, err));
	return WH_OK;
}

static bool holds_model(const struct config_layer *config)
{
	while (config->kind == CONFIG_WRAPPER)
		config = &config->children[0];
	return config->kind == CONFIG_MODEL;
}

enum wh_status keras3_fill_layer(struct keras3_building *building,
				 const struct wh_layer *layer,
				 const struct config_layer *config,
				 const char *slot,
				 const char *const *full_names,
				 struct wh_error *err)
{
	bool done = false;

	if (is_from(building->manifest, "h5"))
		WH_TRY(fill_vars(building, layer, slot, &done, err));
	if (done)
		return WH_OK;
	if (holds_model(config))
		return fill_nested(building, layer, config, slot, full_names,
				   err);
	return fill_plain(building, layer, config, slot, err);
}

/* ---- Order ------------------------------------------------------------ */

/* The place of a leaf among those of its object, if Keras's own classes have
 * them; leaf_rank agrees with all of their orders. */
static bool rank_values(const struct keras3_building *building,
			const struct keras3_object *object)
{
	uint32_t i;

	for (i = 0; i < object->n_values; i++) {
		const char *leaf = building->leaves[object->values[i].tensor];

		if (!leaf || leaf_rank(leaf) == UINT32_MAX)
			return false;
	}
	return true;
}

static int by_rank(const void *a, const void *b, void *leaves)
{
	const struct keras3_value *x = a, *y = b;
	const char *const *all = leaves;
	uint32_t left = leaf_rank(all[x->tensor]);
	uint32_t right = leaf_rank(all[y->tensor]);

	return left < right ? -1 : left > right;
}

static int by_key(const void *a, const void *b)
{
	const struct keras3_value *x = a, *y = b;
	uint64_t left, right;

	if (!text_to_u64(x->key, &left) || !text_to_u64(y->key, &right))
		return 0;
	return left < right ? -1 : left > right;
}

static bool have_numbers(const struct keras3_object *object)
{
	uint32_t i;

	for (i = 0; i < object->n_values; i++)
		if (!is_number(object->values[i].key))
			return false;
	return object->n_values > 0;
}

#define MAX_COMPARED 256u

static enum wh_status check_alike(const struct keras3_building *building,
				  const struct keras3_object *object,
				  const char *layer, struct wh_error *err)
{
	const struct wh_tensor *tensors = building->manifest->tensors;
	uint32_t i, j;

	for (i = 0; i < object->n_values; i++)
		for (j = 0; j < i; j++) {
			const struct wh_tensor *a =
				&tensors[object->values[j].tensor];
			const struct wh_tensor *b =
				&tensors[object->values[i].tensor];

			if (object->n_values <= MAX_COMPARED &&
			    (a->rank != b->rank ||
			     memcmp(a->shape, b->shape,
				    a->rank * sizeof(*a->shape)) != 0))
				continue;
			return wh_fail(
				err, WH_EUNSUPPORTED,
				"'%s': variables '%s' and '%s' have one "
				"shape, and no checkpoint says in which "
				"order the class made them; --map FILE says "
				"it",
				*layer ? layer : "the model itself", a->key,
				b->key);
		}
	return WH_OK;
}

static enum wh_status number_values(struct keras3_building *building,
				    struct keras3_object *object,
				    struct wh_error *err)
{
	uint32_t i;

	for (i = 0; i < object->n_values; i++) {
		struct keras3_value *value = &object->values[i];
		const struct wh_tensor *tensor =
			&building->manifest->tensors[value->tensor];

		value->key = arena_printf(building->arena, "%u", i);
		if (!value->key)
			return wh_fail_memory(err);
		if (tensor->dtype == WH_BFLOAT16)
			value->dtype = "bfloat16";
	}
	return WH_OK;
}

enum wh_status keras3_sort_values(struct keras3_building *building,
				  struct keras3_object *object,
				  const char *layer, bool in_order,
				  struct wh_error *err)
{
	if (have_numbers(object)) {
		qsort(object->values, object->n_values, sizeof(*object->values),
		      by_key);
	} else if (!in_order && object->n_values > 1) {
		if (rank_values(building, object)) {
			qsort_r(object->values, object->n_values,
				sizeof(*object->values), by_rank,
				(void *)(uintptr_t)building->leaves);
		} else {
			WH_TRY(check_alike(building, object, layer, err));
			WH_TRY(notes_add(&building->notes, err,
					 "'%s' is of no known class: its %u "
					 "variables are written in the object "
					 "graph's order",
					 *layer ? layer : "the model itself",
					 object->n_values));
		}
	}
	return number_values(building, object, err);
}
