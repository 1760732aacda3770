/* mapping/naming.h: shared by what names and what orders HDF5 weights. */
#ifndef WH_MAPPING_NAMING_H
#define WH_MAPPING_NAMING_H

#include "core/manifest.h"
#include "mapping/keras3.h"
#include "mapping/layers_config.h"
#include "mapping/notes.h"

/** One manifest on its way to HDF5 names. */
struct naming {
	const struct wh_manifest *manifest;
	struct arena *arena;
	struct notes notes;
	const struct config_layer **config; /* of each layer, or NULL */
	const uint32_t *order;	    /* layers by a configuration's; or NULL */
	const char **full_names;    /* of each tensor; "" where there is none */
	uint32_t *walk;		    /* of each tensor: its place, depth first */
	struct keras3_names keras3; /* of a Keras 3 file; else zeroed */
	struct weight_target *targets; /* of each tensor; NULL without a map */
	const char *unordered, *by_class; /* mapping_h5's */
};

/** Fills config, full_names and walk. Errors as layers_config. */
enum wh_status naming_prepare(struct naming *naming, const char *model_config,
			      struct wh_error *err);

/** Whether the source says of every variable if it is trained. */
bool naming_has_flags(const struct wh_layer *layer);

/** Reorders `order` (n_variables places): trained variables first. */
enum wh_status naming_order_by_flags(const struct naming *naming,
				     const struct wh_layer *layer,
				     uint32_t *order, struct wh_error *err);

/** The order in which Keras writes the layer: `order[i]` is the variable at
 *  place i. `paths` are the variables' object paths. WH_EUNSUPPORTED where
 *  it is not decided. */
enum wh_status naming_order(struct naming *naming, const struct wh_layer *layer,
			    const struct config_layer *config,
			    const char *const *paths, uint32_t *order,
			    struct wh_error *err);

#endif
