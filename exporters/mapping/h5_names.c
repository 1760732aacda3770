/* The legacy HDF5 layout of a model of any origin: FORMAT.md, "Names". */
#include <string.h>

#include "core/name_map.h"
#include "mapping/mapping.h"
#include "mapping/naming.h"
#include "mapping/paths.h"

static void free_naming(struct naming *naming)
{
	notes_free(&naming->notes);
}

static bool is_written(const struct wh_layer *layer)
{
	return layer->kind == WH_LAYER || layer->kind == WH_LAYER_MODEL;
}

/* A layer as it was listed, under the names that it came with. */
static enum wh_status keep_layer(struct naming *naming,
				 const struct wh_layer *layer,
				 struct mapping_layer *out,
				 struct wh_error *err)
{
	uint32_t i;

	out->name = layer->name;
	out->kind = layer->kind;
	out->n_weights = layer->n_variables;
	out->weights = arena_alloc(naming->arena, layer->n_variables,
				   sizeof(*out->weights));
	if (!out->weights)
		return wh_fail_memory(err);
	for (i = 0; i < layer->n_variables; i++)
		out->weights[i] = (struct mapping_weight){
			layer->variables[i].name, layer->variables[i].tensor};
	return WH_OK;
}

/* Of a Keras 3 file: where none is known, what is behind the layer's slot:
 * "vars/0" of "layers/dense/vars/0". */
static const char *keras3_path(const struct naming *naming,
			       const struct wh_variable *variable)
{
	const char *path = naming->keras3.paths[variable->tensor];
	const char *slash = strchr(variable->name, '/');

	if (path || !slash)
		return path ? path : variable->name;
	if (strncmp(variable->name, "vars/", 5) == 0)
		return variable->name;
	slash = strchr(slash + 1, '/');
	return slash ? slash + 1 : variable->name;
}

/* An object path for every variable: where none is known, its name. */
static const char **paths_of(const struct naming *naming,
			     const struct wh_layer *layer)
{
	const char **paths =
		arena_alloc(naming->arena, layer->n_variables, sizeof(*paths));
	uint32_t i;

	for (i = 0; paths && i < layer->n_variables; i++) {
		const struct wh_variable *variable = &layer->variables[i];

		paths[i] = variable->object_path && *variable->object_path
				   ? variable->object_path
				   : variable->name;
		if (naming->keras3.paths)
			paths[i] = keras3_path(naming, variable);
	}
	return paths;
}

/* Whether Keras may have given this name to a weight of that layer: the
 * layer's scope is in front, that of a subclassed model before it, or the
 * layer is a model, whose weights have their own layers' names. */
static bool is_own_name(const char *full_name, const char *layer,
			const char *path)
{
	const char *slash = strchr(full_name, '/');

	return name_below(full_name, layer) ||
	       (slash && name_below(slash + 1, layer)) ||
	       (slash && strstr(path, "layer_with_weights-"));
}

static enum wh_status try_full_names(const struct naming *naming,
				     const struct wh_layer *layer,
				     const char *const *paths,
				     struct mapping_layer *out, bool *fits,
				     struct wh_error *err)
{
	__attribute__((cleanup(name_map_free))) struct name_map names = {0};
	uint32_t i;

	*fits = false;
	for (i = 0; i < layer->n_variables; i++) {
		const char *full_name =
			naming->full_names[out->weights[i].tensor];
		bool added;

		if (!is_own_name(full_name, out->name, paths[i]))
			return WH_OK;
		WH_TRY(name_map_add(&names, full_name, i, &added, err));
		if (!added)
			return WH_OK;
		out->weights[i].name =
			arena_printf(naming->arena, "%s:0", full_name);
		if (!out->weights[i].name)
			return wh_fail_memory(err);
	}
	*fits = true;
	return WH_OK;
}

static enum wh_status name_by_paths(const struct naming *naming,
				    const char *const *paths,
				    struct mapping_layer *out,
				    struct wh_error *err)
{
	uint32_t i;

	for (i = 0; i < out->n_weights; i++) {
		out->weights[i].name =
			arena_printf(naming->arena, "%s%s%s:0", out->name,
				     *out->name ? "/" : "", paths[i]);
		if (!out->weights[i].name)
			return wh_fail_memory(err);
	}
	return WH_OK;
}

/* Remembers a layer whose only name is its slot: tf-keras, and early versions
 * of Keras 3, don't write the names. */
static enum wh_status find_by_class(struct naming *naming,
				    const struct wh_layer *layer,
				    struct wh_error *err)
{
	const char *path, *root;
	size_t len;

	if (naming->by_class || !naming->keras3.paths || !layer->n_variables)
		return WH_OK;
	path = layer->variables[0].keras3_path;
	len = path ? strcspn(path, "/") : 0;
	if (!len || !path[len])
		return WH_OK;
	if (name_below(path, "layers"))
		len += 1 + strcspn(path + len + 1, "/");
	root = arena_bytes(naming->arena, path, len);
	if (!root)
		return wh_fail_memory(err);
	if (!manifest_attribute(naming->manifest, root, "name"))
		naming->by_class = layer->name;
	return WH_OK;
}

