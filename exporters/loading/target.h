/* loading/target.h: a trainer's model as what values go into. */
#ifndef WH_LOADING_TARGET_H
#define WH_LOADING_TARGET_H

#include <weighhouse/weights.h>

/** The model's manifest, complete from the first call on. */
enum wh_status target_manifest(struct wh_target *target,
			       const struct wh_manifest **manifest,
			       struct wh_error *err);

/** Bytes of the packed little-endian payload of the model's tensor `index`;
 *  whole elements. */
enum wh_status target_write(struct wh_target *target, uint32_t index,
			    uint64_t offset, const void *bytes, size_t len,
			    struct wh_error *err);

#endif
