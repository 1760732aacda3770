#include "hdf5/keras3/plan.h"

#include <stdlib.h>
#include <string.h>

#include "base/auto.h"
#include "base/text.h"
#include "hdf5/image_file.h"
#include "hdf5/keras3/layout.h"
#include "hdf5/literals.h"
#include "hdf5/types.h"

#define HDF5_SUFFIX    ".weights.h5"
#define MAP_SUFFIX     ".weights.json"
#define ARCHIVE_SUFFIX ".keras"

WH_DEFINE_AUTO(wh_plan, wh_plan_free);
WH_DEFINE_AUTO(arena, arena_free);
WH_DEFINE_AUTO(sparse_image, sparse_image_free);

struct planning {
	struct wh_source *source;
	const struct wh_plan_options *options;
	struct keras3_objects objects;
	struct wh_plan *plan;
	struct arena *arena;
};

/* ---- What the file can't hold ----------------------------------------- */

static enum wh_status leave_out(const struct planning *planning,
				const struct wh_tensor *tensor,
				struct wh_error *err)
{
	const char *dtype = wh_dtype_name(tensor->dtype);

	if (!planning->options->skip_unsupported)
		return wh_fail(err, WH_EUNSUPPORTED,
			       "tensor '%s': Keras 3 weights can't hold %s",
			       tensor->key, dtype ? dtype : "this dtype");
	return wh_plan_warn(planning->plan, err,
			    "left out: tensor '%s', for Keras 3 weights can't "
			    "hold %s",
			    tensor->key, dtype ? dtype : "this dtype");
}

static enum wh_status keep_values(const struct planning *planning,
				  struct wh_error *err)
{
	const struct wh_manifest *manifest = &planning->source->manifest;
	uint32_t i, j, kept;

	for (i = 0; i < planning->objects.n; i++) {
		struct keras3_object *object = &planning->objects.list[i];

		for (j = 0, kept = 0; j < object->n_values; j++) {
			const struct wh_tensor *tensor =
				&manifest->tensors[object->values[j].tensor];

			if (h5_type_known(tensor->dtype))
				object->values[kept++] = object->values[j];
			else
				WH_TRY(leave_out(planning, tensor, err));
		}
		object->n_values = kept;
	}
	return WH_OK;
}

/* ---- One file --------------------------------------------------------- */

enum wh_status keras3_image_fill(struct wh_source *source,
				 const struct keras3_objects *objects,
				 uint32_t shard, struct wh_image *image,
				 struct wh_error *err)
{
	struct sparse_image laid_out = {0};
	wh_auto(sparse_image) held = &laid_out;
	uint32_t i, n_tensors = source->manifest.n_tensors;
	wh_free_auto uint64_t *offset_of =
		calloc((size_t)n_tensors + 1, sizeof(*offset_of));

	if (!offset_of)
		return wh_fail_memory(err);
	for (i = 0; i < n_tensors; i++)
		offset_of[i] = IMAGE_NOWHERE;
	WH_TRY(keras3_layout_write(&source->manifest, objects, shard, held,
				   offset_of, err));
	return literals_fill(&source->manifest, held, offset_of, image, err);
}

static enum wh_status plan_hdf5(struct planning *planning, struct wh_error *err)
{
	struct wh_image *image;
	uint32_t i, j;

	for (i = 0; i < planning->objects.n; i++)
		for (j = 0; j < planning->objects.list[i].n_values; j++)
			planning->objects.list[i].values[j].shard = 0;
	WH_TRY(wh_plan_add_image(planning->plan, "", true, &image, err));
	return keras3_image_fill(planning->source, &planning->objects, 0, image,
				 err);
}

/* Keras keeps vocabularies beside the weights, as assets of the archive. */
static enum wh_status tell_tables(struct planning *planning,
				  const struct config_layer *layer,
				  struct wh_error *err)
{
	uint32_t i;

	if (layer->holds_table)
		WH_TRY(wh_plan_warn(planning->plan, err,
				    "left out: the vocabulary of layer '%s'",
				    layer->name));
	for (i = 0; i < layer->n_children; i++)
		WH_TRY(tell_tables(planning, &layer->children[i], err));
	return WH_OK;
}

