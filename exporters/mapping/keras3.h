/* mapping/keras3.h: the objects of a Keras 3 file, and what they are called
 * elsewhere. FORMAT.md, "Keras 3". */
#ifndef WH_MAPPING_KERAS3_H
#define WH_MAPPING_KERAS3_H

#include <stdbool.h>

#include "base/arena.h"
#include "core/manifest.h"
#include "mapping/config.h"
#include "mapping/weight_map.h"

/** A variable of an object: the dataset `<path>/vars/<key>`. */
struct keras3_value {
	const char *key;   /* "0"; in custom layers any name */
	const char *dtype; /* the dataset's attribute `dtype`, or NULL */
	uint32_t tensor;
	uint32_t shard; /* of a sharded checkpoint; else 0 */
};

struct keras3_object {
	const char *path; /* "layers/dense"; "" for the model itself */
	const char *name; /* its `vars` group's attribute, or NULL */
	struct keras3_value *values;
	uint32_t n_values;
	size_t room;
};

/** Objects in the order in which Keras writes them. */
struct keras3_objects {
	struct keras3_object *list; /* an arena's */
	uint32_t n;
	size_t room;
};

enum wh_status keras3_object_add(struct keras3_objects *objects,
				 const char *path, const char *name,
				 struct arena *arena, uint32_t *index,
				 struct wh_error *err);
enum wh_status keras3_value_add(struct keras3_object *object,
				const struct keras3_value *value,
				struct arena *arena, struct wh_error *err);

/** "layers/dense/vars/0"; NULL without memory. */
const char *keras3_value_path(const struct keras3_object *object,
			      const struct keras3_value *value,
			      struct arena *arena);

/** What kind of layer the values of an object belong to: those of "optimizer",
 *  and tf-keras's metrics, are no weights. */
enum wh_layer_kind keras3_object_kind(const char *path);

/** After an import: adds layers, variables and the attributes by which
 *  keras3_objects_read finds the objects again. The builder's tensors are
 *  those of the values. `config` is config.json's text, or NULL. */
enum wh_status mapping_layers_from_objects(const struct keras3_objects *objects,
					   const char *config,
					   struct manifest_builder *builder,
					   struct arena *arena,
					   struct wh_error *err);

/** Whether the manifest came from a Keras 3 file. */
bool keras3_is_origin(const struct wh_manifest *manifest);

/** The objects of a manifest that came from a Keras 3 file. */
enum wh_status keras3_objects_read(const struct wh_manifest *manifest,
				   struct arena *arena,
				   struct keras3_objects *objects,
				   struct wh_error *err);

/** What the values of a Keras 3 file are called in TensorFlow and Keras 2, by
 *  tensor; NULL where classes and configuration don't decide it. */
struct keras3_names {
	const char **paths;	 /* below the layer: "cell/kernel" */
	const char **full_names; /* "lstm/cell/kernel" */
	const char **objects;	 /* the object's path: "layers/lstm/cell" */
	const struct config_layer **config; /* of each layer of the manifest */
	bool *may_hold_table; /* of each layer: slot_may_hold_table */
	bool *is_quantized;   /* of each tensor: its object's values stand in
				 an order that only Keras 3's own files have */
	const uint32_t *order; /* the manifest's layers, those of a known
				  configuration in its order */
	bool has_doubt; /* the order of layers is that of their names, and the
			   file does not show if it is the model's */
	bool is_subclassed; /* layers are attributes: they have no order */
};

/** `given` is JSON text; NULL: the manifest's own `model_config`. WH_EINVAL for
 *  a `given` that is none, or of another model. */
enum wh_status keras3_names_find(const struct wh_manifest *manifest,
				 const char *given, struct arena *arena,
				 struct keras3_names *names,
				 struct wh_error *err);

/** WH_EUNSUPPORTED, naming two layers, if their order is in doubt and they
 *  could be taken for each other, or if they have none; layers that the map
 *  has (`targets`, by tensor, or NULL) are in no doubt. */
enum wh_status keras3_check_order(const struct wh_manifest *manifest,
				  const struct keras3_names *names,
				  const struct weight_target *targets,
				  struct wh_error *err);

/** The objects of a manifest of any origin, as Keras 3 (or tf-keras, where the
 *  model came from there) lists them. WH_EUNSUPPORTED, naming layer and
 *  weight, where classes or places are not known. */
struct mapping_objects {
	struct keras3_objects objects;
	const char *const *notes;
	uint32_t n_notes;
};
enum wh_status mapping_objects(const struct wh_manifest *manifest,
			       const struct mapping_hints *hints,
			       struct arena *arena, struct mapping_objects *out,
			       struct wh_error *err);

#endif
