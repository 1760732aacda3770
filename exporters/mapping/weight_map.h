/* mapping/weight_map.h: what a user says where names don't decide.
 *
 * A JSON object from weights, or scopes of them, to where they go (FORMAT.md,
 * "The map"):
 *	{"sm/a_layer": "a", "sm/b_layer/kernel:0": "blocks/0/kernel"}
 */
#ifndef WH_MAPPING_WEIGHT_MAP_H
#define WH_MAPPING_WEIGHT_MAP_H

#include "base/arena.h"
#include <weighhouse/source.h>

/** What decides where names don't; members may be NULL. */
struct mapping_hints {
	const char *model_config; /* JSON text of a model's to_json() */
	const char *map;	  /* JSON text of a map */
};

/** Where one variable goes. */
struct weight_target {
	const char *path; /* NULL: the map says nothing of it */
	uint32_t order;	  /* of its entry in the map */
};

/** The targets of all variables, one a tensor of the manifest; `*targets` is
 *  NULL if `json` is. WH_EINVAL for a text that is no map, and for an entry
 *  that no weight of the model has. */
enum wh_status weight_targets(const struct wh_manifest *manifest,
			      const char *json, struct arena *arena,
			      struct weight_target **targets,
			      struct wh_error *err);

/** Whether the map has all of the layer's variables, or none (`*any` false).
 *  WH_EINVAL, naming one that it lacks, for some of them. */
enum wh_status weight_targets_of(const struct weight_target *targets,
				 const struct wh_layer *layer, bool *any,
				 struct wh_error *err);

#endif
