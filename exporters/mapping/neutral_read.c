/* From keys, and a description where there is one, to layers. */
#include <stdlib.h>
#include <string.h>

#include "base/text.h"
#include "core/name_map.h"
#include "mapping/neutral.h"
#include "mapping/neutral_graph.h"
#include "mapping/neutral_scan.h"

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

/* ---- A description
 * ---------------------------------------------------------- */

struct weight {
	const char *key, *tensor, *name, *path, *keras3;
	int64_t role, trainable;
};

struct layer {
	const char *name, *class_name;
	int64_t kind, container; /* -1: it is in none */
	uint32_t n_weights;
};

struct neutral_description {
	struct arena arena;
	struct layer *layers;
	struct weight *weights; /* of all layers; as many as keys */
	struct wh_attribute *attributes;
	size_t n_layers, n_attributes;
	uint32_t n_weights;
	uint32_t *tensors; /* which key each weight has */
	const char *origin, *generator;
	struct wh_graph *graph;
};

void neutral_description_free(struct neutral_description *description)
{
	if (!description)
		return;
	arena_free(&description->arena);
	free(description);
}

struct reading {
	struct scan scan;
	struct neutral_description *out;
	struct arena *arena; /* of the graph */
	const struct name_map *keys;
	uint32_t n_keys;
	bool *taken;
};

static bool has(const struct neutral_object *object, unsigned field)
{
	return object->seen >> field & 1;
}

static void read_weight(struct reading *r, struct weight *weight)
{
	enum { KEY, TENSOR, NAME, PATH, KERAS3, ROLE, TRAINABLE };
	static const char *const fields[] = {"key",	  "tensor", "name",
					     "path",	  "keras3", "role",
					     "trainable", NULL};
	const char **texts[] = {&weight->key, &weight->tensor, &weight->name,
				&weight->path, &weight->keras3};
	struct neutral_object object = {.fields = fields};
	unsigned field;

	scan_open(&r->scan, '{');
	while (neutral_field(&r->scan, &object, &field))
		if (field == ROLE)
			weight->role = neutral_number(&r->scan);
		else if (field == TRAINABLE)
			weight->trainable = neutral_number(&r->scan);
		else
			neutral_text(&r->scan, &r->out->arena, texts[field]);
}

/* Whether it has a name and the key of a tensor of its own. */
static bool weight_fits(struct reading *r, const struct weight *weight,
			uint32_t *tensor)
{
	if (!weight->key || !weight->name || weight->role < WH_ROLE_WEIGHT ||
	    weight->role > WH_ROLE_OTHER ||
	    weight->trainable < WH_TRAINABLE_UNKNOWN ||
	    weight->trainable > WH_TRAINABLE_NO)
		return false;
	*tensor = name_map_find(r->keys, weight->key);
	if (*tensor == UINT32_MAX || r->taken[*tensor])
		return false;
	r->taken[*tensor] = true;
	return true;
}

static void read_weights(struct reading *r, struct layer *layer)
{
	struct neutral_description *out = r->out;
	bool first = true;

	scan_open(&r->scan, '[');
	while (scan_more(&r->scan, ']', &first)) {
		struct weight *weight = &out->weights[out->n_weights];

		if (out->n_weights == r->n_keys) {
			neutral_misfit(&r->scan);
			return;
		}
		read_weight(r, weight);
		if (!weight_fits(r, weight, &out->tensors[out->n_weights]))
			neutral_misfit(&r->scan);
		out->n_weights++;
		layer->n_weights++;
	}
}

static void read_layer(struct reading *r, struct layer *layer)
{
	enum { NAME, CLASS, KIND, CONTAINER, WEIGHTS };
	static const char *const fields[] = {"name",	  "class",   "kind",
					     "container", "weights", NULL};
	const char **texts[] = {&layer->name, &layer->class_name};
	struct neutral_object object = {.fields = fields};
	unsigned field;

	scan_open(&r->scan, '{');
	while (neutral_field(&r->scan, &object, &field))
		if (field == KIND)
			layer->kind = neutral_number(&r->scan);
		else if (field == CONTAINER)
			layer->container = neutral_number(&r->scan);
		else if (field == WEIGHTS)
			read_weights(r, layer);
		else
			neutral_text(&r->scan, &r->out->arena, texts[field]);
	if (!has(&object, CONTAINER))
		layer->container = -1;
	else if (layer->container < 0 ||
		 layer->container >= layer - r->out->layers)
		neutral_misfit(&r->scan);
	if (!layer->name || !has(&object, WEIGHTS) || layer->kind < WH_LAYER ||
	    layer->kind > WH_LAYER_STATE)
		neutral_misfit(&r->scan);
}