static enum wh_status name_layer(struct naming *naming, uint32_t index,
				 struct mapping_layer *out,
				 struct wh_error *err)
{
	const struct wh_layer *layer = &naming->manifest->layers[index];
	const struct config_layer *config = naming->config[index];
	const char **paths = paths_of(naming, layer), **sorted;
	uint32_t *order =
		arena_alloc(naming->arena, layer->n_variables, sizeof(*order));
	bool fits;
	uint32_t i;

	WH_TRY(keep_layer(naming, layer, out, err));
	sorted =
		arena_alloc(naming->arena, layer->n_variables, sizeof(*sorted));
	if (!paths || !order || !sorted)
		return wh_fail_memory(err);
	if (config && *config->name)
		out->name = config->name;
	else
		WH_TRY(find_by_class(naming, layer, err));
	WH_TRY(naming_order(naming, layer, config, paths, order, err));
	for (i = 0; i < layer->n_variables; i++) {
		sorted[i] = paths[order[i]];
		out->weights[i].tensor = layer->variables[order[i]].tensor;
	}
	WH_TRY(try_full_names(naming, layer, sorted, out, &fits, err));
	return fits ? WH_OK : name_by_paths(naming, sorted, out, err);
}

static bool differ(const struct wh_tensor *a, const struct wh_tensor *b)
{
	return a->dtype != b->dtype || a->rank != b->rank ||
	       memcmp(a->shape, b->shape, a->rank * sizeof(*a->shape)) != 0;
}

#define MAX_COMPARED 256u

/* Keras writes a model's own weights trained ones first, and no checkpoint
 * says which those are: two of one shape could be taken for each other. */
static enum wh_status check_model_weights(struct naming *naming,
					  const struct wh_layer *layer,
					  struct wh_error *err)
{
	const struct wh_tensor *tensors = naming->manifest->tensors;
	const struct wh_variable *variables = layer->variables;
	uint32_t i, j, n = layer->n_variables;

	if (n < 2)
		return WH_OK;
	for (i = 0; i < n; i++)
		for (j = 0; j < i; j++)
			if (n > MAX_COMPARED ||
			    !differ(&tensors[variables[i].tensor],
				    &tensors[variables[j].tensor]))
				return wh_fail(
					err, WH_EUNSUPPORTED,
					"the model's own weights '%s' and "
					"'%s' have one shape, and which of "
					"them is trained decides the order in "
					"an HDF5 file; --map FILE says it",
					variables[j].name, variables[i].name);
	return notes_add(&naming->notes, err,
			 "the model's own %u weights are written in the "
			 "object graph's order",
			 n);
}

static enum wh_status name_model_weights(struct naming *naming, uint32_t index,
					 struct mapping_layer *out,
					 struct wh_error *err)
{
	const struct wh_layer *layer = &naming->manifest->layers[index];
	uint32_t *order =
		arena_alloc(naming->arena, layer->n_variables, sizeof(*order));
	const char **paths = paths_of(naming, layer);
	uint32_t i;

	WH_TRY(keep_layer(naming, layer, out, err));
	if (!order || !paths)
		return wh_fail_memory(err);
	for (i = 0; i < layer->n_variables; i++)
		order[i] = i;
	if (naming_has_flags(layer))
		WH_TRY(naming_order_by_flags(naming, layer, order, err));
	else if (!naming->keras3.paths) /* that lists trained ones first too */
		WH_TRY(check_model_weights(naming, layer, err));
	for (i = 0; i < layer->n_variables; i++) {
		uint32_t tensor = layer->variables[order[i]].tensor;
		const char *full_name = naming->full_names[tensor];

		out->weights[i].tensor = tensor;
		out->weights[i].name =
			arena_printf(naming->arena, "%s:0",
				     *full_name ? full_name : paths[order[i]]);
		if (!out->weights[i].name)
			return wh_fail_memory(err);
	}
	return WH_OK;
}

/* By the map: its names, in its order. */
static enum wh_status name_by_map(struct naming *naming,
				  const struct wh_layer *layer,
				  struct mapping_layer *out,
				  struct wh_error *err)
{
	uint32_t i, k;
	const struct weight_target *targets = naming->targets;

	WH_TRY(keep_layer(naming, layer, out, err));
	/* Inserted one by one: the lists are short. */
	for (i = 0; i < layer->n_variables; i++) {
		uint32_t tensor = layer->variables[i].tensor;

		for (k = i; k && targets[out->weights[k - 1].tensor].order >
					 targets[tensor].order;
		     k--)
			out->weights[k] = out->weights[k - 1];
		out->weights[k] =
			(struct mapping_weight){targets[tensor].path, tensor};
	}
	return WH_OK;
}

