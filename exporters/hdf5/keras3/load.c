#include "hdf5/keras3/load.h"

#include <jansson.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "apart/apart.h"
#include "base/auto.h"
#include "base/json_put.h"
#include "base/text.h"
#include "core/manifest.h"
#include "hdf5/keras3/open.h"
#include "hdf5/keras3/refresh.h"
#include "hdf5/readers.h"
#include "hdf5/session.h"

#define SHARD_SUFFIX ".weights.h5"
#define SHARD_DIGITS 5u

struct loader {
	struct keras3_opened opened;
	struct arena scratch;
	struct keras3_tree tree;
	struct manifest_builder *builder;
	bool by_classic; /* else by libhdf5 (hdf5/view.h) */
};

static void close_loader(struct loader *loader)
{
	if (loader->opened.source)
		wh_source_close(&loader->opened.source->base);
	keras3_opened_free(&loader->opened);
	keras3_tree_free(&loader->tree);
	manifest_builder_free(loader->builder);
	arena_free(&loader->scratch);
}

/* ---- Trees ------------------------------------------------------------ */

static enum wh_status read_tree(struct loader *loader, uint32_t part,
				const struct h5_view *root,
				struct wh_error *err)
{
	struct h5_source *source = loader->opened.source->parts[part];

	if (part == 0 && !keras3_tree_is_root(root))
		return wh_fail(err, WH_ECORRUPT,
			       "an HDF5 file, but not of Keras 3's layout: it "
			       "has neither 'layers' nor 'vars'");
	return keras3_tree_read(&loader->tree, source, part, root, err);
}

static enum wh_status read_by_classic(struct loader *loader, uint32_t part,
				      struct wh_error *err)
{
	struct h5_source *source = loader->opened.source->parts[part];
	struct h5_view view_auto root = {0};

	apart_close_doors();
	if (!view_classic_root(source, &root))
		return WH_EUNSUPPORTED;
	WH_TRY(read_tree(loader, part, &root, err));
	return view_is_sure(source) ? WH_OK : WH_EUNSUPPORTED;
}

static enum wh_status read_by_libhdf5(struct loader *loader, uint32_t part,
				      struct wh_error *err)
{
	h5_session_auto struct h5_session session = {0};
	struct h5_source *source = loader->opened.source->parts[part];
	struct h5_view root = {0};
	enum wh_status status = h5_enter(&session, err);

	apart_close_doors();
	if (!status)
		status = view_libhdf5_root(source, &root, err);
	if (!status)
		status = read_tree(loader, part, &root, err);
	view_close(&root);
	if (!status)
		h5_source_stop(source);
	return status;
}

static enum wh_status read_part(struct loader *loader, uint32_t part,
				struct wh_error *err)
{
	enum wh_status status;

	if (!loader->by_classic)
		return read_by_libhdf5(loader, part, err);
	status = read_by_classic(loader, part, err);
	return status ? view_declined(loader->opened.source->parts[part], err)
		      : WH_OK;
}

static enum wh_status read_parts(struct loader *loader, struct wh_error *err)
{
	uint32_t i;

	for (i = 0; i < loader->opened.source->n_parts; i++) {
		struct h5_source *source = loader->opened.source->parts[i];

		if (!h5_source_has_signature(source))
			return wh_fail(err, WH_ECORRUPT,
				       "its weights are no HDF5 file (file "
				       "signature not found)");
		WH_TRY(read_part(loader, i, err));
		if (source->base.ops == &h5_packed_ops)
			loader->opened.source->base.ops = &keras3_packed_ops;
		h5_source_close_classic(source);
	}
	return WH_OK;
}

/* ---- The manifest ----------------------------------------------------- */

static enum wh_status add_tensor(struct loader *loader,
				 const struct keras3_object *object,
				 struct keras3_value *value, uint32_t *n,
				 struct wh_error *err)
{
	struct keras3_source *source = loader->opened.source;
	struct keras3_dataset place = loader->tree.datasets[value->tensor];
	const struct h5_kept *at =
		&source->parts[place.part]->datasets[place.index];
	const char *key = keras3_value_path(object, value, &loader->scratch);

