/* mapping/paths.h: from the weight names of one layer to its object paths. */
#ifndef WH_MAPPING_PATHS_H
#define WH_MAPPING_PATHS_H

#include "base/arena.h"
#include "mapping/config.h"
#include <weighhouse/source.h>

/* Objects nest no deeper than this in anything that Keras makes. */
#define PATHS_MAX_DEPTH 32u

/** An edge below the layer that no weight's path shows, or not in TensorFlow's
 *  order: made before the weights' own. */
struct path_edge {
	const char *path;    /* of the edge: "layer_with_weights-0/layer-1" */
	const char *same_as; /* the path of the same node, or NULL: a new one */
};

struct layer_paths {
	const char **paths; /* one a variable */
	struct path_edge *edges;
	uint32_t n_edges;
	size_t edges_room;
	/* A variable whose name is none that Keras's own layers use: that it
	 * is also the attribute's name is assumed. Or NULL. */
	const char *assumed;
	/* The layer is what its names say, but may also be wrapped. */
	bool may_be_wrapped;
};

/** The object paths of a layer's weights by FORMAT.md's rules; `config` is the
 *  layer's own configuration, or NULL. WH_EUNSUPPORTED, naming layer and
 *  weights, where they are not decided. */
enum wh_status paths_of_layer(const struct wh_layer *layer,
			      const struct config_layer *config,
			      struct arena *arena, struct layer_paths *out,
			      struct wh_error *err);

/** `name` without its output number: "fc1/kernel:0" is "fc1/kernel". NULL
 *  without memory. */
const char *name_without_output(const char *name, struct arena *arena);

/** What follows "`scope`/" in `name`, or NULL. */
const char *name_below(const char *name, const char *scope);

/** Where `leaf` ("kernel", "gamma") stands among the weights of Keras's own
 *  layers, whose tables agree on one order; UINT32_MAX if it is in none. */
uint32_t leaf_rank(const char *leaf);

/** Whether a weight of that name is never trained ("moving_mean"). */
bool leaf_is_statistic(const char *leaf);

#endif