static enum wh_status plan_archive(struct planning *planning,
				   struct wh_error *err)
{
	const struct wh_attribute *own = manifest_attribute(
		&planning->source->manifest, "", "model_config");
	const char *config = planning->options->model_config;
	const struct config_layer *model;
	struct wh_image *image;
	struct wh_error ignored;

	if (!config && own && own->kind == WH_VALUE_TEXT)
		config = own->text;
	if (!config)
		return wh_fail(err, WH_EUNSUPPORTED,
			       "a .keras archive holds the model's "
			       "configuration, which is not known here; "
			       "--model-config FILE (Keras 3's to_json(), or an "
			       "archive's config.json; not tf-keras's "
			       "to_json()) gives it");
	/* A subclassed model's lists no layers. */
	if (config_parse(config, planning->arena, &model, &ignored) == WH_OK)
		WH_TRY(tell_tables(planning, model, err));
	WH_TRY(wh_plan_add_image(planning->plan, "", true, &image, err));
	return keras3_archive_fill(planning->source, &planning->objects, config,
				   image, err);
}

/* ---- Shards ----------------------------------------------------------- */

/* What the path's end gives way to: ".weights.json", or, with a word on it,
 * ".weights.h5", as in Keras. */
static enum wh_status choose_old(struct planning *planning, const char **old,
				 struct wh_error *err)
{
	const char *path = planning->options->filepath;

	*old = "";
	if (!path)
		return WH_OK;
	if (text_ends(path, MAP_SUFFIX)) {
		*old = MAP_SUFFIX;
		return WH_OK;
	}
	if (!text_ends(path, HDF5_SUFFIX))
		return wh_fail(err, WH_EINVAL,
			       "The filename must end in `.weights.json` when "
			       "`max_shard_size` is specified. Received: "
			       "filepath=%s",
			       path);
	*old = HDF5_SUFFIX;
	return wh_plan_warn(planning->plan, err,
			    "shards need the suffix .weights.json: the map is "
			    "written under that name");
}

static const char *find_base(const struct planning *planning, const char *old)
{
	const char *path = planning->options->filepath;
	const char *slash = path ? strrchr(path, '/') : NULL;
	const char *name = slash ? slash + 1 : path ? path : "";

	return arena_bytes(planning->arena, name, strlen(name) - strlen(old));
}

static uint32_t count_shards(const struct keras3_objects *objects)
{
	uint32_t i, j, n = 0;

	for (i = 0; i < objects->n; i++)
		for (j = 0; j < objects->list[i].n_values; j++)
			if (objects->list[i].values[j].shard > n)
				n = objects->list[i].values[j].shard;
	return n + 1;
}

static enum wh_status add_shards(struct planning *planning, const char *old,
				 struct wh_error *err)
{
	uint32_t i, n = count_shards(&planning->objects);
	struct wh_image *image;

	for (i = 0; i < n; i++) {
		const char *suffix =
			arena_printf(planning->arena, "%s%s_%05u" HDF5_SUFFIX,
				     old, *old ? "*" : "", i);

		if (!suffix)
			return wh_fail_memory(err);
		WH_TRY(wh_plan_add_image(planning->plan, suffix, false, &image,
					 err));
		WH_TRY(keras3_image_fill(planning->source, &planning->objects,
					 i, image, err));
	}
	return WH_OK;
}

static enum wh_status add_map(struct planning *planning, const char *old,
			      const char *base, struct wh_error *err)
{
	const char *suffix = strcmp(old, MAP_SUFFIX) == 0 ? ""
			     : *old ? HDF5_SUFFIX "*" MAP_SUFFIX
				    : MAP_SUFFIX;
	struct wh_buf text = {0};
	struct wh_image *image;
	enum wh_status status;

	WH_TRY(wh_plan_add_image(planning->plan, suffix, true, &image, err));
	status = keras3_map_write(&planning->source->manifest,
				  &planning->objects, base, &text, err);
	if (!status)
		status = wh_image_literal(image, text.data, text.size, err);
	wh_buf_free(&text);
	return status;
}

static enum wh_status plan_shards(struct planning *planning,
				  struct wh_error *err)
{
	const char *old, *base;

