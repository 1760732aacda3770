/* plan_internal.h: what the engine knows of a plan beyond plan.h. */
#ifndef WH_PLAN_INTERNAL_H
#define WH_PLAN_INTERNAL_H

#include <weighhouse/plan.h>

/** The plan closes `filter`, a source that wraps the one that the caller
 *  keeps, when it is freed. At most one a plan. */
void plan_adopt(struct wh_plan *plan, struct wh_source *filter);

/** Whether the plan is one that can be written: extents sorted, gapless and
 *  within their literals and tensors, suffixes that stay beside the target,
 *  images that commit behind the others. WH_EINVAL, naming the image. */
enum wh_status plan_check(struct wh_plan *plan, struct wh_error *err);

/** Whether `path` ends in the first `len` bytes of `end`. */
bool path_ends(const char *path, const char *end, size_t len);

/** Bytes of all images. */
uint64_t plan_size(struct wh_plan *plan);

/** The extent that holds byte `offset`, which must be in the image. */
size_t image_find(const struct wh_image *image, uint64_t offset);

#endif
