#include "hdf5/plan.h"

#include <stdlib.h>
#include <string.h>

#include "base/auto.h"
#include "core/manifest.h"
#include "hdf5/classic/layout.h"
#include "hdf5/layout.h"
#include "hdf5/literals.h"
#include "hdf5/object.h"
#include "hdf5/types.h"

/* What a model that never was in a file of Keras is written as: with these,
 * loaders convert nothing. */
#define DEFAULT_BACKEND "tensorflow"
#define DEFAULT_VERSION "2.21.0"

WH_DEFINE_AUTO(wh_plan, wh_plan_free);
WH_DEFINE_AUTO(arena, arena_free);
WH_DEFINE_AUTO(sparse_image, sparse_image_free);
WH_DEFINE_AUTO(classic_writer, classic_writer_close);

static const char *attribute_text(const struct wh_manifest *manifest,
				  const char *key)
{
	const struct wh_attribute *at = mapping_h5_attribute(manifest, key);

	return at && at->kind == WH_VALUE_TEXT ? at->text : NULL;
}

/* The attributes decide how loaders convert, so they stay as they were, absent
 * ones too. */
static void choose_attributes(const struct wh_manifest *manifest,
			      struct layout_model *model)
{
	bool from_h5 = manifest->origin_format &&
		       strcmp(manifest->origin_format, "h5") == 0;

	model->backend = attribute_text(manifest, "backend");
	model->keras_version = attribute_text(manifest, "keras_version");
	if (from_h5 || model->backend || model->keras_version)
		return;
	model->backend = DEFAULT_BACKEND;
	model->keras_version = DEFAULT_VERSION;
}

static enum wh_status check_names(const struct mapping_layer *layer,
				  const char *group, struct wh_error *err)
{
	uint32_t i;

	if (!h5_name_is_plain(group))
		return wh_fail(err, WH_EUNSUPPORTED,
			       "layer '%s': HDF5 can't hold a group of this "
			       "name",
			       group);
	for (i = 0; i < layer->n_weights; i++)
		if (!h5_name_is_plain(layer->weights[i].name))
			return wh_fail(err, WH_EUNSUPPORTED,
				       "layer '%s': HDF5 can't hold a dataset "
				       "named '%s'",
				       group, layer->weights[i].name);
	return WH_OK;
}

static enum wh_status leave_out(const struct wh_tensor *tensor,
				const struct wh_plan_options *options,
				struct wh_plan *plan, struct wh_error *err)
{
	const char *dtype = wh_dtype_name(tensor->dtype);

	if (!options->skip_unsupported)
		return wh_fail(err, WH_EUNSUPPORTED,
			       "tensor '%s': HDF5 weights can't hold %s",
			       tensor->key, dtype ? dtype : "this dtype");
	return wh_plan_warn(plan, err,
			    "left out: tensor '%s', for HDF5 weights can't "
			    "hold %s",
			    tensor->key, dtype ? dtype : "this dtype");
}

/* Keeps the weights whose dtypes HDF5 holds, in place. */
static enum wh_status keep_weights(struct mapping_layer *layer,
				   const struct wh_plan_options *options,
				   struct wh_plan *plan, struct wh_error *err)
{
	const struct wh_manifest *manifest = &wh_plan_source(plan)->manifest;
	uint32_t i, kept = 0;

	for (i = 0; i < layer->n_weights; i++) {
		const struct wh_tensor *tensor =
			&manifest->tensors[layer->weights[i].tensor];

		if (h5_type_known(tensor->dtype))
			layer->weights[kept++] = layer->weights[i];
		else
			WH_TRY(leave_out(tensor, options, plan, err));
	}
	layer->n_weights = kept;
	return WH_OK;
}

/* Sorts out the model's own weights and checks what the file can't hold. */
static enum wh_status
choose_layers(struct mapping_h5 *names, const struct wh_plan_options *options,
	      struct wh_plan *plan, struct layout_model *model,
	      struct mapping_layer *own, struct wh_error *err)
{
	uint32_t i;

