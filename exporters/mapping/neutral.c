/* From a manifest to neutral keys and their description. */
#include "mapping/neutral.h"

#include <jansson.h>
#include <stdlib.h>
#include <string.h>

#include "base/json_put.h"
#include "base/text.h"
#include "core/name_map.h"
#include "mapping/neutral_graph.h"
#include "mapping/paths.h"

static const char *const plain_formats[] = {"safetensors", "npz", "npy"};

bool neutral_is_plain(const struct wh_manifest *manifest)
{
	size_t i;

	for (i = 0; i < sizeof(plain_formats) / sizeof(*plain_formats); i++)
		if (manifest->origin_format &&
		    strcmp(manifest->origin_format, plain_formats[i]) == 0)
			return true;
	return false;
}

/* ---- Keys
 * ---------------------------------------------------------------------- */

/* "cell/kernel" of "lstm/lstm_cell/kernel:0", or what its name says. */
static const char *path_of(const struct wh_layer *layer,
			   const struct wh_variable *variable,
			   struct arena *arena)
{
	const char *name, *below;

	if (variable->object_path && *variable->object_path)
		return variable->object_path;
	name = name_without_output(variable->name, arena);
	below = name ? name_below(name, layer->name) : NULL;
	return below ? below : name;
}

static const char *make_key(const struct wh_manifest *manifest,
			    const struct wh_layer *layer,
			    const struct wh_variable *variable,
			    struct arena *arena)
{
	const char *path = path_of(layer, variable, arena);

	if (!path || !*path)
		return manifest->tensors[variable->tensor].key;
	return arena_printf(arena, "%s%s%s", layer->name,
			    *layer->name ? "/" : "", path);
}

/* Two weights of one path keep their own keys, if those differ. */
static enum wh_status take_key(const struct wh_manifest *manifest,
			       struct name_map *seen, const char *key,
			       uint32_t tensor, const char **out,
			       struct wh_error *err)
{
	bool added;

	if (!key)
		return wh_fail_memory(err);
	WH_TRY(name_map_add(seen, key, tensor, &added, err));
	if (!added) {
		key = manifest->tensors[tensor].key;
		WH_TRY(name_map_add(seen, key, tensor, &added, err));
	}
	if (!added)
		return wh_fail(err, WH_EUNSUPPORTED,
			       "tensor '%s': another one has its path", key);
	*out = key;
	return WH_OK;
}

static enum wh_status make_keys(const struct wh_manifest *manifest,
				struct arena *arena, struct name_map *seen,
				const char **keys, struct wh_error *err)
{
	bool plain = neutral_is_plain(manifest);
	uint32_t i, k;

	for (i = 0; i < manifest->n_layers; i++) {
		const struct wh_layer *layer = &manifest->layers[i];

		for (k = 0; k < layer->n_variables; k++) {
			const struct wh_variable *at = &layer->variables[k];
			const char *key =
				plain ? manifest->tensors[at->tensor].key
				      : make_key(manifest, layer, at, arena);

			WH_TRY(take_key(manifest, seen, key, at->tensor,
					&keys[at->tensor], err));
		}
	}
	return WH_OK;
}

enum wh_status neutral_keys(const struct wh_manifest *manifest,
			    struct arena *arena, const char ***out,
			    struct wh_error *err)
{
	const char **keys =
		arena_alloc(arena, manifest->n_tensors, sizeof(*keys));
	struct name_map seen = {0};
	enum wh_status status;

	if (!keys)
		return wh_fail_memory(err);
	status = make_keys(manifest, arena, &seen, keys, err);
	name_map_free(&seen);
	if (!status)
		*out = keys;
	return status;
}

/* ---- Description
 * --------------------------------------------------------------- */

/* What isn't UTF-8 has no place in JSON, and is left out. */
static void put_text(json_t **object, const char *key, const char *text)
{
	if (text && text_is_name(text, strlen(text)))
		json_put(object, key, json_string(text));
}

static void put_number(json_t **object, const char *key, int number)
{
	if (number)
		json_put(object, key, json_integer(number));
}

static json_t *describe_weight(const struct wh_variable *variable,
			       const char *key, const char *tensor)
{
	json_t *row = json_object();

	put_text(&row, "key", key);
	if (strcmp(key, tensor) != 0)
		put_text(&row, "tensor", tensor);
	put_text(&row, "name", variable->name);
	put_text(&row, "path", variable->object_path);
	put_text(&row, "keras3", variable->keras3_path);
	put_number(&row, "role", (int)variable->role);
	put_number(&row, "trainable", (int)variable->trainable);
	return row;
}

static json_t *describe_layer(const struct wh_layer *layer,
			      const struct wh_tensor *tensors,
			      const char *const *keys)
{
	json_t *row = json_object(), *weights = json_array();
	uint32_t i;

	put_text(&row, "name", layer->name);
	put_text(&row, "class", layer->class_name);
	put_number(&row, "kind", (int)layer->kind);
	if (layer->container != WH_NO_LAYER)
		json_put(&row, "container", json_integer(layer->container));
	for (i = 0; i < layer->n_variables; i++) {
		const struct wh_variable *at = &layer->variables[i];

		json_add(&weights, describe_weight(at, keys[at->tensor],
						   tensors[at->tensor].key));
	}
	json_put(&row, "weights", weights);
	return row;
}

/* Texts, and the numbers by which Keras 3's objects are found again: what makes
 * loaders convert, and a model's configuration. */
static json_t *describe_attribute(const struct wh_attribute *at)
{
	/* The file says that itself. */
	if (strcmp(at->key, MANIFEST_PACKED) == 0)
		return NULL;
	if (at->kind == WH_VALUE_TEXT &&
	    text_is_name(at->text, (size_t)at->size))
		return json_pack("[s,s,s]", at->path, at->key, at->text);
	if (at->kind == WH_VALUE_INTEGER)
		return json_pack("[s,s,I]", at->path, at->key,
				 (json_int_t)at->integer);
	return NULL;
}

static json_t *describe_attributes(const struct wh_manifest *manifest)
{
	json_t *rows = json_array(), *row;
	uint32_t i;

	for (i = 0; i < manifest->n_attributes; i++) {
		row = describe_attribute(&manifest->attributes[i]);
		if (row)
			json_add(&rows, row);
	}
	return rows;
}

enum wh_status neutral_describe(const struct wh_manifest *manifest,
				const char *const *keys, char **text,
				struct wh_error *err)
{
	json_t *root = json_object(), *layers = json_array();
	uint32_t i;

	put_text(&root, "origin",
		 manifest->origin_format ? manifest->origin_format : "memory");
	put_text(&root, "generator", manifest->origin_generator);
	for (i = 0; i < manifest->n_layers; i++)
		json_add(&layers, describe_layer(&manifest->layers[i],
						 manifest->tensors, keys));
	json_put(&root, "layers", layers);
	json_put(&root, "attributes", describe_attributes(manifest));
	if (manifest->graph)
		json_put(&root, "graph",
			 neutral_graph_describe(manifest->graph));
	*text = json_dumps(root, JSON_COMPACT);
	json_decref(root);
	return *text ? WH_OK : wh_fail_memory(err);
}
