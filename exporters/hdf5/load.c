#include "hdf5/load.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "apart/apart.h"
#include "base/auto.h"
#include "base/text.h"
#include "core/manifest.h"
#include "core/name_map.h"
#include "hdf5/file_source.h"
#include "hdf5/keras3/load.h"
#include "hdf5/keras3/open.h"
#include "hdf5/layout.h"
#include "hdf5/readers.h"
#include "hdf5/session.h"
#include "hdf5/view.h"
#include "mapping/mapping.h"

#define MODEL_WEIGHTS	  "model_weights"
#define OPTIMIZER_WEIGHTS "optimizer_weights"

struct loader {
	struct h5_source *source;
	const struct wh_load_options *options;
	struct manifest_builder *builder;
	struct arena scratch; /* names while they are read */
	struct h5_view root, model;
	const struct h5_view *weights; /* the group with the layers */
	const char *prefix; /* of paths below it: "/", "/model_weights/" */
};

static void close_loader(struct loader *loader)
{
	view_close(&loader->model);
	view_close(&loader->root);
	manifest_builder_free(loader->builder);
	arena_free(&loader->scratch);
}

WH_DEFINE_AUTO(wh_source, wh_source_close);

/* ---- Weights ---------------------------------------------------------- */

/* A layer under way. */
struct layer_draft {
	const char *key_prefix; /* "hidden/"; "" for the model's own weights */
	const char *path;	/* of the group: "/hidden/" */
	uint32_t index;
	enum wh_role role;
};

static enum wh_status add_weight(struct loader *loader,
				 const struct h5_view *group,
				 const struct layer_draft *layer,
				 const char *name, struct wh_error *err)
{
	struct wh_variable variable = {.name = name, .role = layer->role};
	struct h5_kept *dataset;
	struct h5_view view_auto object = {0};
	const char *key =
		arena_join(&loader->scratch, layer->key_prefix, name, "");

	if (!key)
		return wh_fail_memory(err);
	WH_TRY(view_dataset(group, name, &object, err));
	WH_TRY(view_keep(&object, loader->options->max_nbytes, &dataset, err));
	if (dataset->packed)
		dataset->packed->path = arena_printf(&loader->source->arena,
						     "%s%s", layer->path, name);
	if (dataset->packed && !dataset->packed->path)
		return wh_fail_memory(err);
	WH_TRY(manifest_add_tensor(loader->builder, key, dataset->dtype,
				   dataset->rank, dataset->shape,
				   dataset->nbytes, &variable.tensor, err));
	return manifest_add_variable(loader->builder, layer->index, &variable,
				     err);
}

static enum wh_status add_weights(struct loader *loader,
				  const struct h5_view *group,
				  const struct layer_draft *layer,
				  struct wh_error *err)
{
	const char *const *names;
	enum wh_status status;
	uint32_t i, n;

	WH_TRY(view_names(group, "weight_names", &loader->scratch, &names, &n,
			  err));
	for (i = 0; i < n; i++) {
		status = add_weight(loader, group, layer, names[i], err);
		if (status) {
			wh_error_prefix(err, "weight '%s'", names[i]);
			return status;
		}
	}
	return WH_OK;
}

/* ---- Layers ----------------------------------------------------------- */

static enum wh_status add_layer(struct loader *loader, const char *name,
				enum wh_layer_kind kind,
				const struct h5_view *group, const char *path,
				struct wh_error *err)
{
	bool own = kind == WH_LAYER_MODEL;
	struct layer_draft layer = {
		.key_prefix =
			own ? "" : arena_join(&loader->scratch, name, "/", ""),
		.path = path,
		.role = kind == WH_LAYER_OPTIMIZER ? WH_ROLE_OPTIMIZER
						   : WH_ROLE_WEIGHT,
	};

	if (!layer.key_prefix || !layer.path)
		return wh_fail_memory(err);
	WH_TRY(manifest_add_layer(loader->builder, own ? "" : name, NULL, kind,
				  WH_NO_LAYER, &layer.index, err));
	return add_weights(loader, group, &layer, err);
}

/* The group `name` below `at` as a layer. */
static enum wh_status add_group(struct loader *loader, const struct h5_view *at,
				const char *prefix, const char *name,
				const char *layer_name, enum wh_layer_kind kind,
				struct wh_error *err)
{
	struct h5_view view_auto group = {0};
	enum wh_status status = view_group(at, name, &group, err);

	if (!status)
		status = add_layer(
			loader, layer_name, kind, &group,
			arena_join(&loader->scratch, prefix, name, "/"), err);
	if (status)
		wh_error_prefix(err, "layer '%s'", name);
	return status;
}

static enum wh_status check_distinct(const char *const *names, uint32_t n,
				     struct wh_error *err)
{
	struct name_map seen = {0};
	enum wh_status status = WH_OK;
	bool added = true;
	uint32_t i;

