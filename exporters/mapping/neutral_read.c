/* From keys, and a description where there is one, to layers. */
#include <jansson.h>
#include <string.h>

#include "core/name_map.h"
#include "mapping/neutral.h"
#include "mapping/neutral_graph.h"

#define MAX_DESCRIPTION ((size_t)64 << 20) /* bytes */

/* ---- By keys alone
 * ------------------------------------------------------------- */

/* What precedes the last `/` or `.`; 0 if nothing does. */
static size_t layer_length(const char *key)
{
	size_t at = strlen(key);

	while (at && key[at - 1] != '/' && key[at - 1] != '.')
		at--;
	/* "name." has no weight behind its point: all of it is the weight. */
	return at > 1 && key[at] ? at - 1 : 0;
}

static enum wh_status ensure_layer(struct manifest_builder *builder,
				   struct arena *arena, struct name_map *layers,
				   const char *key, size_t len, uint32_t *layer,
				   struct wh_error *err)
{
	const char *name = arena_bytes(arena, key, len);
	bool added;

	if (!name)
		return wh_fail_memory(err);
	*layer = name_map_find(layers, name);
	if (*layer != UINT32_MAX)
		return WH_OK;
	WH_TRY(manifest_add_layer(builder, name, NULL,
				  len ? WH_LAYER : WH_LAYER_MODEL, WH_NO_LAYER,
				  layer, err));
	return name_map_add(layers, name, *layer, &added, err);
}

static enum wh_status split_keys(struct manifest_builder *builder,
				 struct arena *arena, struct name_map *layers,
				 const char *const *keys, uint32_t n_keys,
				 struct wh_error *err)
{
	uint32_t i, layer;

	for (i = 0; i < n_keys; i++) {
		size_t len = layer_length(keys[i]);
		struct wh_variable variable = {
			.name = keys[i],
			.object_path = keys[i] + (len ? len + 1 : 0),
			.tensor = i};

		WH_TRY(ensure_layer(builder, arena, layers, keys[i], len,
				    &layer, err));
		WH_TRY(manifest_add_variable(builder, layer, &variable, err));
	}
	return WH_OK;
}

/* ---- By a description
 * ---------------------------------------------------------- */

static const char *text_in(const json_t *object, const char *key)
{
	return json_string_value(json_object_get(object, key));
}

static json_int_t number_in(const json_t *object, const char *key)
{
	return json_integer_value(json_object_get(object, key));
}

/* Whether every weight has a name and the key of a tensor of its own. */
static bool weights_fit(const json_t *weights, const struct name_map *tensors,
			bool *taken, uint32_t *n_taken)
{
	const json_t *row;
	size_t i;

	json_array_foreach(weights, i, row)
	{
		const char *key = text_in(row, "key");
		uint32_t index = key ? name_map_find(tensors, key) : UINT32_MAX;
		json_int_t role = number_in(row, "role");
		json_int_t trainable = number_in(row, "trainable");

		if (index == UINT32_MAX || taken[index] ||
		    !text_in(row, "name") || role < WH_ROLE_WEIGHT ||
		    role > WH_ROLE_OTHER || trainable < WH_TRAINABLE_UNKNOWN ||
		    trainable > WH_TRAINABLE_NO)
			return false;
		taken[index] = true;
		(*n_taken)++;
	}
	return json_is_array(weights);
}

static bool layer_fits(const json_t *layer, size_t index)
{
	const json_t *container = json_object_get(layer, "container");
	json_int_t kind = number_in(layer, "kind");

	if (!text_in(layer, "name") || kind < WH_LAYER || kind > WH_LAYER_STATE)
		return false;
	return !container ||
	       (json_is_integer(container) &&
		json_integer_value(container) >= 0 &&
		json_integer_value(container) < (json_int_t)index);
}

static bool attribute_fits(const json_t *row)
{
	const json_t *value = json_array_get(row, 2);

	return json_array_size(row) == 3 &&
	       json_is_string(json_array_get(row, 0)) &&
	       json_is_string(json_array_get(row, 1)) &&
	       (json_is_string(value) || json_is_integer(value));
}

static bool attributes_fit(const json_t *attributes)
{
	const json_t *row;
	size_t i;

	json_array_foreach(attributes, i, row)
	{
		if (!attribute_fits(row))
			return false;
	}
	return json_is_array(attributes);
}

static bool description_fits(const json_t *root, const struct name_map *tensors,
			     uint32_t n_tensors, bool *taken)
{
	const json_t *layers = json_object_get(root, "layers"), *layer;
	uint32_t n_taken = 0;
	size_t i;

	if (!json_is_array(layers) || !text_in(root, "origin") ||
	    !attributes_fit(json_object_get(root, "attributes")))
		return false;
	json_array_foreach(layers, i, layer)
	{
		if (!layer_fits(layer, i) ||
		    !weights_fit(json_object_get(layer, "weights"), tensors,
				 taken, &n_taken))
			return false;
	}
	return n_taken == n_tensors;
}

static enum wh_status add_described(struct manifest_builder *builder,
				    const json_t *layer,
				    const struct name_map *tensors,
				    struct wh_error *err)
{
	const json_t *container = json_object_get(layer, "container"), *row;
	uint32_t index;
	size_t i;