/* Room for the rows of the list that comes next, which it opens. */
static void *open_list(struct reading *r, size_t size, size_t *n)
{
	void *room;

	*n = scan_count(&r->scan);
	room = arena_alloc(&r->out->arena, *n, size);
	if (!room)
		neutral_misfit(&r->scan);
	scan_open(&r->scan, '[');
	return room;
}

static void read_layers(struct reading *r)
{
	struct neutral_description *out = r->out;
	bool first = true;
	size_t i;

	out->layers = open_list(r, sizeof(*out->layers), &out->n_layers);
	for (i = 0; scan_more(&r->scan, ']', &first); i++)
		read_layer(r, &out->layers[i]);
}

static void read_attribute(struct reading *r, struct wh_attribute *attribute)
{
	struct arena *arena = &r->out->arena;

	scan_open(&r->scan, '[');
	neutral_text(&r->scan, arena, &attribute->path);
	scan_take(&r->scan, ',');
	neutral_text(&r->scan, arena, &attribute->key);
	scan_take(&r->scan, ',');
	if (scan_peek(&r->scan) == '"') {
		attribute->kind = WH_VALUE_TEXT;
		neutral_text(&r->scan, arena, &attribute->text);
		attribute->size = attribute->text ? strlen(attribute->text) : 0;
	} else {
		attribute->kind = WH_VALUE_INTEGER;
		attribute->integer = neutral_number(&r->scan);
	}
	scan_take(&r->scan, ']');
	r->scan.depth--;
}

static void read_attributes(struct reading *r)
{
	struct neutral_description *out = r->out;
	bool first = true;
	size_t i;

	out->attributes =
		open_list(r, sizeof(*out->attributes), &out->n_attributes);
	for (i = 0; scan_more(&r->scan, ']', &first); i++)
		read_attribute(r, &out->attributes[i]);
}

static bool read_all(struct reading *r)
{
	enum { ORIGIN, GENERATOR, LAYERS, ATTRIBUTES, GRAPH };
	static const char *const fields[] = {
		"origin", "generator", "layers", "attributes", "graph", NULL};
	struct neutral_description *out = r->out;
	const char **texts[] = {&out->origin, &out->generator};
	struct neutral_object object = {.fields = fields};
	unsigned field;

	scan_open(&r->scan, '{');
	while (neutral_field(&r->scan, &object, &field))
		if (field == LAYERS)
			read_layers(r);
		else if (field == ATTRIBUTES)
			read_attributes(r);
		else if (field == GRAPH)
			out->graph = neutral_graph_read(&r->scan, r->arena);
		else
			neutral_text(&r->scan, r->arena, texts[field]);
	return scan_end(&r->scan) && out->origin && has(&object, LAYERS) &&
	       has(&object, ATTRIBUTES) && out->n_weights == r->n_keys;
}

static enum wh_status make_room(struct reading *r, struct wh_error *err)
{
	struct arena *arena = &r->out->arena;

	r->out->weights =
		arena_alloc(arena, r->n_keys, sizeof(*r->out->weights));
	r->out->tensors =
		arena_alloc(arena, r->n_keys, sizeof(*r->out->tensors));
	r->taken = arena_alloc(arena, r->n_keys, sizeof(*r->taken));
	return r->out->weights && r->out->tensors && r->taken
		       ? WH_OK
		       : wh_fail_memory(err);
}

static enum wh_status read_description(struct reading *r, const char *text,
				       size_t len, bool *fits,
				       struct wh_error *err)
{
	WH_TRY(make_room(r, err));
	scan_begin(&r->scan, text, len);
	*fits = read_all(r);
	return r->out->arena.failed || r->arena->failed ? wh_fail_memory(err)
							: WH_OK;
}

static enum wh_status name_keys(struct name_map *map, const char *const *keys,
				uint32_t n_keys, struct wh_error *err)
{
	uint32_t i;
	bool added;

	for (i = 0; i < n_keys; i++)
		WH_TRY(name_map_add(map, keys[i], i, &added, err));
	return WH_OK;
}

