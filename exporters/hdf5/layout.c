/* The order of the calls and every property decide the bytes: they are those
 * of h5py under Keras 2.21 (FORMAT.md, "Writing").
 */
#include "hdf5/layout.h"

#include <stdlib.h>
#include <string.h>

#include "base/auto.h"
#include "hdf5/attribute_write.h"
#include "hdf5/image_file.h"
#include "hdf5/session.h"

struct layout {
	const struct layout_model *model;
	struct image_file file;
	uint64_t *offset_of;
	/* Of the group under way. */
	hid_t group, parent;	 /* parent: where the last weight went */
	const char *parent_path; /* `parent_len` bytes of that weight's name */
	size_t parent_len;
	bool has_weights;
};

/* In Keras's words, which are h5py's. */
static enum wh_status fail_clash(const char *kind, const char *name,
				 struct wh_error *err)
{
	return wh_fail(err, WH_EUNSUPPORTED,
		       "'%s': Unable to synchronously create %s (name already "
		       "exists)",
		       name, kind);
}

static void leave_group(struct layout *layout)
{
	h5_release(&layout->parent);
	h5_release(&layout->group);
	layout->parent = layout->group = 0;
	layout->has_weights = false;
}

static void close_layout(struct layout *layout)
{
	leave_group(layout);
	image_file_close(&layout->file);
}

/* Whether all of a path's components are there; libhdf5 fails instead of
 * answering where an inner one is missing. */
static bool path_exists(hid_t at, char *path)
{
	char *slash = path;
	bool exists = true;

	while (exists && (slash = strchr(slash, '/'))) {
		*slash = '\0';
		exists = H5Lexists(at, path, H5P_DEFAULT) > 0;
		*slash++ = '/';
	}
	return exists && H5Lexists(at, path, H5P_DEFAULT) > 0;
}

/* The group that a weight's dataset goes into, as h5py's require_group. */
static enum wh_status enter_parent(struct layout *layout, const char *name,
				   size_t len, struct wh_error *err)
{
	wh_free_auto char *path = NULL;

	if (layout->parent > 0 && layout->parent_len == len &&
	    memcmp(layout->parent_path, name, len) == 0)
		return WH_OK;
	path = strndup(name, len);
	if (!path)
		return wh_fail_memory(err);
	h5_release(&layout->parent);
	layout->parent = 0;
	if (layout->has_weights && path_exists(layout->group, path))
		layout->parent = H5Gopen2(layout->group, path, H5P_DEFAULT);
	else
		layout->parent = image_file_group(&layout->file, layout->group,
						  path, layout->file.links);
	if (layout->parent < 0)
		return fail_clash("dataset", name, err);
	layout->parent_path = name;
	layout->parent_len = len;
	return WH_OK;
}

static enum wh_status write_dataset(struct layout *layout, hid_t at,
				    const char *leaf,
				    const struct mapping_weight *weight,
				    struct wh_error *err)
{
	const struct wh_tensor *tensor =
		&layout->model->manifest->tensors[weight->tensor];
	h5_auto hid_t dataset = 0;
	enum wh_status status =
		image_file_dataset(&layout->file, at, leaf, tensor, &dataset,
				   &layout->offset_of[weight->tensor], err);

	if (status && dataset < 0 && H5Lexists(at, leaf, H5P_DEFAULT) > 0)
		return fail_clash("dataset", weight->name, err);
	if (status)
		wh_error_prefix(err, "weight '%s'", weight->name);
	return status;
}

static enum wh_status write_weight(struct layout *layout,
				   const struct mapping_weight *weight,
				   struct wh_error *err)
{
	const char *slash = strrchr(weight->name, '/');

	if (!slash)
		return write_dataset(layout, layout->group, weight->name,
				     weight, err);
	WH_TRY(enter_parent(layout, weight->name,
			    (size_t)(slash - weight->name), err));
	return write_dataset(layout, layout->parent, slash + 1, weight, err);
}

