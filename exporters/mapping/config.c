/* A Keras model configuration, of Keras 2 or 3:
 *
 *	{"class_name": "Functional", "config": {"name": ..., "layers": [
 *		{"class_name": "Dense", "config": {"name": ..., ...}}, ...]}}
 *
 * and where an old Sequential has the list itself as its "config". A wrapper
 * has "layer" in its config, an RNN "cell", whose config may have "cells".
 */
#include "mapping/config.h"

#include <jansson.h>
#include <string.h>

#include "base/json_python.h"
#include "base/text.h"
#include <weighhouse/tensor.h>

#define MAX_CONFIG_SIZE ((size_t)64 << 20)
#define MAX_DEPTH	32u
#define MAX_CELLS	256u
/* Of all parts: of each Bidirectional one layer is two, so that nesting them
 * doubles, and the text stays small. */
#define MAX_PARTS ((size_t)2 * WH_MAX_LAYERS)

struct parse {
	struct arena *arena;
	size_t n; /* parts so far */
};

static enum wh_status read_layer(const json_t *json, unsigned depth,
				 struct parse *parse, struct config_layer *out,
				 struct wh_error *err);

/* `*copy` stays as it is where there is no string. */
static enum wh_status copy_string(const json_t *json, struct parse *parse,
				  const char **copy, struct wh_error *err)
{
	if (!json_is_string(json))
		return WH_OK;
	*copy = arena_bytes(parse->arena, json_string_value(json),
			    json_string_length(json));
	return *copy ? WH_OK : wh_fail_memory(err);
}

static enum wh_status fail_shape(struct wh_error *err, const char *what)
{
	return wh_fail(err, WH_EINVAL, "model configuration: %s", what);
}

static enum wh_status make_children(struct config_layer *out,
				    enum config_kind kind, size_t n,
				    struct parse *parse, struct wh_error *err)
{
	/* A Sequential lists its input, which is no layer of it. */
	if (n > (size_t)WH_MAX_LAYERS + 1 || n > MAX_PARTS - parse->n)
		return wh_fail(err, WH_EINVAL,
			       "model configuration: more than %u layers",
			       WH_MAX_LAYERS);
	parse->n += n;
	out->kind = kind;
	out->children = arena_alloc(parse->arena, n, sizeof(*out->children));
	return out->children ? WH_OK : wh_fail_memory(err);
}

static bool has_text(const json_t *object, const char *key, const char *text)
{
	const char *found = json_string_value(json_object_get(object, key));

	return found && strcmp(found, text) == 0;
}

static bool is_class(const json_t *layer, const char *class_name)
{
	return has_text(layer, "class_name", class_name);
}

/* A model's list of layers. A Sequential's `layers` leaves its input out. */
static enum wh_status read_layers(const json_t *list, unsigned depth,
				  struct parse *parse, struct config_layer *out,
				  struct wh_error *err)
{
	bool sequential =
		out->class_name && strcmp(out->class_name, "Sequential") == 0;
	const json_t *item;
	size_t i;

	WH_TRY(make_children(out, CONFIG_MODEL, json_array_size(list), parse,
			     err));
	json_array_foreach(list, i, item)
	{
		if (sequential && is_class(item, "InputLayer"))
			continue;
		WH_TRY(read_layer(item, depth + 1, parse,
				  &out->children[out->n_children], err));
		out->n_children++;
	}
	return WH_OK;
}

static enum wh_status read_cells(const json_t *cells, unsigned depth,
				 struct parse *parse, struct config_layer *out,
				 struct wh_error *err)
{
	const json_t *item;
	size_t i;

	if (json_array_size(cells) > MAX_CELLS)
		return fail_shape(err, "too many cells in an RNN");
	WH_TRY(make_children(out, CONFIG_CELLS, json_array_size(cells), parse,
			     err));
	json_array_foreach(cells, i, item)
	{
		WH_TRY(read_layer(item, depth + 1, parse,
				  &out->children[out->n_children], err));
		out->n_children++;
	}
	return WH_OK;
}

/* Without a "backward_layer" the backward one is a copy of the forward one. */
static enum wh_status read_wrapped(const json_t *config, unsigned depth,
				   struct parse *parse,
				   struct config_layer *out,
				   struct wh_error *err)
{
	const json_t *layer = json_object_get(config, "layer");
	const json_t *backward = json_object_get(config, "backward_layer");
	bool both = out->class_name &&
		    strcmp(out->class_name, "Bidirectional") == 0;

	WH_TRY(make_children(out, both ? CONFIG_BIDIRECTIONAL : CONFIG_WRAPPER,
			     both ? 2 : 1, parse, err));
	WH_TRY(read_layer(layer, depth + 1, parse, &out->children[0], err));
	if (both)
		WH_TRY(read_layer(json_is_object(backward) ? backward : layer,
				  depth + 1, parse, &out->children[1], err));
	out->n_children = both ? 2 : 1;
	return WH_OK;
}

