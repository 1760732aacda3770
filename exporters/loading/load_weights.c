/* load_weights: a checkpoint's values into a model, which is a trainer's
 * arrays or a file. Pairing first, then bytes. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/auto.h"
#include "base/crc.h"
#include "engine.h"
#include "core/convert.h"
#include "core/skeleton.h"
#include "loading/converted.h"
#include "loading/legacy.h"
#include "loading/overlay.h"
#include "loading/target.h"
#include "mapping/draft.h"
#include "mapping/keras3.h"
#include "mapping/layers_config.h"

#define PIECE ((size_t)1 << 20)

static const struct wh_load_weights_options default_options;

/* A checkpoint and a model on their way to each other. */
struct loading {
	struct wh_source *from;
	struct wh_source
		*converted; /* around the caller's; then `from` is it */
	const struct wh_manifest *model;
	bool is_listed; /* the model's weights stand in Keras's own order */
	const struct wh_format *format; /* of the file that it is; or NULL */
	struct arena arena;
	struct pairing pairing;
	enum wh_matching matching;
};

/* ---- Matching
 * --------------------------------------------------------------- */

static bool is_tf(const struct wh_manifest *manifest)
{
	return manifest->origin_format &&
	       strcmp(manifest->origin_format, "tf") == 0;
}

/* Keras's own formats allow skip_mismatch without by_name, the older doesn't. */
static bool skips_in_order(const struct loading *loading)
{
	return loading->matching == WH_MATCH_LAYERS && loading->format &&
	       keras3_is_origin(loading->model);
}

static enum wh_status choose_rule(struct loading *loading, struct wh_error *err)
{
	const struct wh_load_weights_options *options =
		loading->pairing.options;
	bool into_tf =
		loading->format && strcmp(loading->format->name, "tf") == 0;
	bool objects = into_tf ||
		       (!loading->format && is_tf(&loading->from->manifest));

	loading->matching = options->matching;
	if (loading->matching == WH_MATCH_AUTO)
		loading->matching =
			objects ? WH_MATCH_OBJECTS : WH_MATCH_LAYERS;
	if (loading->matching == WH_MATCH_NAMES && into_tf)
		return wh_fail(err, WH_EINVAL,
			       "Weights may only be loaded based on topology "
			       "into Models when loading TensorFlow-formatted "
			       "weights (got by_name=True to load_weights).");
	if (options->skip_mismatch && loading->matching != WH_MATCH_NAMES &&
	    !skips_in_order(loading))
		return wh_fail(err, WH_EINVAL,
			       "When calling model.load_weights, skip_mismatch "
			       "can only be set to True when by_name is True.");
	return WH_OK;
}

/* The model's layers and weights just as they are listed. */
static enum wh_status list_layers(const struct wh_manifest *manifest,
				  struct arena *arena, struct mapping_h5 *out,
				  struct wh_error *err)
{
	uint32_t i, k;

	out->layers =
		arena_alloc(arena, manifest->n_layers, sizeof(*out->layers));
	if (!out->layers)
		return wh_fail_memory(err);
	for (i = 0; i < manifest->n_layers; i++) {
		const struct wh_layer *from = &manifest->layers[i];
		struct mapping_layer *to = &out->layers[out->n_layers];

		if (from->kind != WH_LAYER && from->kind != WH_LAYER_MODEL)
			continue;
		to->name = from->name;
		to->kind = from->kind;
		to->weights = arena_alloc(arena, from->n_variables,
					  sizeof(*to->weights));
		if (!to->weights)
			return wh_fail_memory(err);
		for (k = 0; k < from->n_variables; k++) {
			uint32_t tensor = from->variables[k].tensor;

			to->weights[to->n_weights++] = (struct mapping_weight){
				manifest->tensors[tensor].key, tensor};
		}
		out->n_layers++;
	}
	return WH_OK;
}

/* What Keras 1 and cuDNN stored otherwise is added to the checkpoint; no
 * weight takes more than three conversions. */
static enum wh_status allow_conversions(struct loading *loading,
					struct wh_error *err)
{
	struct pairing *pairing = &loading->pairing;

	WH_TRY(converted_new(loading->from, 3 * loading->model->n_tensors,
			     &loading->converted, err));
	pairing->from_keras1 = legacy_is_keras1(&loading->from->manifest);
	loading->from = pairing->converted = loading->converted;
	pairing->from = &loading->from->manifest;
	return layers_config_model(loading->model,
				   pairing->options->model_config,
				   &loading->arena, &pairing->config, err);
}

