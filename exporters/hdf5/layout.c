/* The order of the calls and every property decide the bytes: they are those
 * of h5py under Keras 2.21 (FORMAT.md, "Writing").
 */
#include "hdf5/layout.h"

#include <stdlib.h>
#include <string.h>

#include "base/auto.h"
#include "hdf5/attribute_write.h"
#include "hdf5/session.h"
#include "hdf5/types.h"

#define N_DTYPES	(WH_UINT2 + 1)
#define LARGEST_ELEMENT 16u /* complex128 */

struct layout {
	const struct layout_model *model;
	struct sparse_image *image;
	hid_t file;
	/* Keras gives names of layers as text, of weights as bytes: only
	 * the former get the UTF-8 flag, if they are not ASCII. */
	hid_t links, utf8_links;
	hid_t create_dataset, one; /* `one`: the space of a single element */
	hid_t types[N_DTYPES];	   /* 0: not made yet */
	uint64_t *offset_of;
	/* Of the group under way. */
	hid_t group, parent;	 /* parent: where the last weight went */
	const char *parent_path; /* `parent_len` bytes of that weight's name */
	size_t parent_len;
	bool has_weights;
};

static bool is_ascii(const char *text)
{
	for (; *text; text++)
		if (*text & 0x80)
			return false;
	return true;
}

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
	size_t i;

	for (i = 0; i < N_DTYPES; i++)
		h5_release(&layout->types[i]);
	leave_group(layout);
	h5_release(&layout->one);
	h5_release(&layout->create_dataset);
	h5_release(&layout->links);
	h5_release(&layout->utf8_links);
	if (layout->file > 0)
		H5Fclose(layout->file);
	sparse_fd_drop(layout->image);
}

/* A sieve buffer of one byte: the one element of each dataset is then not
 * surrounded by 64 KiB of zeros. */
static hid_t make_access(struct sparse_image *image)
{
	hid_t access = H5Pcreate(H5P_FILE_ACCESS);

	if (sparse_fd_use(access, image) < 0 ||
	    H5Pset_libver_bounds(access, H5F_LIBVER_EARLIEST,
				 H5F_LIBVER_LATEST) < 0 ||
	    H5Pset_fclose_degree(access, H5F_CLOSE_STRONG) < 0 ||
	    H5Pset_sieve_buf_size(access, 1) < 0) {
		H5Pclose(access);
		return -1;
	}
	return access;
}

static hid_t make_link_list(H5T_cset_t charset)
{
	hid_t list = H5Pcreate(H5P_LINK_CREATE);

	if (H5Pset_create_intermediate_group(list, 1) < 0 ||
	    H5Pset_char_encoding(list, charset) < 0) {
		H5Pclose(list);
		return -1;
	}
	return list;
}

static enum wh_status open_layout(struct layout *layout, struct wh_error *err)
{
	h5_auto hid_t access = make_access(layout->image);

	if (access < 0)
		return wh_fail_memory(err);
	layout->links = make_link_list(H5T_CSET_ASCII);
	layout->utf8_links = make_link_list(H5T_CSET_UTF8);
	layout->create_dataset = H5Pcreate(H5P_DATASET_CREATE);
	layout->one = H5Screate(H5S_SCALAR);
	if (layout->links < 0 || layout->utf8_links < 0 || layout->one < 0 ||
	    H5Pset_obj_track_times(layout->create_dataset, false) < 0)
		return wh_fail_memory(err);
	layout->file =
		H5Fcreate("weighhouse", H5F_ACC_TRUNC, H5P_DEFAULT, access);
	if (layout->file < 0)
		return wh_fail_memory(err);
	return WH_OK;
}

static hid_t create_group(hid_t at, const char *name, hid_t links)
{
	return H5Gcreate2(at, name, links, H5P_DEFAULT, H5P_DEFAULT);
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
		layout->parent =
			create_group(layout->group, path, layout->links);
	if (layout->parent < 0)
		return fail_clash("dataset", name, err);
	layout->parent_path = name;
	layout->parent_len = len;
	return WH_OK;
}

