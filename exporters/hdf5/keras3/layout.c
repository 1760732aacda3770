/* The order of the calls decides the bytes: it is that of H5IOStore in
 * keras.src.saving.saving_lib (3.15) under h5py (FORMAT.md, "Writing"). */
#include "hdf5/keras3/layout.h"

#include "hdf5/attribute_write.h"
#include "hdf5/image_file.h"
#include "hdf5/object.h"

struct layout {
	const struct wh_manifest *manifest;
	struct image_file file;
	uint64_t *offset_of;
	hid_t group, vars; /* of the object at hand */
};

static void leave_object(struct layout *layout)
{
	h5_release(&layout->vars);
	h5_release(&layout->group);
	layout->vars = layout->group = 0;
}

static void close_layout(struct layout *layout)
{
	leave_object(layout);
	image_file_close(&layout->file);
}

static hid_t create_group(const struct layout *layout, hid_t at,
			  const char *path)
{
	return image_file_group(&layout->file, at, path,
				image_file_links(&layout->file, path));
}

static enum wh_status begin_object(struct layout *layout,
				   const struct keras3_object *object,
				   bool named, struct wh_error *err)
{
	hid_t at = layout->file.file;

	leave_object(layout);
	if (*object->path) {
		if (!h5_name_is_plain(object->path))
			return wh_fail(err, WH_EUNSUPPORTED,
				       "HDF5 can't hold an object '%s'",
				       object->path);
		at = layout->group = create_group(layout, at, object->path);
	}
	if (at > 0)
		layout->vars = create_group(layout, at, "vars");
	if (layout->vars <= 0)
		return wh_fail(err, WH_EUNSUPPORTED,
			       "libhdf5 can't create the object '%s': its name "
			       "is another's, too",
			       object->path);
	return named && object->name
		       ? h5_utf8_write(layout->vars, "name", object->name, err)
		       : WH_OK;
}

/* h5py gives most datasets their link last; those with an attribute it makes
 * by name. */
static enum wh_status write_value(struct layout *layout,
				  const struct keras3_value *value,
				  struct wh_error *err)
{
	const struct wh_tensor *tensor =
		&layout->manifest->tensors[value->tensor];
	h5_auto hid_t dataset = 0;

	if (!h5_name_is_plain(value->key))
		return wh_fail(err, WH_EUNSUPPORTED,
			       "HDF5 can't hold a variable '%s'", value->key);
	WH_TRY(image_file_dataset(
		&layout->file, layout->vars, value->dtype ? value->key : NULL,
		tensor, &dataset, &layout->offset_of[value->tensor], err));
	if (value->dtype)
		return h5_utf8_write(dataset, "dtype", value->dtype, err);
	if (H5Olink(dataset, layout->vars, value->key,
		    image_file_links(&layout->file, value->key),
		    H5P_DEFAULT) < 0)
		return wh_fail(err, WH_EUNSUPPORTED,
			       "libhdf5 can't link its dataset");
	return WH_OK;
}

/* `*current`: the shard at hand as Keras goes through the objects. */
static enum wh_status write_object(struct layout *layout,
				   const struct keras3_object *object,
				   uint32_t shard, uint32_t *current,
				   struct wh_error *err)
{
	bool begun = *current == shard;
	enum wh_status status;
	uint32_t i;

	if (begun)
		WH_TRY(begin_object(layout, object, true, err));
	for (i = 0; i < object->n_values; i++) {
		const struct keras3_value *value = &object->values[i];

		*current = value->shard;
		if (value->shard != shard)
			continue;
		if (!begun)
			WH_TRY(begin_object(layout, object, false, err));
		begun = true;
		status = write_value(layout, value, err);
		if (status) {
			wh_error_prefix(err, "'%s' variable '%s'", object->path,
					value->key);
			return status;
		}
	}
	return WH_OK;
}

static enum wh_status write_all(struct layout *layout,
				const struct keras3_objects *objects,
				uint32_t shard, struct wh_error *err)
{
	uint32_t i, current = 0;

	for (i = 0; i < objects->n; i++)
		WH_TRY(write_object(layout, &objects->list[i], shard, &current,
				    err));
	leave_object(layout);
	return WH_OK;
}

enum wh_status keras3_layout_write(const struct wh_manifest *manifest,
				   const struct keras3_objects *objects,
				   uint32_t shard, struct sparse_image *image,
				   uint64_t *offset_of, struct wh_error *err)
{
	h5_session_auto struct h5_session session = {0};
	__attribute__((cleanup(close_layout))) struct layout layout = {
		.manifest = manifest, .offset_of = offset_of};

	WH_TRY(h5_enter(&session, err));
	WH_TRY(image_file_open(&layout.file, image, err));
	WH_TRY(write_all(&layout, objects, shard, err));
	return image_file_finish(&layout.file, err);
}
