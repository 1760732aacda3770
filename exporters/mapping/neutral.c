/* From a manifest to neutral keys and their description. */
#include "mapping/neutral.h"

#include <string.h>

#include "base/json_out.h"
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
static void put_text(struct json_out *out, const char *key, const char *text)
{
	size_t len = text ? strlen(text) : 0;

	if (!text || !text_is_name(text, len))
		return;
	json_out_key(out, key);
	json_out_text(out, text, len);
}

static void put_number(struct json_out *out, const char *key, int64_t number)
{
	json_out_key(out, key);
	json_out_number(out, number);
}

static void put_known(struct json_out *out, const char *key, int number)
{
	if (number)
		put_number(out, key, number);
}

static void describe_weight(struct json_out *out,
			    const struct wh_variable *variable, const char *key,
			    const char *tensor)
{
	json_out_open(out, '{');
	put_text(out, "key", key);
	if (strcmp(key, tensor) != 0)
		put_text(out, "tensor", tensor);
	put_text(out, "name", variable->name);
	put_text(out, "path", variable->object_path);
	put_text(out, "keras3", variable->keras3_path);
	put_known(out, "role", (int)variable->role);
	put_known(out, "trainable", (int)variable->trainable);
	json_out_close(out, '}');
}

static void describe_layer(struct json_out *out, const struct wh_layer *layer,
			   const struct wh_tensor *tensors,
			   const char *const *keys)
{
	uint32_t i;

	json_out_open(out, '{');
	put_text(out, "name", layer->name);
	put_text(out, "class", layer->class_name);
	put_known(out, "kind", (int)layer->kind);
	if (layer->container != WH_NO_LAYER)
		put_number(out, "container", layer->container);
	json_out_key(out, "weights");
	json_out_open(out, '[');
	for (i = 0; i < layer->n_variables; i++) {
		const struct wh_variable *at = &layer->variables[i];

		describe_weight(out, at, keys[at->tensor],
				tensors[at->tensor].key);
	}
	json_out_close(out, ']');
	json_out_close(out, '}');
}

/* Texts, and the numbers by which Keras 3's objects are found again: what makes
 * loaders convert, and a model's configuration. */
static bool is_described(const struct wh_attribute *at)
{
	/* The file says that itself. */
	if (strcmp(at->key, MANIFEST_PACKED) == 0)
		return false;
	return at->kind == WH_VALUE_INTEGER ||
	       (at->kind == WH_VALUE_TEXT &&
		text_is_name(at->text, (size_t)at->size));
}

static void describe_attribute(struct json_out *out,
			       const struct wh_attribute *at)
{
	json_out_open(out, '[');
	json_out_text(out, at->path, strlen(at->path));
	json_out_text(out, at->key, strlen(at->key));
	if (at->kind == WH_VALUE_TEXT)
		json_out_text(out, at->text, (size_t)at->size);
	else
		json_out_number(out, at->integer);
	json_out_close(out, ']');
}

static void describe(struct json_out *out, const struct wh_manifest *manifest,
		     const char *const *keys)
{
	const char *origin = manifest->origin_format;
	uint32_t i;

	json_out_open(out, '{');
	put_text(out, "origin", origin ? origin : "memory");
	put_text(out, "generator", manifest->origin_generator);
	json_out_key(out, "layers");
	json_out_open(out, '[');
	for (i = 0; i < manifest->n_layers; i++)
		describe_layer(out, &manifest->layers[i], manifest->tensors,
			       keys);
	json_out_close(out, ']');
	json_out_key(out, "attributes");
	json_out_open(out, '[');
	for (i = 0; i < manifest->n_attributes; i++)
		if (is_described(&manifest->attributes[i]))
			describe_attribute(out, &manifest->attributes[i]);
	json_out_close(out, ']');
	if (manifest->graph) {
		json_out_key(out, "graph");
		neutral_graph_describe(out, manifest->graph);
	}
	json_out_close(out, '}');
}

enum wh_status neutral_describe(const struct wh_manifest *manifest,
				const char *const *keys, char **text,
				struct wh_error *err)
{
	struct wh_buf buf wh_buf_auto = {0};
	struct json_out out = {.buf = &buf, .err = err, .upper = true};

	describe(&out, manifest, keys);
	WH_TRY(out.status);
	return wh_buf_take_text(&buf, text, err);
}