static hid_t type_of(struct layout *layout, enum wh_dtype dtype)
{
	if (layout->types[dtype] <= 0)
		layout->types[dtype] = h5_type_make(dtype);
	return layout->types[dtype];
}

static hid_t make_space(const struct wh_tensor *tensor)
{
	hsize_t dims[WH_MAX_RANK];
	uint32_t i;

	if (tensor->rank == 0)
		return H5Screate(H5S_SCALAR);
	for (i = 0; i < tensor->rank; i++)
		dims[i] = tensor->shape[i];
	return H5Screate_simple((int)tensor->rank, dims, NULL);
}

/* libhdf5 allocates a contiguous dataset, whole, when its first element is
 * written. With the property for early allocation the header would differ. */
static herr_t poke(const struct layout *layout, hid_t dataset, hid_t type,
		   hid_t space, uint32_t rank)
{
	static const uint8_t zeros[LARGEST_ELEMENT];
	static const hsize_t origin[WH_MAX_RANK];

	if (rank && H5Sselect_elements(space, H5S_SELECT_SET, 1, origin) < 0)
		return -1;
	return H5Dwrite(dataset, type, layout->one, space, H5P_DEFAULT, zeros);
}

static enum wh_status write_dataset(struct layout *layout, hid_t at,
				    const char *leaf,
				    const struct mapping_weight *weight,
				    struct wh_error *err)
{
	const struct wh_tensor *tensor =
		&layout->model->manifest->tensors[weight->tensor];
	hid_t type = type_of(layout, tensor->dtype);
	h5_auto hid_t space = make_space(tensor);
	h5_auto hid_t dataset = H5Dcreate2(at, leaf, type, space, layout->links,
					   layout->create_dataset, H5P_DEFAULT);
	haddr_t offset;

	if (dataset < 0 && H5Lexists(at, leaf, H5P_DEFAULT) > 0)
		return fail_clash("dataset", weight->name, err);
	if (dataset < 0)
		return wh_fail(err, WH_EUNSUPPORTED,
			       "libhdf5 can't create the dataset of weight "
			       "'%s'",
			       weight->name);
	layout->offset_of[weight->tensor] = LAYOUT_NOWHERE;
	if (tensor->nbytes == 0)
		return WH_OK;
	if (poke(layout, dataset, type, space, tensor->rank) < 0)
		return wh_fail(err, WH_EUNSUPPORTED,
			       "libhdf5 can't allocate weight '%s'",
			       weight->name);
	offset = H5Dget_offset(dataset);
	if (offset == HADDR_UNDEF)
		return wh_fail(err, WH_EUNSUPPORTED,
			       "libhdf5 gives no place to weight '%s'",
			       weight->name);
	layout->offset_of[weight->tensor] = offset;
	return WH_OK;
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
	layout->group = create_group(layout->file, name,
				     is_ascii(name) ? layout->links
						    : layout->utf8_links);
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
	WH_TRY(h5_names_write(layout->file, "layer_names", names,
			      model->n_layers, err));
	if (model->backend)
		WH_TRY(h5_text_write(layout->file, "backend", model->backend,
				     err));
	if (model->keras_version)
		WH_TRY(h5_text_write(layout->file, "keras_version",
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
		.model = model, .image = image, .offset_of = offset_of};
	enum wh_status status;
	herr_t closed;

	WH_TRY(h5_enter(&session, err));
	image->poke_size = LARGEST_ELEMENT;
	WH_TRY(open_layout(&layout, err));
	status = write_all(&layout, err);
	leave_group(&layout);
	closed = H5Fclose(layout.file);
	layout.file = 0;
	if (image->out_of_memory)
		return wh_fail_memory(err);
	if (!status && closed < 0)
		return wh_fail(err, WH_EUNSUPPORTED,
			       "libhdf5 can't finish the file");
	return status;
}
