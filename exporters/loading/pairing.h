/* loading/pairing.h: which value of a checkpoint goes into which weight of a
 * model. Both are manifests: nothing is read here. */
#ifndef WH_LOADING_PAIRING_H
#define WH_LOADING_PAIRING_H

#include "base/arena.h"
#include "base/error.h"
#include "mapping/config.h"
#include "mapping/mapping.h"
#include <weighhouse/weights.h>

#define NO_TENSOR UINT32_MAX

struct pairing {
	const struct wh_manifest *from, *to; /* the checkpoint, the model */
	const struct wh_load_weights_options *options;
	struct arena *arena;
	/* One a tensor of the model: the checkpoint's, or NO_TENSOR. */
	uint32_t *source_of;
	uint32_t n_skipped; /* left out by skip_mismatch */
	/* For Keras's rules: tensors in other layouts are added to `converted`,
	 * whose manifest is `from`; NULL where none are. */
	struct wh_source *converted;
	const struct config_layer *config; /* the model's, or NULL */
	bool from_keras1;
	uint32_t n_joined; /* values that went into one with others */
};

/** Keras's two rules for HDF5 files: layers with weights one by one, in their
 *  order (`by_name` false), or those of the same name. WH_EMISMATCH with
 *  Keras's text where counts or shapes differ. */
enum wh_status pair_layers(struct pairing *pairing,
			   const struct mapping_h5 *from,
			   const struct mapping_h5 *to, bool by_name,
			   struct wh_error *err);

/** Keras 3's rule with skip_mismatch, where both came from its own files:
 *  objects of the same path; what differs is left as it is, with a warning. */
enum wh_status pair_keras3(struct pairing *pairing, struct wh_error *err);

/** TensorFlow's rule: from the roots down, children of the same name, the
 *  first that is found; then what options->assertion asks for. WH_EMISMATCH
 *  with TensorFlow's text. */
enum wh_status pair_objects(struct pairing *pairing,
			    const struct mapping_graph *from,
			    const struct mapping_graph *to,
			    struct wh_error *err);

/** The same for a checkpoint without a graph: by full names. */
enum wh_status pair_full_names(struct pairing *pairing,
			       const struct mapping_graph *to,
			       struct wh_error *err);

/** A weight gets its value, if shapes are equal and the value can be had in
 *  the model's dtype. */
void pair_tensors(struct pairing *pairing, uint32_t to, uint32_t from);

/** A sentence for options->warn. */
void pairing_warn(const struct pairing *pairing, const char *format, ...)
	WH_PRINTF(2, 3);

bool shapes_equal(const struct wh_tensor *a, const struct wh_tensor *b);

/** "(5, 4)", "(5,)", "()", as Python prints a shape; in the arena. */
const char *python_shape(struct arena *arena, const struct wh_tensor *tensor);

#endif
