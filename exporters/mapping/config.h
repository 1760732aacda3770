/* mapping/config.h: what a Keras model configuration says of layers inside
 * layers. It is what Model.to_json() gives and full-model HDF5 files carry. */
#ifndef WH_MAPPING_CONFIG_H
#define WH_MAPPING_CONFIG_H

#include <stdbool.h>
#include <stdint.h>

#include "base/arena.h"

enum config_kind {
	CONFIG_LAYER = 0,     /* has no layers inside that we know of */
	CONFIG_MODEL,	      /* children: its layers, in model order */
	CONFIG_WRAPPER,	      /* children[0]: the layer that it applies */
	CONFIG_BIDIRECTIONAL, /* children: forward, backward */
	CONFIG_CELLS,	      /* an RNN of several cells: its cells */
};

struct config_layer {
	const char *name;	/* "" where it has none */
	const char *class_name; /* NULL where it has none */
	enum config_kind kind;
	bool trainable;
	bool scales, centers; /* a normalization has gamma, beta */
	bool has_scale;	      /* an attention, if it has weights */
	bool concatenates;    /* an attention has concat_score_weight */
	bool channels_first;  /* its data_format */
	bool holds_table;     /* a vocabulary that it learned: a weight of a
				 layer in Keras 2, though no variable */
	bool is_operation;    /* a call of a function, which Keras 3 lists
				 among a Functional's layers */
	bool is_keras2;	      /* the text is Keras 2's or tf-keras's */
	/* Every layer that `layer-i` counts; a Sequential's input is not. */
	struct config_layer *children;
	uint32_t n_children;
};

/** The model that `json` describes; everything lies in the arena.
 *  WH_EINVAL for a text that is no model configuration, is over 64 MiB,
 *  nests deeper than 32 models or has more than 200,000 layers in all. */
enum wh_status config_parse(const char *json, struct arena *arena,
			    const struct config_layer **model,
			    struct wh_error *err);

/** The child of that name, or NULL. Takes NULL. */
const struct config_layer *config_child(const struct config_layer *model,
					const char *name);

#endif