	if (!key)
		return wh_fail_memory(err);
	source->places[(*n)++] = place;
	return manifest_add_tensor(loader->builder, key, at->dtype, at->rank,
				   at->shape, at->nbytes, &value->tensor, err);
}

/* In the order of the manifest's layers. */
static enum wh_status add_tensors(struct loader *loader, struct wh_error *err)
{
	static const enum wh_layer_kind order[] = {
		WH_LAYER, WH_LAYER_MODEL, WH_LAYER_OPTIMIZER, WH_LAYER_STATE};
	struct keras3_source *source = loader->opened.source;
	uint32_t i, j, k, n = 0;

	source->places = arena_alloc(&source->arena, loader->tree.n_datasets,
				     sizeof(*source->places));
	if (!source->places)
		return wh_fail_memory(err);
	for (k = 0; k < sizeof(order) / sizeof(order[0]); k++)
		for (i = 0; i < loader->tree.objects.n; i++) {
			struct keras3_object *object =
				&loader->tree.objects.list[i];

			if (keras3_object_kind(object->path) != order[k])
				continue;
			for (j = 0; j < object->n_values; j++)
				WH_TRY(add_tensor(loader, object,
						  &object->values[j], &n, err));
		}
	return WH_OK;
}

static enum wh_status add_text(struct loader *loader, const char *path,
			       const char *key, const char *text, size_t size,
			       struct wh_error *err)
{
	struct wh_attribute attribute = {.path = path,
					 .key = key,
					 .kind = WH_VALUE_BYTES,
					 .text = text,
					 .size = size};

	if (text_is_name(text, size))
		attribute.kind = WH_VALUE_TEXT;
	return manifest_add_attribute(loader->builder, &attribute, err);
}

/* Damage in metadata.json hides no weights: it stays in the template. */
static enum wh_status add_metadata(struct loader *loader, struct wh_error *err)
{
	static const char *const keys[] = {"keras_version", "date_saved"};
	const struct wh_buf *text = &loader->opened.metadata;
	json_auto_t *root =
		json_of_text((const char *)text->data, text->size - 1, 0, NULL);
	size_t i;

	for (i = 0; i < sizeof(keys) / sizeof(keys[0]); i++) {
		const json_t *value = json_object_get(root, keys[i]);

		if (json_is_string(value))
			WH_TRY(add_text(loader, "metadata.json", keys[i],
					json_string_value(value),
					json_string_length(value), err));
	}
	return add_text(loader, "", "model_config",
			(const char *)loader->opened.config.data,
			loader->opened.config.size - 1, err);
}

static enum wh_status name_generator(struct wh_manifest *manifest,
				     struct arena *arena, struct wh_error *err)
{
	const struct wh_attribute *version =
		manifest_attribute(manifest, "metadata.json", "keras_version");

	if (!version || version->kind != WH_VALUE_TEXT || version->size > 64)
		return WH_OK;
	manifest->origin_generator =
		arena_printf(arena, "keras %s", version->text);
	return manifest->origin_generator ? WH_OK : wh_fail_memory(err);
}

static enum wh_status make_manifest(struct loader *loader, struct wh_error *err)
{
	struct keras3_source *source = loader->opened.source;
	struct wh_manifest *manifest = &source->base.manifest;
	const char *config = NULL;
	struct wh_template *template_;

	WH_TRY(manifest_builder_new(&source->arena, &loader->builder, err));
	WH_TRY(add_tensors(loader, err));
	if (loader->opened.config.size) {
		config = (const char *)loader->opened.config.data;
		WH_TRY(add_metadata(loader, err));
		if (!source->is_unpacked)
			WH_TRY(keras3_refresh_note(
				loader->builder, &loader->opened.weights, err));
	}
	WH_TRY(mapping_layers_from_objects(&loader->tree.objects, config,
					   loader->builder, &loader->scratch,
					   err));
	WH_TRY(keras3_template_make(source, loader->builder,
				    loader->tree.n_datasets, &template_, err));
	WH_TRY(manifest_finish(loader->builder, manifest, err));
	manifest->origin_format = "keras3";
	manifest->template_ = template_;
	return name_generator(manifest, &source->arena, err);
}

