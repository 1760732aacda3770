/* tf/rectangle.h: a slice of a tensor as runs of its payload. */
#ifndef WH_TF_RECTANGLE_H
#define WH_TF_RECTANGLE_H

#include <stdbool.h>

#include <weighhouse/source.h>

/** From `start`, `length` elements along each of the tensor's dimensions;
 *  none is empty. */
struct rectangle {
	uint32_t rank;	       /* at least 1 */
	const uint64_t *shape; /* of the tensor */
	const uint64_t *start, *length;
};

bool rectangle_is_whole(const struct rectangle *rectangle);

/** The number of extents that it takes; UINT64_MAX if it is beyond counting.
 *  One where it is cut along two dimensions side by side or fewer, as any
 *  matrix is. */
uint64_t rectangle_count(const struct rectangle *rectangle);

/** The extent `index`, in the order of the slice's own elements, of a payload
 *  whose elements have `size` bytes: start, length, run and stride. */
void rectangle_extent(const struct rectangle *rectangle, size_t size,
		      uint64_t index, struct wh_extent *out);

/** Adds the extent's bytes to a CRC-32C. */
enum wh_status rectangle_sum(struct wh_source *source,
			     const struct wh_extent *extent, uint32_t *crc,
			     struct wh_error *err);

#endif