	for (i = 0; i < n && !status; i++) {
		status = name_map_add(&seen, names[i], i, &added, err);
		if (!status && !added)
			status =
				wh_fail(err, WH_ECORRUPT,
					"layer '%s' is listed twice", names[i]);
		if (!status && strcmp(names[i], H5_TOP_LEVEL) == 0)
			status = wh_fail(err, WH_ECORRUPT,
					 "a layer can't be named '%s'",
					 names[i]);
	}
	name_map_free(&seen);
	return status;
}

static enum wh_status add_layers(struct loader *loader, struct wh_error *err)
{
	const char *const *names;
	uint32_t i, n;

	WH_TRY(view_names(loader->weights, "layer_names", &loader->scratch,
			  &names, &n, err));
	WH_TRY(check_distinct(names, n, err));
	for (i = 0; i < n; i++)
		WH_TRY(add_group(loader, loader->weights, loader->prefix,
				 names[i], names[i], WH_LAYER, err));
	if (view_has(loader->weights, H5_TOP_LEVEL))
		WH_TRY(add_group(loader, loader->weights, loader->prefix,
				 H5_TOP_LEVEL, "", WH_LAYER_MODEL, err));
	if (view_has(&loader->root, OPTIMIZER_WEIGHTS))
		WH_TRY(add_group(loader, &loader->root, "/", OPTIMIZER_WEIGHTS,
				 "optimizer", WH_LAYER_OPTIMIZER, err));
	return WH_OK;
}

/* ---- Keras before 1.0.? : counted layers ------------------------------ */

static enum wh_status add_counted_weights(struct loader *loader,
					  const struct h5_view *group,
					  const struct layer_draft *layer,
					  struct wh_error *err)
{
	char name[32];
	uint32_t i, n = 0;
	bool found;

	WH_TRY(view_count(group, "nb_params", WH_MAX_TENSORS, &n, &found, err));
	for (i = 0; found && i < n; i++) {
		snprintf(name, sizeof(name), "param_%u", i);
		WH_TRY(add_weight(loader, group, layer, name, err));
	}
	return WH_OK;
}

static enum wh_status add_counted_layer(struct loader *loader, uint32_t ordinal,
					struct wh_error *err)
{
	struct h5_view view_auto group = {0};
	struct layer_draft layer = {.role = WH_ROLE_WEIGHT};
	char name[32];

	snprintf(name, sizeof(name), "layer_%u", ordinal);
	layer.key_prefix = arena_printf(&loader->scratch, "%s/", name);
	layer.path =
		arena_printf(&loader->scratch, "%s%s/", loader->prefix, name);
	if (!layer.key_prefix || !layer.path)
		return wh_fail_memory(err);
	WH_TRY(view_group(loader->weights, name, &group, err));
	WH_TRY(manifest_add_layer(loader->builder, name, NULL, WH_LAYER,
				  WH_NO_LAYER, &layer.index, err));
	return add_counted_weights(loader, &group, &layer, err);
}

static enum wh_status add_counted_layers(struct loader *loader,
					 struct wh_error *err)
{
	uint32_t i, n = 0;
	bool found;

	WH_TRY(view_count(loader->weights, "nb_layers", WH_MAX_LAYERS, &n,
			  &found, err));
	for (i = 0; i < n; i++)
		WH_TRY(add_counted_layer(loader, i, err));
	return WH_OK;
}

/* ---- Attributes ------------------------------------------------------- */

static enum wh_status add_attributes(struct loader *loader,
				     const struct h5_view *object,
				     const char *path, struct wh_error *err)
{
	static const char *const keys[] = {"keras_version", "backend",
					   "model_config", "training_config"};
	size_t i, size;

	for (i = 0; i < sizeof(keys) / sizeof(keys[0]); i++) {
		struct wh_attribute attribute = {.path = path, .key = keys[i]};

		WH_TRY(view_text(object, keys[i], &loader->scratch,
				 &attribute.text, &size, err));
		attribute.size = size;
		if (attribute.text && !text_is_name(attribute.text, size))
			attribute.kind = WH_VALUE_BYTES;
		if (attribute.text)
			WH_TRY(manifest_add_attribute(loader->builder,
						      &attribute, err));
	}
	return WH_OK;
}

static enum wh_status name_generator(struct loader *loader,
				     struct wh_error *err)
{
	struct wh_manifest *manifest = &loader->source->base.manifest;
	const struct wh_attribute *version =
		manifest_attribute(manifest, MODEL_WEIGHTS, "keras_version");

	if (!version)
		version = manifest_attribute(manifest, "", "keras_version");
	if (!version || version->kind != WH_VALUE_TEXT || version->size > 64)
		return WH_OK;
	manifest->origin_generator =
		arena_printf(&loader->source->arena, "keras %s", version->text);
	return manifest->origin_generator ? WH_OK : wh_fail_memory(err);
}

/* ---- The file --------------------------------------------------------- */

