/* loading/overlay.h: a checkpoint with other values in some of its tensors. */
#ifndef WH_LOADING_OVERLAY_H
#define WH_LOADING_OVERLAY_H

#include "loading/pairing.h"

/** `model` with the values of `from` where `pairing->source_of` says so, cast
 *  to the model's dtypes. Borrows both, and nothing of the pairing. */
enum wh_status overlay_new(struct wh_source *model, struct wh_source *from,
			   const struct pairing *pairing,
			   struct wh_source **out, struct wh_error *err);

#endif
