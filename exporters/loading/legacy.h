/* loading/legacy.h: values that Keras 1 or cuDNN stored in another layout, as
 * Keras's preprocess_weights_for_loading converts them. */
#ifndef WH_LOADING_LEGACY_H
#define WH_LOADING_LEGACY_H

#include "loading/pairing.h"

/** Whether Keras takes the file for one of Keras 1: an HDF5 file that says no
 *  `keras_version` where it lists its layers. */
bool legacy_is_keras1(const struct wh_manifest *manifest);

/** The layer `from` as the layer `to` wants it: its own weights, or tensors
 *  added to pairing->converted. What fits already, or can't be made to fit,
 *  stays as it is. WH_EMISMATCH in Keras's words for cells that are not
 *  compatible; WH_EUNSUPPORTED, with the flag that would help, where a kernel
 *  could be meant in two ways. */
enum wh_status legacy_convert(struct pairing *pairing,
			      const struct mapping_layer *from,
			      const struct mapping_layer *to,
			      struct mapping_layer *out, struct wh_error *err);

#endif
