#include "hdf5/keras3/tree.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/array.h"
#include "base/auto.h"
#include "hdf5/keras3/children.h"
#include "hdf5/object.h"

#define VARS "vars"
/* An object's group and that of its variables take more than this. */
#define MIN_BYTES_AN_OBJECT 64

/* One file on its way into the tree. */
struct reading {
	struct keras3_tree *tree;
	struct h5_source *source;
	uint32_t part;
};

#define children_auto __attribute__((cleanup(keras3_children_free)))

void keras3_tree_free(struct keras3_tree *tree)
{
	name_map_free(&tree->places);
	name_map_free(&tree->seen);
	free(tree->datasets);
}

bool keras3_tree_lists_layers(const struct h5_view *root)
{
	return view_has_attribute(root, "layer_names") ||
	       view_has_attribute(root, "layer_names0") ||
	       view_has_attribute(root, "nb_layers");
}

bool keras3_tree_is_root(const struct h5_view *root)
{
	if (keras3_tree_lists_layers(root) || view_has(root, "model_weights"))
		return false;
	return view_has(root, VARS) || view_has(root, "layers") ||
	       view_has(root, "_layer_checkpoint_dependencies");
}

/* ---- Objects ---------------------------------------------------------- */

/* The object of that path: one that an earlier shard began goes on. */
static enum wh_status find_object(struct reading *reading, const char *path,
				  const char *name, uint32_t *index,
				  struct wh_error *err)
{
	struct keras3_tree *tree = reading->tree;
	bool added;

	*index = name_map_find(&tree->places, path);
	if (*index != UINT32_MAX)
		return WH_OK;
	if (tree->objects.n >= WH_MAX_TENSORS)
		return wh_fail(err, WH_ECORRUPT, "more than %u objects",
			       WH_MAX_TENSORS);
	WH_TRY(keras3_object_add(&tree->objects, path, name, tree->arena, index,
				 err));
	return name_map_add(&tree->places, path, *index, &added, err);
}

static enum wh_status keep_dataset(struct keras3_tree *tree, uint32_t part,
				   uint32_t index, struct wh_error *err)
{
	WH_TRY(array_grow(&tree->datasets, tree->n_datasets, &tree->room,
			  sizeof(*tree->datasets), err));
	tree->datasets[tree->n_datasets++] =
		(struct keras3_dataset){part, index};
	return WH_OK;
}

/* One that is in two shards is refused with the tensors, whose keys are
 * distinct. */
static enum wh_status add_value(struct reading *reading, uint32_t object,
				struct keras3_value *value,
				struct wh_error *err)
{
	value->tensor = reading->tree->n_datasets;
	WH_TRY(keep_dataset(reading->tree, reading->part,
			    reading->source->n_datasets - 1, err));
	return keras3_value_add(&reading->tree->objects.list[object], value,
				reading->tree->arena, err);
}

/* ---- Variables -------------------------------------------------------- */

static enum wh_status read_text(struct reading *reading,
				const struct h5_view *object, const char *key,
				const char **text, struct wh_error *err)
{
	size_t size;

	WH_TRY(view_text(object, key, reading->tree->arena, text, &size, err));
	if (*text && size > WH_MAX_NAME)
		return wh_fail(err, WH_ECORRUPT,
			       "attribute '%s' has %zu bytes; at most %u are "
			       "read",
			       key, size, WH_MAX_NAME);
	return WH_OK;
}

static enum wh_status read_value(struct reading *reading,
				 const struct h5_view *vars, const char *path,
				 const char *key, uint32_t object,
				 struct wh_error *err)
{
	struct arena *arena = &reading->source->arena;
	struct keras3_value value = {.key = key, .shard = reading->part};
	struct h5_kept *dataset;
	struct h5_view view_auto opened = {0};

	WH_TRY(view_dataset(vars, key, &opened, err));
	WH_TRY(view_keep(&opened, reading->tree->max_nbytes, &dataset, err));
	if (dataset->packed) {
		dataset->packed->path = arena_printf(
			arena, "/%s%s" VARS "/%s", path, *path ? "/" : "", key);
		if (!dataset->packed->path)
			return wh_fail_memory(err);
	}
	WH_TRY(read_text(reading, &opened, "dtype", &value.dtype, err));
	return add_value(reading, object, &value, err);
}

