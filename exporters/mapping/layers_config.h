/* mapping/layers_config.h: which part of a model configuration is which layer
 * of a manifest. */
#ifndef WH_MAPPING_LAYERS_CONFIG_H
#define WH_MAPPING_LAYERS_CONFIG_H

#include "mapping/config.h"
#include <weighhouse/source.h>

/** `of[i]` is the configuration of layer i, or NULL: by name, or by place if
 *  the model has just as many layers as the manifest. `given` is JSON text;
 *  NULL: the manifest's own attribute `model_config`, whose damage is only
 *  absence. `*order` is as from layers_config_order where the manifest has
 *  none of its own, and the model has all of its layers by name; else it stays.
 *  WH_EINVAL for a `given` that is no model configuration. */
enum wh_status layers_config(const struct wh_manifest *manifest,
			     const char *given, struct arena *arena,
			     const struct config_layer ***of,
			     const uint32_t **order, struct wh_error *err);

/** The same in two steps: the model, or NULL where none is known; and which of
 *  its children is which layer. */
enum wh_status layers_config_model(const struct wh_manifest *manifest,
				   const char *given, struct arena *arena,
				   const struct config_layer **model,
				   struct wh_error *err);
enum wh_status layers_config_match(const struct wh_manifest *manifest,
				   const struct config_layer *model,
				   struct arena *arena,
				   const struct config_layer ***of,
				   struct wh_error *err);

/** The manifest's layers in the model's order (NULL: in their own), by what of
 *  it they are; those that are none of it stay where they are. */
enum wh_status layers_config_order(const struct wh_manifest *manifest,
				   const struct config_layer *model,
				   const struct config_layer *const *of,
				   struct arena *arena, const uint32_t **order,
				   struct wh_error *err);

/** NULL, or a sentence: that the order of layers is only that of the file's
 *  keys. `order` is from layers_config, NULL where it gave none. */
const char *layers_order_doubt(const struct wh_manifest *manifest,
			       const uint32_t *order);

#endif