	model->layers = names->layers;
	model->top = own;
	for (i = 0; i < names->n_layers; i++) {
		struct mapping_layer *layer = &names->layers[i];
		bool top = layer->kind == WH_LAYER_MODEL;

		WH_TRY(check_names(layer, top ? H5_TOP_LEVEL : layer->name,
				   err));
		WH_TRY(keep_weights(layer, options, plan, err));
		if (!top)
			names->layers[model->n_layers++] = *layer;
		else
			*own = *layer;
	}
	return WH_OK;
}

static enum wh_status warn_of_left_out(struct wh_plan *plan,
				       enum wh_layer_kind kind,
				       const char *what, struct wh_error *err)
{
	const struct wh_manifest *manifest = &wh_plan_source(plan)->manifest;
	uint32_t i, n = 0;

	for (i = 0; i < manifest->n_layers; i++)
		if (manifest->layers[i].kind == kind)
			n += manifest->layers[i].n_variables;
	if (n == 0)
		return WH_OK;
	return wh_plan_warn(plan, err, "left out: %u %s tensor%s", n, what,
			    n == 1 ? "" : "s");
}

static enum wh_status warn(struct wh_plan *plan, const struct mapping_h5 *names,
			   struct wh_error *err)
{
	uint32_t i;

	for (i = 0; i < names->n_notes; i++)
		WH_TRY(wh_plan_warn(plan, err, "%s", names->notes[i]));
	WH_TRY(warn_of_left_out(plan, WH_LAYER_OPTIMIZER, "optimizer", err));
	return warn_of_left_out(plan, WH_LAYER_STATE, "state", err);
}

static uint64_t *make_offsets(uint32_t n_tensors)
{
	uint64_t *offset_of = calloc((size_t)n_tensors + 1, sizeof(*offset_of));
	uint32_t i;

	for (i = 0; offset_of && i < n_tensors; i++)
		offset_of[i] = LAYOUT_NOWHERE;
	return offset_of;
}

static enum wh_status lay_out_by_libhdf5(const struct layout_model *model,
					 struct wh_image *out,
					 struct wh_error *err)
{
	struct sparse_image image_memory = {0};
	wh_auto(sparse_image) image = &image_memory;
	wh_free_auto uint64_t *offset_of =
		make_offsets(model->manifest->n_tensors);

	if (!offset_of)
		return wh_fail_memory(err);
	WH_TRY(layout_write(model, image, offset_of, err));
	return literals_fill(model->manifest, image, offset_of, out, err);
}

static enum wh_status lay_out(struct wh_plan *plan,
			      const struct layout_model *model,
			      struct wh_error *err)
{
	struct classic_writer writer_memory = {0};
	wh_auto(classic_writer) writer = &writer_memory;
	wh_free_auto uint64_t *offset_of =
		make_offsets(model->manifest->n_tensors);
	struct wh_image *out;

	if (!offset_of)
		return wh_fail_memory(err);
	WH_TRY(wh_plan_add_image(plan, "", true, &out, err));
	if (!classic_layout(model, writer, offset_of))
		return lay_out_by_libhdf5(model, out, err);
	return literals_fill_classic(model->manifest, writer, offset_of, out,
				     err);
}

enum wh_status h5_plan(struct wh_source *source,
		       const struct wh_plan_options *options,
		       struct wh_plan **out, struct wh_error *err)
{
	struct arena arena_memory = {0};
	wh_auto(arena) arena = &arena_memory;
	wh_auto(wh_plan) plan = NULL;
	struct mapping_h5 names = {0};
	struct mapping_layer top = {0};
	struct layout_model model = {.manifest = &source->manifest};
	struct mapping_hints hints = {options->model_config, options->map};

	WH_TRY(wh_plan_new(source, &plan, err));
	WH_TRY(mapping_h5_names_by(&source->manifest, &hints, arena, &names,
				   err));
	WH_TRY(mapping_h5_check_order(&names, err));
	choose_attributes(&source->manifest, &model);
	WH_TRY(choose_layers(&names, options, plan, &model, &top, err));
	WH_TRY(warn(plan, &names, err));
	WH_TRY(lay_out(plan, &model, err));
	*out = wh_steal(&plan);
	return WH_OK;
}