/* Two Keras 3 files have one order. */
static enum wh_status check_order(const struct mapping_h5 *from,
				  const struct mapping_h5 *to,
				  struct wh_error *err)
{
	if (from->unordered && to->unordered)
		return WH_OK;
	return mapping_h5_check_order(from->unordered ? from : to, err);
}

/* Two files without an order have that of their keys. */
static void tell_doubt(const struct pairing *pairing,
		       const struct mapping_h5 *from,
		       const struct mapping_h5 *to)
{
	if (!from->order_doubt != !to->order_doubt)
		pairing_warn(pairing, "%s",
			     from->order_doubt ? from->order_doubt
					       : to->order_doubt);
}

static enum wh_status match_layers(struct loading *loading,
				   struct wh_error *err)
{
	const char *config = loading->pairing.options->model_config;
	struct mapping_hints hints = {config, loading->pairing.options->map};
	struct mapping_h5 from = {0}, to = {0};

	if (loading->pairing.options->skip_mismatch &&
	    loading->matching == WH_MATCH_LAYERS &&
	    keras3_is_origin(&loading->from->manifest))
		return pair_keras3(&loading->pairing, err);
	WH_TRY(mapping_h5_names_by(&loading->from->manifest, &hints,
				   &loading->arena, &from, err));
	if (loading->is_listed)
		WH_TRY(list_layers(loading->model, &loading->arena, &to, err));
	else
		WH_TRY(mapping_h5_names(loading->model, config, &loading->arena,
					&to, err));
	WH_TRY(check_order(&from, &to, err));
	if (loading->matching == WH_MATCH_LAYERS)
		tell_doubt(&loading->pairing, &from, &to);
	WH_TRY(allow_conversions(loading, err));
	return pair_layers(&loading->pairing, &from, &to,
			   loading->matching == WH_MATCH_NAMES, err);
}

static bool has_edge(const struct mapping_graph *graph, const char *name)
{
	return graph_child(&graph->graph.nodes[0], name) != UINT32_MAX;
}

static bool is_of_checkpoint(const struct mapping_graph *graph)
{
	return has_edge(graph, "model") && !has_edge(graph, "root");
}

static bool is_of_model(const struct mapping_graph *graph)
{
	return has_edge(graph, "root") && !has_edge(graph, "model");
}

/* What save_weights wrote and a tf.train.Checkpoint(model=...) have nothing in
 * common but an optimizer. TensorFlow takes that for a match, so it is left to
 * those who ask for TensorFlow's own. */
static enum wh_status meet_roots(struct loading *loading,
				 struct mapping_graph *from,
				 const struct mapping_graph *to,
				 struct wh_error *err)
{
	const struct wh_manifest *manifest = &loading->from->manifest;

	if (loading->pairing.options->matching != WH_MATCH_AUTO)
		return WH_OK;
	WH_TRY(graph_check(&from->graph, err));
	WH_TRY(graph_check(&to->graph, err));
	if (is_of_checkpoint(from) && is_of_model(to))
		return mapping_root_model(manifest, NULL, &loading->arena, from,
					  err);
	if (is_of_model(from) && is_of_checkpoint(to))
		return mapping_root_checkpoint(from, manifest->n_tensors,
					       &loading->arena, err);
	return WH_OK;
}

static enum wh_status match_objects(struct loading *loading,
				    struct wh_error *err)
{
	const struct wh_manifest *manifest = &loading->from->manifest;
	const char *config = loading->pairing.options->model_config;
	struct mapping_hints hints = {config, loading->pairing.options->map};
	struct mapping_graph from, to;

	WH_TRY(mapping_graph(loading->model, config, &loading->arena, &to,
			     err));
	if (is_tf(manifest) && !manifest->graph)
		return pair_full_names(&loading->pairing, &to, err);
	WH_TRY(mapping_graph_by(manifest, &hints, &loading->arena, &from, err));
	WH_TRY(meet_roots(loading, &from, &to, err));
	return pair_objects(&loading->pairing, &from, &to, err);
}

/* ---- Dtypes
 * ----------------------------------------------------------------- */