	WH_TRY(choose_old(planning, &old, err));
	base = find_base(planning, old);
	if (!base)
		return wh_fail_memory(err);
	if (planning->options->max_shard_size)
		WH_TRY(keras3_shards_choose(
			&planning->source->manifest, &planning->objects,
			planning->options->max_shard_size, err));
	WH_TRY(add_shards(planning, old, err));
	return add_map(planning, old, base, err);
}

/* ---- By the path ------------------------------------------------------ */

static enum wh_status plan_files(struct planning *planning,
				 struct wh_error *err)
{
	const char *path = planning->options->filepath;

	if (path && text_ends(path, ARCHIVE_SUFFIX) &&
	    !planning->options->max_shard_size)
		return plan_archive(planning, err);
	if (planning->options->max_shard_size ||
	    (path && text_ends(path, MAP_SUFFIX)))
		return plan_shards(planning, err);
	if (path && !text_ends(path, HDF5_SUFFIX))
		return wh_fail(err, WH_EINVAL,
			       "The filename must end in `.weights.h5`. "
			       "Received: filepath=%s",
			       path);
	return plan_hdf5(planning, err);
}

enum wh_status keras3_plan(struct wh_source *source,
			   const struct wh_plan_options *options,
			   struct wh_plan **out, struct wh_error *err)
{
	struct arena arena_memory = {0};
	wh_auto(arena) arena = &arena_memory;
	wh_auto(wh_plan) plan = NULL;
	struct planning planning = {
		.source = source, .options = options, .arena = arena};
	struct mapping_hints hints = {options->model_config, options->map};
	struct mapping_objects mapped = {0};
	uint32_t i;

	WH_TRY(wh_plan_new(source, &plan, err));
	planning.plan = plan;
	WH_TRY(mapping_objects(&source->manifest, &hints, arena, &mapped, err));
	planning.objects = mapped.objects;
	for (i = 0; i < mapped.n_notes; i++)
		WH_TRY(wh_plan_warn(plan, err, "%s", mapped.notes[i]));
	WH_TRY(keep_values(&planning, err));
	WH_TRY(plan_files(&planning, err));
	*out = wh_steal(&plan);
	return WH_OK;
}

bool keras3_fits(const struct wh_manifest *manifest, const char *filepath)
{
	bool archive = manifest_attribute(manifest, "metadata.json",
					  "keras_version") != NULL;
	bool sharded = manifest->template_->n_files > 1;

	if (!filepath)
		return true;
	if (text_ends(filepath, MAP_SUFFIX))
		return sharded;
	if (text_ends(filepath, ARCHIVE_SUFFIX))
		return archive;
	return text_ends(filepath, ".h5") && !sharded && !archive;
}

/* "_00001.weights.h5"; "_1.weights.h5" is a model's of that epoch. */
static bool is_shard_suffix(const char *suffix)
{
	const char *at = text_starts(suffix, "_") ? suffix + 1 : NULL;

	at = at ? text_after_counter(at) : NULL;
	return at && strcmp(at, HDF5_SUFFIX) == 0;
}

enum wh_beside keras3_beside(const struct wh_plan *plan, const char *path,
			     const char *name)
{
	const char *slash = strrchr(path, '/');
	const char *base = slash ? slash + 1 : path;
	bool sharded = wh_plan_n_images(plan) > 1;
	size_t stem = strlen(base);

	if (sharded && strcmp(name, base) == 0)
		return WH_BESIDE_REPLACED;
	stem -= strlen(text_ends(base, MAP_SUFFIX)    ? MAP_SUFFIX
		       : text_ends(base, HDF5_SUFFIX) ? HDF5_SUFFIX
						      : "");
	if (strncmp(name, base, stem) != 0)
		return WH_BESIDE_STRANGER;
	/* Keras loads each by its own name. */
	if (strcmp(name + stem, sharded ? HDF5_SUFFIX : MAP_SUFFIX) == 0)
		return WH_BESIDE_TWIN;
	return sharded && is_shard_suffix(name + stem) ? WH_BESIDE_REPLACED
						       : WH_BESIDE_STRANGER;
}
