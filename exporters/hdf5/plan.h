/* hdf5/plan.h: the exporter. */
#ifndef WH_HDF5_PLAN_H
#define WH_HDF5_PLAN_H

#include <weighhouse/format.h>

/** wh_format.plan of hdf5_format. Tensors of bfloat16 are laid out as Keras
 *  does, opaque: for files that load, wrap the source by a filter that widens
 *  them to float32 first. */
enum wh_status h5_plan(struct wh_source *source,
		       const struct wh_plan_options *options,
		       struct wh_plan **plan, struct wh_error *err);

#endif
