#include "mapping/layers_config.h"

#include <string.h>

#include "core/manifest.h"
#include "core/name_map.h"
#include "mapping/neutral.h"

#define NOWHERE UINT32_MAX

enum wh_status layers_config_model(const struct wh_manifest *manifest,
				   const char *given, struct arena *arena,
				   const struct config_layer **model,
				   struct wh_error *err)
{
	const struct wh_attribute *attribute =
		manifest_attribute(manifest, "", "model_config");
	struct wh_error ignored;
	enum wh_status status;

	*model = NULL;
	if (given)
		return config_parse(given, arena, model, err);
	if (!attribute || !attribute->text)
		return WH_OK;
	status = config_parse(attribute->text, arena, model, &ignored);
	return status == WH_ENOMEM ? wh_fail_memory(err) : WH_OK;
}

static enum wh_status map_children(const struct config_layer *model,
				   struct name_map *map, struct wh_error *err)
{
	uint32_t i;
	bool added;

	for (i = 0; i < model->n_children; i++)
		WH_TRY(name_map_add(map, model->children[i].name, i, &added,
				    err));
	return WH_OK;
}

static uint32_t count_layers(const struct wh_manifest *manifest)
{
	uint32_t i, n = 0;

	for (i = 0; i < manifest->n_layers; i++)
		n += manifest->layers[i].kind == WH_LAYER;
	return n;
}

enum wh_status layers_config_match(const struct wh_manifest *manifest,
				   const struct config_layer *model,
				   struct arena *arena,
				   const struct config_layer ***of,
				   struct wh_error *err)
{
	__attribute__((cleanup(name_map_free))) struct name_map map = {0};
	const struct config_layer **made =
		arena_alloc(arena, manifest->n_layers, sizeof(*made));
	uint32_t i, place = 0;
	bool by_place;

	if (!made)
		return wh_fail_memory(err);
	*of = made;
	if (!model)
		return WH_OK;
	WH_TRY(map_children(model, &map, err));
	by_place = count_layers(manifest) == model->n_children;
	for (i = 0; i < manifest->n_layers; i++) {
		const struct wh_layer *layer = &manifest->layers[i];
		uint32_t at = name_map_find(&map, layer->name);

		if (layer->kind != WH_LAYER)
			continue;
		if (at == UINT32_MAX && by_place)
			at = place;
		if (at != UINT32_MAX)
			made[i] = &model->children[at];
		place++;
	}
	return WH_OK;
}

/* ---- Order ------------------------------------------------------------ */

/* Which of the model's layers it is, or NOWHERE. */
static uint32_t place_in(const struct config_layer *model,
			 const struct config_layer *config)
{
	uintptr_t first = (uintptr_t)model->children, at = (uintptr_t)config;

	if (at < first || at - first >= model->n_children * sizeof(*config))
		return NOWHERE;
	return (uint32_t)((at - first) / sizeof(*config));
}

enum wh_status layers_config_order(const struct wh_manifest *manifest,
				   const struct config_layer *model,
				   const struct config_layer *const *of,
				   struct arena *arena, const uint32_t **order,
				   struct wh_error *err)
{
	static const struct config_layer unknown;
	uint32_t i, place, next = 0, *made, *layer_at;

	model = model ? model : &unknown;
	made = arena_alloc(arena, manifest->n_layers, sizeof(*made));
	layer_at = arena_alloc(arena, model->n_children, sizeof(*layer_at));
	if (!made || !layer_at)
		return wh_fail_memory(err);
	for (i = 0; i < model->n_children; i++)
		layer_at[i] = NOWHERE;
	for (i = 0; i < manifest->n_layers; i++) {
		made[i] = i;
		place = place_in(model, of[i]);
		if (place != NOWHERE)
			layer_at[place] = i;
	}
	for (i = 0; i < manifest->n_layers; i++) {
		place = place_in(model, of[i]);
		if (place == NOWHERE || layer_at[place] != i)
			continue;
		while (layer_at[next] == NOWHERE)
			next++;
		made[i] = layer_at[next++];
	}
	*order = made;
	return WH_OK;
}

/* Keys without a description stand in any order. */
static bool order_is_unknown(const struct wh_manifest *manifest,
			     const struct config_layer *const *of)
{
	uint32_t i;

	for (i = 0; i < manifest->n_layers; i++)
		if (manifest->layers[i].kind == WH_LAYER &&
		    (!of[i] || strcmp(of[i]->name, manifest->layers[i].name)))
			return false;
	return neutral_is_plain(manifest);
}

enum wh_status layers_config(const struct wh_manifest *manifest,
			     const char *given, struct arena *arena,
			     const struct config_layer ***of,
			     const uint32_t **order, struct wh_error *err)
{
	const struct config_layer *model;

	WH_TRY(layers_config_model(manifest, given, arena, &model, err));
	WH_TRY(layers_config_match(manifest, model, arena, of, err));
	return order_is_unknown(manifest, *of)
		       ? layers_config_order(manifest, model, *of, arena, order,
					     err)
		       : WH_OK;
}

const char *layers_order_doubt(const struct wh_manifest *manifest,
			       const uint32_t *order)
{
	uint32_t i, n = 0;

	for (i = 0; i < manifest->n_layers; i++)
		n += manifest->layers[i].kind == WH_LAYER &&
		     manifest->layers[i].n_variables;
	if (order || n < 2 || !neutral_is_plain(manifest))
		return NULL;
	return "the file doesn't say in which order the model has its layers, "
	       "by which Keras loads them: --model-config FILE (the model's "
	       "to_json()) does, or load by name";
}
