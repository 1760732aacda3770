#include "mapping/layers_config.h"

#include "core/manifest.h"
#include "core/name_map.h"

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

enum wh_status layers_config(const struct wh_manifest *manifest,
			     const char *given, struct arena *arena,
			     const struct config_layer ***of,
			     struct wh_error *err)
{
	const struct config_layer *model;

	WH_TRY(layers_config_model(manifest, given, arena, &model, err));
	return layers_config_match(manifest, model, arena, of, err);
}