/* As far as it goes, in `r->out`. */
static enum wh_status try_description(struct reading *r,
				      const char *const *keys, const char *text,
				      size_t len, bool *fits,
				      struct wh_error *err)
{
	struct name_map map = {0};
	enum wh_status status;

	*fits = len <= MAX_DESCRIPTION && text_is_name(text, len);
	if (!*fits)
		return WH_OK;
	r->out = calloc(1, sizeof(*r->out));
	if (!r->out)
		return wh_fail_memory(err);
	r->keys = &map;
	status = name_keys(&map, keys, r->n_keys, err);
	if (!status)
		status = read_description(r, text, len, fits, err);
	r->keys = NULL;
	name_map_free(&map);
	return status;
}

enum wh_status neutral_description_read(struct manifest_builder *builder,
					const char *const *keys,
					uint32_t n_keys, const char *text,
					size_t len, struct arena *arena,
					struct neutral_description **out,
					struct wh_error *err)
{
	struct reading r = {.arena = arena, .n_keys = n_keys};
	enum wh_status status;
	bool fits = false;

	*out = NULL;
	if (!text)
		return WH_OK;
	status = try_description(&r, keys, text, len, &fits, err);
	if (!status && fits) {
		*out = r.out;
		return WH_OK;
	}
	neutral_description_free(r.out);
	return status ? status
		      : manifest_warn(builder, err,
				      "the description of layers doesn't fit "
				      "the file's tensors: it is left aside");
}

/* ---- By a description
 * ---------------------------------------------------------- */

enum wh_status neutral_order(const struct neutral_description *description,
			     const char *const *keys, uint32_t n_keys,
			     struct arena *arena, uint32_t *order,
			     const char **names, struct wh_error *err)
{
	uint32_t i;

	for (i = 0; i < n_keys; i++) {
		const struct weight *weight =
			description ? &description->weights[i] : NULL;

		order[i] = weight ? description->tensors[i] : i;
		names[i] = keys[order[i]];
		if (weight && weight->tensor)
			names[i] = arena_strdup(arena, weight->tensor);
		if (!names[i])
			return wh_fail_memory(err);
	}
	return WH_OK;
}

static enum wh_status add_layer(struct manifest_builder *builder,
				const struct layer *layer,
				const struct weight *weights, uint32_t tensor,
				struct wh_error *err)
{
	uint32_t index, i;

	WH_TRY(manifest_add_layer(
		builder, layer->name, layer->class_name,
		(enum wh_layer_kind)layer->kind,
		layer->container < 0 ? WH_NO_LAYER : (uint32_t)layer->container,
		&index, err));
	for (i = 0; i < layer->n_weights; i++) {
		struct wh_variable variable = {
			.name = weights[i].name,
			.object_path = weights[i].path,
			.keras3_path = weights[i].keras3,
			.role = (enum wh_role)weights[i].role,
			.trainable = (enum wh_trainable)weights[i].trainable,
			.tensor = tensor + i};

		WH_TRY(manifest_add_variable(builder, index, &variable, err));
	}
	return WH_OK;
}

/* Tensors come in the description's order. */
static enum wh_status follow(struct manifest_builder *builder,
			     const struct neutral_description *description,
			     struct wh_error *err)
{
	uint32_t done = 0;
	size_t i;

	for (i = 0; i < description->n_layers; i++) {
		const struct layer *layer = &description->layers[i];

		WH_TRY(add_layer(builder, layer, description->weights + done,
				 done, err));
		done += layer->n_weights;
	}
	for (i = 0; i < description->n_attributes; i++)
		WH_TRY(manifest_add_attribute(
			builder, &description->attributes[i], err));
	return WH_OK;
}

enum wh_status neutral_layers(struct manifest_builder *builder,
			      struct arena *arena,
			      const struct neutral_description *description,
			      const char *const *keys, uint32_t n_keys,
			      struct neutral_origin *origin,
			      struct wh_error *err)
{
	struct name_map layers = {0};
	enum wh_status status;

	*origin = (struct neutral_origin){0};
	if (description) {
		origin->format = description->origin;
		origin->generator = description->generator;
		origin->graph = description->graph;
		return follow(builder, description, err);
	}
	status = split_keys(builder, arena, &layers, keys, n_keys, err);
	name_map_free(&layers);
	return status;
}