/* Layers of a subclassed model, of whose order its Keras 3 file says nothing,
 * stand in the map's: by the first of their weights. */
static void order_layers_by_map(const struct naming *naming,
				struct mapping_h5 *made)
{
	struct mapping_layer layer;
	uint32_t i, k;

	for (i = 0; i < made->n_layers; i++) {
		layer = made->layers[i];
		for (k = i; k && layer.n_weights; k--) {
			const struct mapping_layer *before =
				&made->layers[k - 1];

			if (before->n_weights &&
			    naming->targets[before->weights[0].tensor].order <=
				    naming->targets[layer.weights[0].tensor]
					    .order)
				break;
			made->layers[k] = *before;
		}
		made->layers[k] = layer;
	}
}

static enum wh_status fill_layer(struct naming *naming, uint32_t index,
				 bool as_they_are, struct mapping_layer *out,
				 struct wh_error *err)
{
	const struct wh_layer *layer = &naming->manifest->layers[index];
	bool is_mapped;

	WH_TRY(weight_targets_of(naming->targets, layer, &is_mapped, err));
	if (is_mapped)
		return name_by_map(naming, layer, out, err);
	if (as_they_are)
		return keep_layer(naming, layer, out, err);
	if (layer->kind == WH_LAYER_MODEL)
		return name_model_weights(naming, index, out, err);
	return name_layer(naming, index, out, err);
}

/* Keras 1 gave a whole model's root a version and the group of its weights
 * nothing; roots that list layers themselves say the backend, too. */
static bool is_whole_model(const struct wh_manifest *manifest)
{
	return manifest_attribute(manifest, "model_weights", "keras_version") ||
	       manifest_attribute(manifest, "model_weights", "backend") ||
	       (manifest_attribute(manifest, "", "model_config") &&
		!manifest_attribute(manifest, "", "backend"));
}

const struct wh_attribute *
mapping_h5_attribute(const struct wh_manifest *manifest, const char *key)
{
	return manifest_attribute(
		manifest, is_whole_model(manifest) ? "model_weights" : "", key);
}

enum wh_status mapping_h5_names_by(const struct wh_manifest *manifest,
				   const struct mapping_hints *hints,
				   struct arena *arena, struct mapping_h5 *out,
				   struct wh_error *err)
{
	__attribute__((cleanup(free_naming))) struct naming naming = {
		.manifest = manifest,
		.arena = arena,
		.notes = {.arena = arena}};
	struct mapping_h5 made = {0};
	bool as_they_are = manifest->origin_format &&
			   strcmp(manifest->origin_format, "h5") == 0;
	uint32_t i;

	made.layers =
		arena_alloc(arena, manifest->n_layers, sizeof(*made.layers));
	if (!made.layers)
		return wh_fail_memory(err);
	if (as_they_are && hints->map)
		return wh_fail(err, WH_EINVAL,
			       "names and order of an HDF5 file are kept: a "
			       "map has nothing to say");
	WH_TRY(weight_targets(manifest, hints->map, arena, &naming.targets,
			      err));
	if (!as_they_are)
		WH_TRY(naming_prepare(&naming, hints->model_config, err));
	for (i = 0; i < manifest->n_layers; i++) {
		uint32_t at = naming.order ? naming.order[i] : i;

		if (!is_written(&manifest->layers[at])) {
			made.n_left_out += manifest->layers[at].n_variables;
			continue;
		}
		WH_TRY(fill_layer(&naming, at, as_they_are,
				  &made.layers[made.n_layers++], err));
	}
	if (naming.targets && naming.keras3.is_subclassed)
		order_layers_by_map(&naming, &made);
	if (!as_they_are && !naming.targets)
		made.order_doubt = layers_order_doubt(manifest, naming.order);
	if (made.order_doubt)
		WH_TRY(notes_add(&naming.notes, err, "%s", made.order_doubt));
	WH_TRY(notes_settle(&naming.notes, &made.notes, &made.n_notes, err));
	made.unordered = naming.unordered;
	made.by_class = naming.by_class;
	*out = made;
	return WH_OK;
}

enum wh_status mapping_h5_names(const struct wh_manifest *manifest,
				const char *model_config, struct arena *arena,
				struct mapping_h5 *out, struct wh_error *err)
{
	struct mapping_hints hints = {.model_config = model_config};

	return mapping_h5_names_by(manifest, &hints, arena, out, err);
}

enum wh_status mapping_h5_check_order(const struct mapping_h5 *names,
				      struct wh_error *err)
{
	if (!names->unordered)
		return WH_OK;
	return wh_fail(err, WH_EUNSUPPORTED,
		       "layer '%s' is quantized: in an HDF5 file of layers its "
		       "weights have another order, which a Keras 3 file does "
		       "not say; --map FILE says it, and a .weights.h5 or "
		       ".keras file keeps them as they are",
		       names->unordered);
}