static enum wh_status check_cast(const struct loading *loading, uint32_t index,
				 struct wh_error *err)
{
	const struct wh_tensor *to = &loading->model->tensors[index];
	const struct wh_tensor *from =
		&loading->from->manifest
			 .tensors[loading->pairing.source_of[index]];
	enum convert_loss loss = convert_loss(from->dtype, to->dtype);

	if (from->dtype == to->dtype || loss == CONVERT_EXACT ||
	    (loss == CONVERT_ROUNDS && loading->pairing.options->cast))
		return WH_OK;
	return wh_fail(err, WH_EMISMATCH,
		       "weight '%s' is %s, and its saved value %s%s", to->key,
		       wh_dtype_name(to->dtype), wh_dtype_name(from->dtype),
		       loss == CONVERT_ROUNDS
			       ? ", which would be rounded: ask for that "
				 "with --cast"
			       : "");
}

static enum wh_status check_casts(const struct loading *loading,
				  struct wh_error *err)
{
	uint32_t i;

	for (i = 0; i < loading->model->n_tensors; i++)
		if (loading->pairing.source_of[i] != NO_TENSOR)
			WH_TRY(check_cast(loading, i, err));
	return WH_OK;
}

/* ---- The pairing
 * ------------------------------------------------------------ */

static enum wh_status pair_all(struct loading *loading, struct wh_error *err)
{
	struct pairing *pairing = &loading->pairing;
	uint32_t i;

	pairing->from = &loading->from->manifest;
	pairing->to = loading->model;
	pairing->arena = &loading->arena;
	pairing->source_of =
		arena_alloc(&loading->arena, loading->model->n_tensors,
			    sizeof(*pairing->source_of));
	if (!pairing->source_of)
		return wh_fail_memory(err);
	for (i = 0; i < loading->model->n_tensors; i++)
		pairing->source_of[i] = NO_TENSOR;
	WH_TRY(choose_rule(loading, err));
	if (loading->matching == WH_MATCH_OBJECTS)
		WH_TRY(match_objects(loading, err));
	else
		WH_TRY(match_layers(loading, err));
	return check_casts(loading, err);
}

static void count(const struct loading *loading, struct wh_loaded *loaded)
{
	const struct pairing *pairing = &loading->pairing;
	uint32_t i, n = loading->model->n_tensors, used = 0;

	if (!loaded)
		return;
	*loaded = (struct wh_loaded){.matching = loading->matching,
				     .n_skipped = pairing->n_skipped};
	for (i = 0; i < n; i++)
		used += pairing->source_of[i] != NO_TENSOR;
	loaded->n_loaded = used;
	loaded->n_kept = n - used;
	n = loading->from->manifest.n_tensors;
	used += pairing->n_joined;
	loaded->n_unused = n > used ? n - used : 0;
}

static void loading_free(struct loading *loading)
{
	wh_source_close(loading->converted);
	arena_free(&loading->arena);
}

/* ---- Into arrays
 * ------------------------------------------------------------ */

struct progress {
	const struct wh_load_weights_options *options;
	uint64_t done, total;
};

static enum wh_status tell(struct progress *progress, uint64_t some,
			   struct wh_error *err)
{
	progress->done += some;
	if (!progress->options->progress ||
	    progress->options->progress(progress->options->arg, "loading",
					progress->done, progress->total))
		return WH_OK;
	return wh_fail(err, WH_ECANCELLED, "cancelled");
}

/* What is known of the value's checksum, weighed or claimed by its file. */
static bool expects_crc(const struct wh_tensor *tensor, uint32_t *crc)
{
	*crc = tensor->weighed & WH_CRC32C ? tensor->crc32c
					   : tensor->expected_crc32c;
	return tensor->weighed & WH_CRC32C || tensor->has_expected_crc32c;
}

static enum wh_status check_crc(const struct wh_tensor *tensor, uint32_t crc,
				struct wh_error *err)
{
	uint32_t expected;

	if (!expects_crc(tensor, &expected) || expected == crc)
		return WH_OK;
	return wh_fail(err, WH_ECORRUPT,
		       "tensor '%s': checksum does not match: stored %u vs. "
		       "calculated %u",
		       tensor->key, expected, crc);
}