/* By content: the name of the file never decides. */
static enum wh_status add_model(struct loader *loader, struct wh_error *err)
{
	if (keras3_tree_is_root(&loader->root))
		return wh_fail(err, WH_EMISMATCH,
			       "this is a Keras 3 weights file (.weights.h5), "
			       "whose format is called keras3");
	loader->weights = &loader->root;
	loader->prefix = "/";
	WH_TRY(add_attributes(loader, &loader->root, "", err));
	if (view_has_attribute(&loader->root, "layer_names") ||
	    view_has_attribute(&loader->root, "layer_names0"))
		return add_layers(loader, err);
	if (view_has(&loader->root, MODEL_WEIGHTS)) {
		loader->prefix = "/" MODEL_WEIGHTS "/";
		WH_TRY(view_group(&loader->root, MODEL_WEIGHTS, &loader->model,
				  err));
		loader->weights = &loader->model;
		WH_TRY(add_attributes(loader, loader->weights, MODEL_WEIGHTS,
				      err));
		if (view_has_attribute(loader->weights, "nb_layers"))
			return add_counted_layers(loader, err);
		return add_layers(loader, err);
	}
	if (view_has_attribute(&loader->root, "nb_layers"))
		return add_counted_layers(loader, err);
	return wh_fail(err, WH_ECORRUPT,
		       "an HDF5 file, but not of Keras weights: it has neither "
		       "'layer_names' nor '" MODEL_WEIGHTS "'");
}

static enum wh_status finish(struct loader *loader, struct wh_error *err)
{
	struct wh_manifest *manifest = &loader->source->base.manifest;
	struct wh_template *template_;

	WH_TRY(h5_template_make(loader->source, loader->builder, &template_,
				err));
	WH_TRY(manifest_finish(loader->builder, manifest, err));
	manifest->origin_format = "h5";
	manifest->template_ = template_;
	WH_TRY(name_generator(loader, err));
	return mapping_paths_from_names(manifest, &loader->source->arena, err);
}

static enum wh_status read_by_classic(struct loader *loader,
				      struct wh_error *err)
{
	apart_close_doors();
	if (!view_classic_root(loader->source, &loader->root))
		return WH_EUNSUPPORTED;
	WH_TRY(add_model(loader, err));
	return view_is_sure(loader->source) ? WH_OK : WH_EUNSUPPORTED;
}

static enum wh_status read_by_libhdf5(struct loader *loader,
				      struct wh_error *err)
{
	h5_session_auto struct h5_session session = {0};
	enum wh_status status = h5_enter(&session, err);

	apart_close_doors();
	if (!status)
		status = view_libhdf5_root(loader->source, &loader->root, err);
	if (!status)
		status = add_model(loader, err);
	view_close(&loader->model);
	view_close(&loader->root);
	if (!status)
		h5_source_stop(loader->source);
	return status;
}

static enum wh_status load_all(struct h5_source *source,
			       const struct wh_load_options *options,
			       bool by_classic, struct wh_error *err)
{
	__attribute__((cleanup(close_loader))) struct loader loader = {
		.source = source, .options = options};

	if (!h5_source_has_signature(source))
		return wh_fail(err, WH_ECORRUPT,
			       "not an HDF5 file (file signature not found)");
	WH_TRY(manifest_builder_new(&source->arena, &loader.builder, err));
	WH_TRY(by_classic ? read_by_classic(&loader, err)
			  : read_by_libhdf5(&loader, err));
	return finish(&loader, err);
}

enum wh_status h5_source_load(struct h5_source *source,
			      const struct wh_load_options *options,
			      bool by_classic, struct wh_error *err)
{
	enum wh_status status = load_all(source, options, by_classic, err);

	if (status && by_classic)
		status = view_declined(source, err);
	return status;
}

enum wh_status h5_load_by(const char *path,
			  const struct wh_load_options *options,
			  bool by_classic, struct wh_source **out,
			  struct wh_error *err)
{
	wh_auto(wh_source) held = NULL;
	struct h5_source *source;
	enum wh_status status;

	WH_TRY(h5_source_open(path, &source, err));
	held = &source->base;
	status = h5_source_load(source, options, by_classic, err);
	if (status) {
		wh_error_prefix(err, "'%s'", path);
		return status;
	}
	h5_source_close_classic(source);
	*out = wh_steal(&held);
	return WH_OK;
}

static enum wh_status load_by_classic(const char *path,
				      const struct wh_load_options *options,
				      struct wh_source **out,
				      struct wh_error *err)
{
	return h5_load_by(path, options, true, out, err);
}

static enum wh_status load_by_libhdf5(const char *path,
				      const struct wh_load_options *options,
				      struct wh_source **out,
				      struct wh_error *err)
{
	return h5_load_by(path, options, false, out, err);
}

enum wh_status h5_load(const char *path, const struct wh_load_options *options,
		       struct wh_source **out, struct wh_error *err)
{
	struct stat at = {0};

	stat(path, &at); /* what isn't there is told when it is opened */
	return readers_load(load_by_classic, load_by_libhdf5, path,
			    (uint64_t)at.st_size, options, out, err);
}

bool h5_probe(const char *path)
{
	enum keras3_kind kind;
	struct h5_source *source;
	bool found;

	if (h5_source_open(path, &source, NULL))
		return false;
	found = h5_source_has_signature(source);
	wh_source_close(&source->base);
	if (!found)
		return false;
	kind = keras3_kind_of_file(path);
	return kind == KERAS3_NONE || kind == KERAS3_MAYBE;
}
