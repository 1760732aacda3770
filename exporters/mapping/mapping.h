/* mapping/mapping.h: one model under the names of several formats.
 *
 * Pure functions over manifests: no files, no payloads. They follow
 * FORMAT.md beside this file: from Keras 2's weight names to TensorFlow's
 * object paths and back. What names don't decide is refused, never guessed.
 */
#ifndef WH_MAPPING_H
#define WH_MAPPING_H

#include "base/arena.h"
#include "core/manifest.h"
#include "mapping/weight_map.h"

/** After an h5 import: fills each variable's object_path ("kernel",
 *  "cell/kernel") where the layer's weight names decide it, and leaves NULL
 *  where they don't. Class names and containers of `model_config`, if the
 *  manifest has that attribute, are used and recorded. */
enum wh_status mapping_paths_from_names(struct wh_manifest *manifest,
					struct arena *arena,
					struct wh_error *err);

/** After a tf import: given the graph and the bundle's tensors (`keys[i]` is
 *  the checkpoint key of the builder's tensor i, in any order), adds layers
 *  and variables to the builder, one variable for each of the `n_keys`.
 *  Optimizer state goes to the layer "optimizer"; what is neither, and what no
 *  node names, to "state". `graph` may be NULL (a name-based checkpoint): then
 *  a key's layer is what precedes its last `/`. */
enum wh_status mapping_layers_from_graph(const struct wh_graph *graph,
					 struct manifest_builder *builder,
					 struct arena *arena,
					 const char *const *keys,
					 uint32_t n_keys, struct wh_error *err);

/** One weight under Keras 2's legacy names. */
struct mapping_weight {
	const char *name; /* "fc1/kernel:0" */
	uint32_t tensor;
};
struct mapping_layer {
	const char *name;
	enum wh_layer_kind kind; /* WH_LAYER or WH_LAYER_MODEL */
	struct mapping_weight *weights;
	uint32_t n_weights;
};
struct mapping_h5 {
	struct mapping_layer *layers; /* in model order */
	uint32_t n_layers;
	uint32_t n_left_out;	  /* optimizer and state tensors */
	const char *const *notes; /* orders that were assumed */
	uint32_t n_notes;
	/* A layer whose weights have an order here that is a Keras 3 file's
	 * alone; or NULL. */
	const char *unordered;
	/* That the source doesn't know its layers' order, also among the notes;
	 * or NULL. */
	const char *order_doubt;
	/* A layer that has no name but its slot, as in a Keras 3 file without
	 * names ("dense_1"); or NULL. */
	const char *by_class;
};

/** The legacy layout of a manifest of any origin: names as they are if it
 *  came from h5, else from full names, object paths and class tables.
 *  `model_config` (JSON text; may be NULL) gives the order inside nested
 *  models and RNNs of several cells. WH_EUNSUPPORTED, naming layer and
 *  weights, for what is ambiguous without it. */
enum wh_status mapping_h5_names(const struct wh_manifest *manifest,
				const char *model_config, struct arena *arena,
				struct mapping_h5 *out, struct wh_error *err);

/** `keras_version` or `backend` of the group that lists the layers of a legacy
 *  HDF5 file, by which Keras converts; that of a whole model is
 *  `model_weights`, and what its root says doesn't count. NULL: absent. */
const struct wh_attribute *
mapping_h5_attribute(const struct wh_manifest *manifest, const char *key);

/** WH_EUNSUPPORTED, naming the layer, where Keras would take the weights in
 *  another order than `names` has. */
enum wh_status mapping_h5_check_order(const struct mapping_h5 *names,
				      struct wh_error *err);

/** The object graph for a manifest of any origin, rooted at the model: its
 *  own if it has one, else built from layers and object paths, layers'
 *  `layer_with_weights-k` before `layer-i`. `key_of[i]` receives the
 *  checkpoint key of tensor i, NULL for those that the graph leaves out
 *  (optimizer, with a note). WH_EUNSUPPORTED, naming layer and weights, for
 *  what is ambiguous; `model_config` may be NULL. */
struct mapping_graph {
	struct wh_graph graph;
	const char **key_of; /* one a tensor of the manifest */
	const char *const *notes;
	uint32_t n_notes;
};
enum wh_status mapping_graph(const struct wh_manifest *manifest,
			     const char *model_config, struct arena *arena,
			     struct mapping_graph *out, struct wh_error *err);

/** The two above with a map beside the configuration. WH_EINVAL also for a map
 *  where it can't say anything: names, or a graph, that are kept. */
enum wh_status mapping_h5_names_by(const struct wh_manifest *manifest,
				   const struct mapping_hints *hints,
				   struct arena *arena, struct mapping_h5 *out,
				   struct wh_error *err);
enum wh_status mapping_graph_by(const struct wh_manifest *manifest,
				const struct mapping_hints *hints,
				struct arena *arena, struct mapping_graph *out,
				struct wh_error *err);

/** Turns a graph that is rooted at the model into that of
 *  tf.train.Checkpoint(model=...), as TensorFlow numbers and keys it; keys in
 *  `key_of` are replaced. */
enum wh_status mapping_root_checkpoint(struct mapping_graph *graph,
				       uint32_t n_tensors, struct arena *arena,
				       struct wh_error *err);

/** Turns a graph that is rooted at a tf.train.Checkpoint into that of
 *  save_weights: node 0 is the model, keys in `key_of` are replaced, and NULL
 *  for what the model doesn't lead to (with a note). One that is rooted at the
 *  model already stays as it is. `object` is the model's path from the root
 *  ("net", "towers/0"); NULL finds it. WH_EINVAL where there is no such object,
 *  WH_EUNSUPPORTED where none of several is known to be the model. */
enum wh_status mapping_root_model(const struct wh_manifest *manifest,
				  const char *object, struct arena *arena,
				  struct mapping_graph *graph,
				  struct wh_error *err);

/** Adds edges to a graph that is rooted at the model, so that Keras 2 and
 *  Keras 3 find the same values: FORMAT.md, "Roots". */
enum wh_status mapping_root_universal(const struct wh_manifest *manifest,
				      const struct mapping_hints *hints,
				      struct arena *arena,
				      struct mapping_graph *graph,
				      struct wh_error *err);

#endif