/* ---- The checkpoint --------------------------------------------------- */

static enum wh_status open_files(struct loader *loader, const char *path,
				 struct wh_error *err)
{
	switch (keras3_kind_of_file(path)) {
	case KERAS3_ARCHIVE:
		return keras3_open_archive(path, &loader->opened, err);
	case KERAS3_SHARDED:
		return keras3_open_sharded(path, &loader->opened, err);
	case KERAS3_HDF5:
	case KERAS3_MAYBE:
	case KERAS3_NONE:
	default:
		return keras3_open_hdf5(path, &loader->opened, err);
	}
}

static enum wh_status load(struct loader *loader, const char *path,
			   struct wh_error *err)
{
	WH_TRY(open_files(loader, path, err));
	WH_TRY(read_parts(loader, err));
	if (loader->opened.map.size)
		WH_TRY(keras3_check_map(&loader->opened, &loader->tree, err));
	return make_manifest(loader, err);
}

enum wh_status keras3_load_by(const char *path,
			      const struct wh_load_options *options,
			      bool by_classic, struct wh_source **out,
			      struct wh_error *err)
{
	__attribute__((cleanup(close_loader))) struct loader loader = {
		.tree.max_nbytes = options->max_nbytes,
		.by_classic = by_classic};
	enum wh_status status;

	loader.tree.arena = &loader.scratch;
	status = load(&loader, path, err);
	if (status) {
		wh_error_prefix(err, "'%s'", path);
		return status;
	}
	*out = &loader.opened.source->base;
	loader.opened.source = NULL;
	return WH_OK;
}

static enum wh_status load_by_classic(const char *path,
				      const struct wh_load_options *options,
				      struct wh_source **out,
				      struct wh_error *err)
{
	return keras3_load_by(path, options, true, out, err);
}

static enum wh_status load_by_libhdf5(const char *path,
				      const struct wh_load_options *options,
				      struct wh_source **out,
				      struct wh_error *err)
{
	return keras3_load_by(path, options, false, out, err);
}

enum wh_status keras3_load(const char *path,
			   const struct wh_load_options *options,
			   struct wh_source **out, struct wh_error *err)
{
	char *resolved wh_free_auto = NULL;
	uint64_t size = 0;

	WH_TRY(keras3_resolve(path, &resolved, err));
	if (options->isolation != WH_IN_PROCESS)
		size = keras3_size(resolved);
	return readers_load(load_by_classic, load_by_libhdf5, resolved, size,
			    options, out, err);
}

bool keras3_probe(const char *path)
{
	return keras3_kind_of_file(path) != KERAS3_NONE;
}

/* The length of "m" in "m_00000.weights.h5", or 0. */
static size_t base_of_shard(const char *path)
{
	size_t i, len = strlen(path), tail = strlen(SHARD_SUFFIX);

	if (!text_ends(path, SHARD_SUFFIX) || len < tail + SHARD_DIGITS + 2)
		return 0;
	len -= tail + SHARD_DIGITS;
	for (i = 0; i < SHARD_DIGITS; i++)
		if (path[len + i] < '0' || path[len + i] > '9')
			return 0;
	return path[len - 1] == '_' ? len - 1 : 0;
}

enum wh_status keras3_resolve(const char *path, char **resolved,
			      struct wh_error *err)
{
	size_t base = base_of_shard(path);
	char *map wh_free_auto = NULL;

	if (base && asprintf(&map, "%.*s.weights.json", (int)base, path) < 0)
		return wh_fail_memory(err);
	if (map && access(map, F_OK) == 0) {
		*resolved = map;
		map = NULL;
		return WH_OK;
	}
	*resolved = strdup(path);
	return *resolved ? WH_OK : wh_fail_memory(err);
}
