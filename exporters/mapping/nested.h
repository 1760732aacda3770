/* mapping/nested.h: a layer that is a model, by its configuration. */
#ifndef WH_MAPPING_NESTED_H
#define WH_MAPPING_NESTED_H

#include "mapping/paths.h"

/** paths_of_layer for a layer whose `config` is a model, or a wrapper of
 *  one: every weight goes to the inner layer that its name starts with. */
enum wh_status nested_paths(const struct wh_layer *layer,
			    const struct config_layer *config,
			    struct arena *arena, struct layer_paths *out,
			    struct wh_error *err);

/** The order in which Keras writes the layer's weights into HDF5: `order[i]`
 *  is the variable at place i. `names` are full names without output numbers.
 *  WH_EUNSUPPORTED as nested_paths. */
enum wh_status nested_order(const struct wh_layer *layer,
			    const char *const *names,
			    const struct config_layer *config,
			    struct arena *arena, uint32_t *order,
			    struct wh_error *err);

#endif
