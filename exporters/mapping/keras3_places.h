/* mapping/keras3_places.h: which layer the objects of a Keras 3 file belong
 * to, and what they are there. */
#ifndef WH_MAPPING_KERAS3_PLACES_H
#define WH_MAPPING_KERAS3_PLACES_H

#include "core/name_map.h"
#include "mapping/keras3.h"

#define PLACE_NONE UINT32_MAX

struct keras3_place {
	enum wh_layer_kind kind;
	size_t root_len;  /* of the path: the layer's own; 0 for the model */
	uint32_t layer;	  /* number among those of `kind` WH_LAYER, or NONE */
	const char *slot; /* the last component of the layer's path */
	/* What it is; NULL where that is not known. */
	const char *class_name;
	const struct config_layer *config;
	const char *path;  /* of its TensorFlow object, below the layer: "" for
			      the layer itself; NULL where it is not decided */
	const char *scope; /* the name of the layer that its values have in
			      front, or NULL: this layer's */
	const char *scope_path; /* the path below that one */
};

struct keras3_places {
	struct keras3_place *of; /* one an object */
	uint32_t n_layers;
	bool has_doubt; /* keras3_names */
	bool is_subclassed;
	struct name_map objects;  /* path -> object */
	struct name_map weighted; /* paths at or below which values are */
};
void keras3_places_free(struct keras3_places *places);

/** `model` is the model's configuration, or NULL. Memory is the arena's; the
 *  caller frees the rest, also after an error. WH_EINVAL if the configuration
 *  lacks a layer that the file has. */
enum wh_status keras3_places_find(const struct keras3_objects *objects,
				  const struct config_layer *model,
				  struct arena *arena,
				  struct keras3_places *places,
				  struct wh_error *err);

#endif
