/* mapping/layer_name.h: what a layer of a TF checkpoint was called. */
#ifndef WH_MAPPING_LAYER_NAME_H
#define WH_MAPPING_LAYER_NAME_H

#include <stdbool.h>
#include <stdint.h>

#include "base/arena.h"

/** One variable's full name ("bi/forward_lstm/lstm_cell/kernel") and its path
 *  below the layer ("forward_layer/cell/kernel"). */
struct named_variable {
	const char *full_name, *path;
};

/** The layer's name by its variables: what is in front of the scopes that
 *  the paths show, the same for all; else the first component, if it is the
 *  same for all; else, and for a nested model, NULL. `*ok` is false without
 * memory. */
const char *layer_name(const struct named_variable *variables, uint32_t n,
		       struct arena *arena, bool *ok);

#endif
