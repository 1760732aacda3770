/* hdf5/layout.h: a file of Keras 2's weights layout, laid out in memory. */
#ifndef WH_HDF5_LAYOUT_H
#define WH_HDF5_LAYOUT_H

#include "base/error.h"
#include "hdf5/image_file.h"
#include "mapping/mapping.h"

#define H5_TOP_LEVEL "top_level_model_weights"

struct layout_model {
	const struct wh_manifest *manifest; /* dtypes and shapes of tensors */
	const struct mapping_layer *layers; /* in model order, all WH_LAYER */
	uint32_t n_layers;
	const struct mapping_layer *top; /* the model's own weights, or NULL */
	const char *backend, *keras_version; /* NULL: no such attribute */
};

#define LAYOUT_NOWHERE IMAGE_NOWHERE

/** Lays out the file into `image` (empty), all but the payloads, and puts the
 *  offset of each tensor's payload into `offset_of` (one a tensor of the
 *  manifest; LAYOUT_NOWHERE for those without bytes, others untouched).
 *  WH_EUNSUPPORTED in Keras's words for names that clash. */
enum wh_status layout_write(const struct layout_model *model,
			    struct sparse_image *image, uint64_t *offset_of,
			    struct wh_error *err);

#endif