static enum wh_status write_weight_names(hid_t group,
					 const struct mapping_layer *layer,
					 struct wh_error *err)
{
	wh_free_auto const char **names =
		calloc(layer->n_weights + 1, sizeof(*names));
	uint32_t i;

	if (!names)
		return wh_fail_memory(err);
	for (i = 0; i < layer->n_weights; i++)
		names[i] = layer->weights[i].name;
	return h5_names_write(group, "weight_names", names, layer->n_weights,
			      err);
}

static enum wh_status write_weights(struct layout *layout,
				    const struct mapping_layer *layer,
				    struct wh_error *err)
{
	uint32_t i;

	WH_TRY(write_weight_names(layout->group, layer, err));
	for (i = 0; i < layer->n_weights; i++) {
		WH_TRY(write_weight(layout, &layer->weights[i], err));
		layout->has_weights = true;
	}
	return WH_OK;
}

static enum wh_status write_group(struct layout *layout, const char *name,
				  const struct mapping_layer *layer,
				  struct wh_error *err)
{
	enum wh_status status;

	leave_group(layout);
	layout->group = image_file_group(&layout->file, layout->file.file, name,
					 image_file_links(&layout->file, name));
	if (layout->group < 0)
		return fail_clash("group", name, err);
	status = write_weights(layout, layer, err);
	if (status)
		wh_error_prefix(err, "layer '%s'", name);
	return status;
}

/* Python sorts text by code point, which is the order of UTF-8's bytes. */
static int compare_layers(const void *a, const void *b)
{
	const struct mapping_layer *const *left = a, *const *right = b;

	return strcmp((*left)->name, (*right)->name);
}

static enum wh_status write_root(struct layout *layout,
				 const struct mapping_layer *const *layers,
				 struct wh_error *err)
{
	const struct layout_model *model = layout->model;
	wh_free_auto const char **names =
		calloc(model->n_layers + 1, sizeof(*names));
	uint32_t i;

	if (!names)
		return wh_fail_memory(err);
	for (i = 0; i < model->n_layers; i++)
		names[i] = layers[i]->name;
	WH_TRY(h5_names_write(layout->file.file, "layer_names", names,
			      model->n_layers, err));
	if (model->backend)
		WH_TRY(h5_text_write(layout->file.file, "backend",
				     model->backend, err));
	if (model->keras_version)
		WH_TRY(h5_text_write(layout->file.file, "keras_version",
				     model->keras_version, err));
	return WH_OK;
}

static enum wh_status write_all(struct layout *layout, struct wh_error *err)
{
	static const struct mapping_layer no_weights = {0};
	const struct layout_model *model = layout->model;
	wh_free_auto const struct mapping_layer **layers =
		calloc(model->n_layers + 1, sizeof(*layers));
	uint32_t i;

	if (!layers)
		return wh_fail_memory(err);
	for (i = 0; i < model->n_layers; i++)
		layers[i] = &model->layers[i];
	WH_TRY(write_root(layout, layers, err));
	qsort(layers, model->n_layers, sizeof(*layers), compare_layers);
	for (i = 0; i < model->n_layers; i++)
		WH_TRY(write_group(layout, layers[i]->name, layers[i], err));
	return write_group(layout, H5_TOP_LEVEL,
			   model->top ? model->top : &no_weights, err);
}

enum wh_status layout_write(const struct layout_model *model,
			    struct sparse_image *image, uint64_t *offset_of,
			    struct wh_error *err)
{
	h5_session_auto struct h5_session session = {0};
	__attribute__((cleanup(close_layout))) struct layout layout = {
		.model = model, .offset_of = offset_of};
	enum wh_status status;

	WH_TRY(h5_enter(&session, err));
	WH_TRY(image_file_open(&layout.file, image, err));
	status = write_all(&layout, err);
	leave_group(&layout);
	return status ? status : image_file_finish(&layout.file, err);
}