static enum wh_status read_inside(const json_t *config, unsigned depth,
				  struct parse *parse, struct config_layer *out,
				  struct wh_error *err)
{
	const json_t *layers = json_object_get(config, "layers");
	const json_t *cell_config =
		json_object_get(json_object_get(config, "cell"), "config");
	const json_t *cells = json_object_get(cell_config, "cells");

	if (json_is_array(layers))
		return read_layers(layers, depth, parse, out, err);
	if (json_is_array(cells))
		return read_cells(cells, depth, parse, out, err);
	if (json_is_object(json_object_get(config, "layer")))
		return read_wrapped(config, depth, parse, out, err);
	return WH_OK;
}

/* A vocabulary that the configuration gives is no weight. */
static bool holds_table(const json_t *layer, const json_t *config)
{
	const json_t *vocabulary = json_object_get(config, "vocabulary");

	return (is_class(layer, "StringLookup") ||
		is_class(layer, "IntegerLookup") ||
		is_class(layer, "TextVectorization")) &&
	       (!vocabulary || json_is_null(vocabulary));
}

/* "keras.src.ops.numpy", of `x + y`; in HDF5 files no class has a module, but
 * every layer of Keras 3 says if it is trained. */
static bool is_operation(const json_t *layer, const json_t *config)
{
	const char *module =
		json_string_value(json_object_get(layer, "module"));

	if (module)
		return text_starts(module, "keras.src.ops") ||
		       text_starts(module, "keras.ops");
	return json_is_object(config) && !is_class(layer, "InputLayer") &&
	       !json_object_get(config, "trainable") &&
	       !json_object_get(config, "layers");
}

static enum wh_status read_layer(const json_t *json, unsigned depth,
				 struct parse *parse, struct config_layer *out,
				 struct wh_error *err)
{
	const json_t *config = json_object_get(json, "config");
	const json_t *name = json_object_get(config, "name");

	if (depth > MAX_DEPTH)
		return fail_shape(err, "layers nest too deep");
	if (!json_is_object(json) || !config)
		return fail_shape(err, "a layer without class and config");
	if (!json_is_string(name))
		name = json_object_get(json, "name");
	out->name = "";
	WH_TRY(copy_string(json_object_get(json, "class_name"), parse,
			   &out->class_name, err));
	WH_TRY(copy_string(name, parse, &out->name, err));
	out->trainable = !json_is_false(json_object_get(config, "trainable"));
	out->scales = !json_is_false(json_object_get(config, "scale"));
	out->centers = !json_is_false(json_object_get(config, "center"));
	out->has_scale = !json_is_false(json_object_get(config, "use_scale"));
	out->concatenates = has_text(config, "score_mode", "concat");
	out->channels_first = has_text(config, "data_format", "channels_first");
	out->holds_table = holds_table(json, config);
	out->is_operation = is_operation(json, config);
	if (json_is_array(config))
		return read_layers(config, depth, parse, out, err);
	return read_inside(config, depth, parse, out, err);
}

/* to_json() of Keras 2 says its version; Keras 3 names the module of every
 * class, and in HDF5 files at least that of its policies. */
static bool is_of_keras2(const json_t *root, const char *text)
{
	const char *module = json_string_value(json_object_get(root, "module"));

	if (json_is_string(json_object_get(root, "keras_version")))
		return true;
	if (module)
		return text_starts(module, "tf_keras");
	return !strstr(text, "\"DTypePolicy\"");
}

/* No deeper than read_layer has gone. */
static void mark_keras2(struct config_layer *layer, bool is_keras2)
{
	uint32_t i;

	layer->is_keras2 = is_keras2;
	if (is_keras2)
		layer->is_operation = false;
	for (i = 0; i < layer->n_children; i++)
		mark_keras2(&layer->children[i], is_keras2);
}

enum wh_status config_parse(const char *json, struct arena *arena,
			    const struct config_layer **model,
			    struct wh_error *err)
{
	struct config_layer *made = arena_alloc(arena, 1, sizeof(*made));
	struct parse parse = {.arena = arena};
	json_error_t why;
	json_auto_t *root = NULL;
	size_t size = strlen(json);

	if (!made)
		return wh_fail_memory(err);
	if (size > MAX_CONFIG_SIZE)
		return fail_shape(err, "more than 64 MiB");
	root = json_from_python(json, size, &why);
	if (!root && json_error_code(&why) == json_error_out_of_memory)
		return wh_fail_memory(err);
	if (!root)
		return wh_fail(err, WH_EINVAL,
			       "model configuration: line %d: %s", why.line,
			       why.text);
	WH_TRY(read_layer(root, 0, &parse, made, err));
	mark_keras2(made, is_of_keras2(root, json));
	if (made->kind != CONFIG_MODEL)
		return fail_shape(err, "it lists no layers");
	*model = made;
	return WH_OK;
}

const struct config_layer *config_child(const struct config_layer *model,
					const char *name)
{
	uint32_t i;

	for (i = 0; model && i < model->n_children; i++)
		if (strcmp(model->children[i].name, name) == 0)
			return &model->children[i];
	return NULL;
}
