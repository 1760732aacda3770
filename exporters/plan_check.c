/* What a plan must be before a byte of it moves: planners may be plug-ins. */
#include <string.h>

#include "base/checked.h"
#include "base/error.h"
#include "core/manifest.h"
#include "core/name_map.h"
#include "plan_internal.h"

/* One past the last byte that the extent takes; false if that overflows. */
static bool find_end(const struct wh_extent *extent, uint64_t *end)
{
	uint64_t whole, last;

	if (extent->run == 0)
		return checked_add(extent->start, extent->length, end);
	whole = (extent->length - 1) / extent->run;
	last = (extent->length - 1) % extent->run + 1;
	return checked_mul(whole, extent->stride, &whole) &&
	       checked_add(whole, last, &last) &&
	       checked_add(extent->start, last, end);
}

static bool has_valid_shape(const struct wh_extent *extent)
{
	unsigned swap = extent->swap;

	if (extent->length == 0 || swap > WIDEST_ELEMENT || (swap & (swap - 1)))
		return false;
	if (swap > 1 && (extent->length % swap || extent->run % swap))
		return false;
	if (extent->run == 0)
		return extent->stride == 0;
	return extent->stride >= extent->run;
}

static bool is_within(struct wh_plan *plan, const struct wh_image *image,
		      const struct wh_extent *extent)
{
	const struct wh_manifest *manifest = &wh_plan_source(plan)->manifest;
	uint64_t end = 0;

	if (!has_valid_shape(extent) || !find_end(extent, &end))
		return false;
	if (extent->tensor == WH_LITERAL)
		return end <= image->literals.size;
	return extent->tensor < manifest->n_tensors + manifest->n_hidden &&
	       end <= manifest->tensors[extent->tensor].nbytes;
}

static enum wh_status check_image(struct wh_plan *plan,
				  const struct wh_image *image,
				  struct wh_error *err)
{
	uint64_t at = 0;
	size_t i;

	if (strchr(image->suffix, '/'))
		return wh_fail(err, WH_EINVAL,
			       "the plan's suffix '%s' leaves the folder",
			       image->suffix);
	for (i = 0; i < image->n_extents; i++) {
		const struct wh_extent *extent = &image->extents[i];

		if (extent->offset != at || !is_within(plan, image, extent))
			return wh_fail(err, WH_EINVAL,
				       "the plan of file '%s' is not sound at "
				       "byte %llu",
				       image->suffix, (unsigned long long)at);
		at += extent->length;
	}
	if (at != image->size)
		return wh_fail(
			err, WH_EINVAL,
			"the plan of file '%s' ends at byte %llu of %llu",
			image->suffix, (unsigned long long)at,
			(unsigned long long)image->size);
	return WH_OK;
}

static enum wh_status check_order(struct wh_plan *plan, struct name_map *seen,
				  struct wh_error *err)
{
	uint32_t i, n = wh_plan_n_images(plan);
	bool committed = false, added;

	for (i = 0; i < n; i++) {
		const struct wh_image *image = wh_plan_image(plan, i);

		WH_TRY(name_map_add(seen, image->suffix, i, &added, err));
		if (!added)
			return wh_fail(err, WH_EINVAL,
				       "the plan has two files '%s'",
				       image->suffix);
		if (committed && !image->commits)
			return wh_fail(err, WH_EINVAL,
				       "the plan's file '%s' comes too late",
				       image->suffix);
		committed = image->commits;
	}
	return WH_OK;
}

enum wh_status plan_check(struct wh_plan *plan, struct wh_error *err)
{
	uint32_t i, n = wh_plan_n_images(plan);
	struct name_map seen = {0};
	enum wh_status status;

	if (n == 0)
		return wh_fail(err, WH_EINVAL, "the plan has no files");
	for (i = 0; i < n; i++)
		WH_TRY(check_image(plan, wh_plan_image(plan, i), err));
	status = check_order(plan, &seen, err);
	name_map_free(&seen);
	return status;
}
