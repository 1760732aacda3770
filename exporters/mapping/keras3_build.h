/* mapping/keras3_build.h: the objects of a model by its configuration. */
#ifndef WH_MAPPING_KERAS3_BUILD_H
#define WH_MAPPING_KERAS3_BUILD_H

#include "core/name_map.h"
#include "mapping/keras3.h"
#include "mapping/notes.h"
#include "mapping/weight_map.h"

/** A model on its way to a Keras 3 file. */
struct keras3_building {
	const struct wh_manifest *manifest;
	struct arena *arena;
	struct notes notes;
	struct keras3_objects objects;
	struct name_map places; /* path -> object */
	bool of_keras2; /* as tf-keras writes: no names, private attributes */
	/* The attribute of each value, by tensor: "kernel"; or NULL. */
	const char **leaves;
	struct weight_target *targets; /* by tensor; NULL without a map */
};

/** The object of that path, which is added if it is missing. */
enum wh_status keras3_build_object(struct keras3_building *building,
				   const char *path, const char *name,
				   uint32_t *index, struct wh_error *err);

/** Adds the objects of one configured layer, `path`, in Keras's order. */
enum wh_status keras3_build_layer(struct keras3_building *building,
				  const struct config_layer *config,
				  const char *path, struct wh_error *err);

/** Gives each variable of a layer, whose configuration is `config` and whose
 *  path `slot`, to its object; keras3_sort_values then orders them.
 *  `full_names`, by tensor, are those of a TensorFlow graph. WH_EUNSUPPORTED,
 *  naming layer and weight. */
enum wh_status keras3_fill_layer(struct keras3_building *building,
				 const struct wh_layer *layer,
				 const struct config_layer *config,
				 const char *slot,
				 const char *const *full_names,
				 struct wh_error *err);

/** Gives each variable of a layer to the object that the map names, at its
 *  number. WH_EINVAL, naming the path, for one that is no place in such a file
 *  or has a weight already. */
enum wh_status keras3_fill_mapped(struct keras3_building *building,
				  const struct wh_layer *layer,
				  const struct weight_target *targets,
				  struct wh_error *err);

/** Numbers the values of an object: as they are, if they are listed
 *  `in_order`, else by their attributes. WH_EUNSUPPORTED where two could be
 *  taken for each other. */
enum wh_status keras3_sort_values(struct keras3_building *building,
				  struct keras3_object *object,
				  const char *layer, bool in_order,
				  struct wh_error *err);

#endif
