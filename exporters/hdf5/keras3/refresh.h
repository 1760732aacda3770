/* hdf5/keras3/refresh.h: checksums of an archive whose weights are others. */
#ifndef WH_HDF5_KERAS3_REFRESH_H
#define WH_HDF5_KERAS3_REFRESH_H

#include "core/manifest.h"
#include "zip/read.h"
#include <weighhouse/plan.h>

/** Records where the weights lie in an imported archive: attributes of
 *  "model.weights.h5", which keras3_refresh reads. */
enum wh_status keras3_refresh_note(struct manifest_builder *builder,
				   const struct zip_member *member,
				   struct wh_error *err);

/** wh_format.refresh of keras3_format. */
enum wh_status keras3_refresh(struct wh_plan *plan, struct wh_error *err);

#endif