	WH_TRY(manifest_add_layer(
		builder, text_in(layer, "name"), text_in(layer, "class"),
		(enum wh_layer_kind)number_in(layer, "kind"),
		container ? (uint32_t)json_integer_value(container)
			  : WH_NO_LAYER,
		&index, err));
	json_array_foreach(json_object_get(layer, "weights"), i, row)
	{
		struct wh_variable variable = {
			.name = text_in(row, "name"),
			.object_path = text_in(row, "path"),
			.keras3_path = text_in(row, "keras3"),
			.role = (enum wh_role)number_in(row, "role"),
			.trainable =
				(enum wh_trainable)number_in(row, "trainable"),
			.tensor = name_map_find(tensors, text_in(row, "key"))};

		WH_TRY(manifest_add_variable(builder, index, &variable, err));
	}
	return WH_OK;
}

static enum wh_status add_attribute(struct manifest_builder *builder,
				    const json_t *row, struct wh_error *err)
{
	const json_t *value = json_array_get(row, 2);
	struct wh_attribute attribute = {
		.path = json_string_value(json_array_get(row, 0)),
		.key = json_string_value(json_array_get(row, 1)),
		.kind = WH_VALUE_TEXT,
		.text = json_string_value(value),
		.size = json_string_length(value)};

	if (json_is_integer(value)) {
		attribute.kind = WH_VALUE_INTEGER;
		attribute.integer = json_integer_value(value);
	}
	return manifest_add_attribute(builder, &attribute, err);
}

static enum wh_status follow(struct manifest_builder *builder,
			     const json_t *root, const struct name_map *tensors,
			     struct wh_error *err)
{
	const json_t *row;
	size_t i;

	json_array_foreach(json_object_get(root, "layers"), i, row)
		WH_TRY(add_described(builder, row, tensors, err));
	json_array_foreach(json_object_get(root, "attributes"), i, row)
		WH_TRY(add_attribute(builder, row, err));
	return WH_OK;
}

static enum wh_status name_tensors(struct name_map *tensors,
				   const char *const *keys, uint32_t n_keys,
				   struct wh_error *err)
{
	uint32_t i;
	bool added;

	for (i = 0; i < n_keys; i++)
		WH_TRY(name_map_add(tensors, keys[i], i, &added, err));
	return WH_OK;
}

/* ---- Both
 * --------------------------------------------------------------------- */

struct described {
	json_t *root; /* NULL: there is none, or not one of these tensors */
	struct name_map tensors;
};

static void described_free(struct described *described)
{
	json_decref(described->root);
	name_map_free(&described->tensors);
}

static enum wh_status described_read(struct described *described,
				     const char *const *keys, uint32_t n_keys,
				     const char *description, size_t len,
				     struct arena *arena, struct wh_error *err)
{
	bool *taken = arena_alloc(arena, n_keys, sizeof(*taken));
	json_t *root = NULL;

	if (!taken)
		return wh_fail_memory(err);
	WH_TRY(name_tensors(&described->tensors, keys, n_keys, err));
	if (description && len <= MAX_DESCRIPTION)
		root = json_loadb(description, len, JSON_REJECT_DUPLICATES,
				  NULL);
	if (root && description_fits(root, &described->tensors, n_keys, taken))
		described->root = root;
	else
		json_decref(root);
	return WH_OK;
}

static enum wh_status take_order(const struct described *described,
				 struct arena *arena, uint32_t *order,
				 const char **names, struct wh_error *err)
{
	const json_t *layer, *row;
	uint32_t n = 0;
	size_t i, k;

	json_array_foreach(json_object_get(described->root, "layers"), i, layer)
	{
		json_array_foreach(json_object_get(layer, "weights"), k, row)
		{
			const char *key = text_in(row, "key");
			const char *name = text_in(row, "tensor");

			order[n] = name_map_find(&described->tensors, key);
			names[n] = arena_strdup(arena, name ? name : key);
			if (!names[n++])
				return wh_fail_memory(err);
		}
	}
	return WH_OK;
}

enum wh_status neutral_order(const char *const *keys, uint32_t n_keys,
			     const char *description, size_t len,
			     struct arena *arena, uint32_t *order,
			     const char **names, struct wh_error *err)
{
	__attribute__((cleanup(described_free))) struct described described = {
		0};
	uint32_t i;

	WH_TRY(described_read(&described, keys, n_keys, description, len, arena,
			      err));
	if (described.root)
		return take_order(&described, arena, order, names, err);
	for (i = 0; i < n_keys; i++) {
		order[i] = i;
		names[i] = keys[i];
	}
	return WH_OK;
}

static enum wh_status take_origin(const json_t *root, struct arena *arena,
				  struct neutral_origin *origin,
				  struct wh_error *err)
{
	const char *generator = text_in(root, "generator");

	origin->format = arena_strdup(arena, text_in(root, "origin"));
	if (generator)
		origin->generator = arena_strdup(arena, generator);
	if (!origin->format || (generator && !origin->generator))
		return wh_fail_memory(err);
	return neutral_graph_read(json_object_get(root, "graph"), arena,
				  &origin->graph, err);
}

enum wh_status neutral_layers(struct manifest_builder *builder,
			      struct arena *arena, const char *const *keys,
			      uint32_t n_keys, const char *description,
			      size_t len, struct neutral_origin *origin,
			      struct wh_error *err)
{
	__attribute__((cleanup(described_free))) struct described described = {
		0};
	struct name_map layers = {0};
	enum wh_status status;

	*origin = (struct neutral_origin){0};
	WH_TRY(described_read(&described, keys, n_keys, description, len, arena,
			      err));
	if (described.root) {
		WH_TRY(take_origin(described.root, arena, origin, err));
		return follow(builder, described.root, &described.tensors, err);
	}
	if (description)
		WH_TRY(manifest_warn(builder, err,
				     "the description of layers doesn't fit "
				     "the file's tensors: it is left aside"));
	status = split_keys(builder, arena, &layers, keys, n_keys, err);
	name_map_free(&layers);
	return status;
}