static enum wh_status read_vars(struct reading *reading,
				const struct h5_view *group, const char *path,
				const char **name, struct wh_error *err)
{
	children_auto struct keras3_children children = {0};
	struct h5_view view_auto vars = {0};
	enum wh_status status;
	uint32_t i, object = 0;

	WH_TRY(view_group(group, VARS, &vars, err));
	WH_TRY(read_text(reading, &vars, "name", name, err));
	WH_TRY(keras3_children_list(
		&vars, reading->source->input.size / MIN_BYTES_AN_OBJECT,
		reading->tree->arena, &children, err));
	keras3_children_sort(&children, KERAS3_NUMBERS);
	WH_TRY(find_object(reading, path, *name, &object, err));
	for (i = 0; i < children.n; i++) {
		const char *key = children.list[i].name;

		status = read_value(reading, &vars, path, key, object, err);
		if (status) {
			wh_error_prefix(err, "weight '%s%svars/%s'", path,
					*path ? "/" : "", key);
			return status;
		}
	}
	return WH_OK;
}

/* ---- Groups ----------------------------------------------------------- */

/* A group that was seen is a hard link to it, or a circle of them. */
static enum wh_status see(struct reading *reading, uint64_t address,
			  bool *first, struct wh_error *err)
{
	struct keras3_tree *tree = reading->tree;
	const char *key = arena_printf(tree->arena, "%" PRIx64, address);

	if (!key)
		return wh_fail_memory(err);
	return name_map_add(&tree->seen, key, 0, first, err);
}

/* A child counts from where the later of its two groups lies: either may
 * fill a gap that libhdf5 left. */
static enum wh_status find_places(const struct h5_view *group,
				  struct keras3_children *children,
				  struct wh_error *err)
{
	uint64_t address;
	uint32_t i;

	for (i = 0; i < children->n; i++) {
		struct keras3_child *at = &children->list[i];
		struct h5_view view_auto child = {0};

		WH_TRY(view_group(group, at->name, &child, err));
		if (view_child_address(&child, VARS, &address) &&
		    address > at->address)
			at->address = address;
	}
	return WH_OK;
}

static enum wh_status read_group(struct reading *reading,
				 const struct h5_view *group, const char *path,
				 unsigned depth, struct wh_error *err);

static enum wh_status read_child(struct reading *reading,
				 const struct h5_view *group, const char *path,
				 const char *name, unsigned depth,
				 struct wh_error *err)
{
	struct h5_view view_auto child = {0};
	const char *below = arena_printf(reading->tree->arena, "%s%s%s", path,
					 *path ? "/" : "", name);
	uint64_t address;
	bool first;

	if (!below)
		return wh_fail_memory(err);
	WH_TRY(view_group(group, name, &child, err));
	if (!view_address(&child, &address))
		return h5_fail(err, "a group can't be read");
	WH_TRY(see(reading, address, &first, err));
	if (!first)
		return WH_OK;
	return read_group(reading, &child, below, depth + 1, err);
}

static void remove_child(struct keras3_children *children, const char *name)
{
	uint32_t i, kept = 0;

	for (i = 0; i < children->n; i++)
		if (strcmp(children->list[i].name, name) != 0)
			children->list[kept++] = children->list[i];
	children->n = kept;
}

static enum wh_status read_group(struct reading *reading,
				 const struct h5_view *group, const char *path,
				 unsigned depth, struct wh_error *err)
{
	children_auto struct keras3_children children = {0};
	enum keras3_order order = KERAS3_SLOTS;
	const char *name = NULL;
	enum wh_status status;
	uint32_t i;

	if (depth > H5_MAX_DEPTH || strlen(path) > WH_MAX_NAME)
		return wh_fail(err, WH_ECORRUPT, "its groups nest too deep");
	WH_TRY(keras3_children_list(
		group, reading->source->input.size / MIN_BYTES_AN_OBJECT,
		reading->tree->arena, &children, err));
	if (view_has(group, VARS)) {
		WH_TRY(read_vars(reading, group, path, &name, err));
		remove_child(&children, VARS);
		order = name ? KERAS3_ATTRIBUTES : KERAS3_REVERSED;
	}
	WH_TRY(find_places(group, &children, err));
	keras3_children_sort(&children, order);
	for (i = 0; i < children.n; i++) {
		status = read_child(reading, group, path, children.list[i].name,
				    depth, err);
		if (status)
			return status;
	}
	return WH_OK;
}

enum wh_status keras3_tree_read(struct keras3_tree *tree,
				struct h5_source *source, uint32_t part,
				const struct h5_view *root,
				struct wh_error *err)
{
	struct reading reading = {tree, source, part};

	name_map_free(&tree->seen);
	return read_group(&reading, root, "", 0, err);
}