static enum wh_status copy_tensor(struct loading *loading,
				  struct wh_target *target, uint32_t index,
				  uint8_t *piece, struct progress *progress,
				  struct wh_error *err)
{
	uint32_t source = loading->pairing.source_of[index], crc = 0;
	const struct wh_tensor *to = &loading->model->tensors[index];
	const struct wh_tensor *from = &loading->from->manifest.tensors[source];
	uint64_t at;

	for (at = 0; at < to->nbytes; at += PIECE) {
		uint64_t left = to->nbytes - at;
		size_t some = (size_t)(left < PIECE ? left : PIECE);

		WH_TRY(source_read_as(loading->from, source, to->dtype, at,
				      piece, some, err));
		crc = crc32c_update(crc, piece, some);
		WH_TRY(target_write(target, index, at, piece, some, err));
		WH_TRY(tell(progress, some, err));
	}
	/* Of a cast value the checksum is another one. */
	return from->dtype == to->dtype ? check_crc(from, crc, err) : WH_OK;
}

static enum wh_status copy_all(struct loading *loading,
			       struct wh_target *target, struct wh_error *err)
{
	struct progress progress = {.options = loading->pairing.options};
	uint8_t *piece wh_free_auto = malloc(PIECE);
	uint32_t i, n = loading->model->n_tensors;

	if (!piece)
		return wh_fail_memory(err);
	for (i = 0; i < n; i++)
		if (loading->pairing.source_of[i] != NO_TENSOR)
			progress.total += loading->model->tensors[i].nbytes;
	for (i = 0; i < n; i++)
		if (loading->pairing.source_of[i] != NO_TENSOR)
			WH_TRY(copy_tensor(loading, target, i, piece, &progress,
					   err));
	return WH_OK;
}

enum wh_status wh_load_source(struct wh_source *source,
			      struct wh_target *target,
			      const struct wh_load_weights_options *options,
			      struct wh_loaded *loaded, struct wh_error *err)
{
	__attribute__((cleanup(loading_free))) struct loading loading = {
		.from = source,
		.is_listed = true,
		.pairing.options = options ? options : &default_options};

	WH_TRY(target_manifest(target, &loading.model, err));
	WH_TRY(pair_all(&loading, err));
	WH_TRY(copy_all(&loading, target, err));
	if (source->ops->unchanged)
		WH_TRY(source->ops->unchanged(source, err));
	count(&loading, loaded);
	return WH_OK;
}

enum wh_status wh_load_weights(struct wh_store *store, const char *revision,
			       struct wh_target *target,
			       const struct wh_load_weights_options *options,
			       struct wh_loaded *loaded, struct wh_error *err)
{
	struct wh_source *source;
	enum wh_status status;

	WH_TRY(wh_snapshot_open(store, revision, &source, err));
	status = wh_load_source(source, target, options, loaded, err);
	wh_source_close(source);
	return status;
}

static enum wh_status open_file(const char *filepath,
				const struct wh_load_weights_options *options,
				const struct wh_format **format,
				struct wh_source **source, struct wh_error *err)
{
	struct wh_load_options loading = {0};

	if (options) {
		loading.library = options->library;
		loading.isolation = options->isolation;
	}
	return open_by_content(filepath, &loading, format, source, err);
}

enum wh_status wh_load_checkpoint(const char *filepath,
				  struct wh_target *target,
				  const struct wh_load_weights_options *options,
				  struct wh_loaded *loaded,
				  struct wh_error *err)
{
	const struct wh_format *format;
	struct wh_source *source;
	enum wh_status status;

	WH_TRY(open_file(filepath, options, &format, &source, err));
	status = wh_load_source(source, target, options, loaded, err);
	wh_source_close(source);
	return status;
}

/* ---- Into a file
 * ------------------------------------------------------------ */

/* Whether the file's own layout takes other values as they are: it has no
 * checksum of them, a place for each, and none changes its size. */
static bool keeps_layout(const struct wh_source *overlay,
			 const struct wh_source *file,
			 const struct wh_format *format)
{
	const struct wh_template *template_ = file->manifest.template_;
	uint32_t i;

	if (!template_)
		return false;
	for (i = 0; i < file->manifest.n_tensors; i++)
		if (overlay->manifest.tensors[i].nbytes !=
		    file->manifest.tensors[i].nbytes)
			return false;
	return template_->files[0].canonical ||
	       (format->needs == 0 && skeleton_places(&file->manifest, NULL));
}

/* Whether the file holds what its format's planner would leave out. */
static bool holds_more(const struct wh_manifest *manifest)
{
	uint32_t i;

	if (manifest->graph)
		return false;
	for (i = 0; i < manifest->n_layers; i++)
		if (manifest->layers[i].kind > WH_LAYER_MODEL &&
		    manifest->layers[i].n_variables)
			return true;
	for (i = 0; i < manifest->n_attributes; i++)
		if (strcmp(manifest->attributes[i].key, "keras_version") != 0 &&
		    strcmp(manifest->attributes[i].key, "backend") != 0)
			return true;
	return false;
}

static enum wh_status check_loss(const struct loading *loading,
				 struct wh_error *err)
{
	if (holds_more(loading->model))
		return wh_fail(err, WH_EUNSUPPORTED,
			       "its weights don't lie flat in it (compressed, "
			       "in chunks, or several in one place), so that "
			       "what it holds beside them could not be kept: "
			       "convert it first");
	pairing_warn(&loading->pairing,
		     "its weights don't lie flat in it, each by itself, or "
		     "have checksums there: it is laid out anew, as its "
		     "format's own writer does");
	return WH_OK;
}

static enum wh_status plan_into(struct loading *loading, struct wh_source *file,
				struct wh_source *overlay,
				const struct wh_format *format,
				const char *path, struct wh_plan **plan,
				struct wh_error *err)
{
	struct wh_plan_options options = {.bfloat16_opaque = true,
					  .filepath = path};
	bool keeps = keeps_layout(overlay, file, format), reproduced;

	if (!keeps)
		WH_TRY(check_loss(loading, err));
	return wh_plan_for(overlay, format, &options, !keeps, plan, &reproduced,
			   err);
}

static enum wh_status replace_file(struct loading *loading,
				   struct wh_source *file,
				   const struct wh_format *format,
				   const char *path,
				   const struct wh_save_options *saving,
				   struct wh_saved *saved, struct wh_error *err)
{
	static const struct wh_state_options untouched = {
		.state = WH_STATE_UNTOUCHED};
	struct wh_source *overlay;
	struct wh_plan *plan;
	enum wh_status status;

	WH_TRY(overlay_new(file, loading->from, &loading->pairing, &overlay,
			   err));
	status = plan_into(loading, file, overlay, format, path, &plan, err);
	if (!status) {
		status = write_files(plan, path, false, saving, saved, err);
		wh_plan_free(plan);
	}
	wh_source_close(overlay);
	if (!status && format->finish)
		status = format->finish(path, &untouched, err);
	if (!status && saved)
		saved->format = format->name;
	return status;
}

static enum wh_status load_into(struct loading *loading, struct wh_source *file,
				const struct wh_format *format,
				const char *filepath,
				const struct wh_save_options *saving,
				struct wh_saved *saved, struct wh_error *err)
{
	const struct wh_library *library = loading->pairing.options->library;
	char *path wh_free_auto = NULL;
	bool reproducible;

	if (!format->plan)
		return wh_fail(err, WH_EUNSUPPORTED,
			       "'%s' is of no format that is written here",
			       filepath);
	if (format->resolve)
		WH_TRY(format->resolve(filepath, &path, err));
	WH_TRY(wh_checkpoint_prove(file, filepath, library, &reproducible,
				   err));
	loading->model = &file->manifest;
	loading->format = format;
	WH_TRY(pair_all(loading, err));
	return replace_file(loading, file, format, path ? path : filepath,
			    saving, saved, err);
}

enum wh_status wh_load_into(struct wh_source *source, const char *filepath,
			    const struct wh_load_weights_options *options,
			    const struct wh_save_options *saving,
			    struct wh_loaded *loaded, struct wh_saved *saved,
			    struct wh_error *err)
{
	static const struct wh_save_options default_saving;
	__attribute__((cleanup(loading_free))) struct loading loading = {
		.from = source,
		.pairing.options = options ? options : &default_options};
	const struct wh_format *format;
	struct wh_source *file;
	enum wh_status status;

	WH_TRY(open_file(filepath, options, &format, &file, err));
	status = load_into(&loading, file, format, filepath,
			   saving ? saving : &default_saving, saved, err);
	if (!status)
		count(&loading, loaded);
	wh_source_close(file);
	return status;
}
