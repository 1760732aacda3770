#include "tf/rectangle.h"

#include <stdlib.h>

#include "base/auto.h"
#include "base/checked.h"
#include "base/crc.h"
#include "base/error.h"

#define WINDOW ((size_t)1 << 20)

/* Dimensions from the outermost on: those that are walked one index at a time,
 * then rows that follow each other at one distance, then a run.
 *
 *	0 ... rows-1 | rows ... split-1 | split ... rank-1
 */
struct parts {
	uint32_t rows;	/* the first dimension of the rows; split: one row */
	uint32_t split; /* the last that is not whole; 0 if all are */
	uint64_t inner; /* elements of the dimensions after `split` */
};

static bool is_whole(const struct rectangle *at, uint32_t i)
{
	return at->length[i] == at->shape[i];
}

bool rectangle_is_whole(const struct rectangle *at)
{
	uint32_t i;

	for (i = 0; i < at->rank; i++)
		if (!is_whole(at, i))
			return false;
	return true;
}

static struct parts find_parts(const struct rectangle *at)
{
	struct parts parts = {.inner = 1};
	uint32_t i;

	for (i = 0; i < at->rank; i++)
		if (!is_whole(at, i))
			parts.split = i;
	for (i = parts.split + 1; i < at->rank; i++)
		parts.inner *= at->shape[i];
	/* Rows lie at one distance while all but their first dimension are
	 * whole. */
	parts.rows = parts.split;
	if (parts.rows)
		parts.rows--;
	while (parts.rows && is_whole(at, parts.rows))
		parts.rows--;
	return parts;
}

uint64_t rectangle_count(const struct rectangle *at)
{
	struct parts parts = find_parts(at);
	uint64_t n = 1;
	uint32_t i;

	for (i = 0; i < parts.rows; i++)
		if (!checked_mul(n, at->length[i], &n))
			return UINT64_MAX;
	return n;
}

void rectangle_extent(const struct rectangle *at, size_t size, uint64_t index,
		      struct wh_extent *out)
{
	struct parts parts = find_parts(at);
	uint64_t run = at->length[parts.split] * parts.inner * size;
	uint64_t distance = parts.inner * size, rows = 1, first = 0;
	uint32_t i = parts.split;

	first = at->start[i] * distance;
	distance *= at->shape[i];
	*out = (struct wh_extent){.run = run, .stride = distance};
	while (i-- > 0) {
		uint64_t step = at->start[i];

		if (i >= parts.rows) {
			rows *= at->length[i];
		} else {
			step += index % at->length[i];
			index /= at->length[i];
		}
		first += step * distance;
		distance *= at->shape[i];
	}
	out->start = first;
	out->length = rows * run;
	if (rows == 1)
		out->run = out->stride = 0;
}

/* Short runs come with what lies between them, many at once. */
static enum wh_status sum_rows(struct wh_source *source,
			       const struct wh_extent *extent, uint8_t *window,
			       uint32_t *crc, struct wh_error *err)
{
	uint64_t rows = extent->length / extent->run, row = 0;

	while (row < rows) {
		uint64_t some = WINDOW / extent->stride, i;
		size_t len;

		if (some > rows - row)
			some = rows - row;
		len = (size_t)((some - 1) * extent->stride + extent->run);
		WH_TRY(wh_source_read(source, extent->tensor,
				      extent->start + row * extent->stride,
				      window, len, err));
		for (i = 0; i < some; i++)
			*crc = crc32c_update(*crc, window + i * extent->stride,
					     (size_t)extent->run);
		row += some;
	}
	return WH_OK;
}

static enum wh_status sum_run(struct wh_source *source, uint32_t tensor,
			      uint64_t start, uint64_t length, uint8_t *window,
			      uint32_t *crc, struct wh_error *err)
{
	while (length) {
		size_t some = length < WINDOW ? (size_t)length : WINDOW;

		WH_TRY(wh_source_read(source, tensor, start, window, some,
				      err));
		*crc = crc32c_update(*crc, window, some);
		start += some;
		length -= some;
	}
	return WH_OK;
}

enum wh_status rectangle_sum(struct wh_source *source,
			     const struct wh_extent *extent, uint32_t *crc,
			     struct wh_error *err)
{
	uint8_t *window wh_free_auto = malloc(WINDOW);
	uint64_t row;

	if (!window)
		return wh_fail_memory(err);
	if (!extent->run)
		return sum_run(source, extent->tensor, extent->start,
			       extent->length, window, crc, err);
	if (extent->stride <= WINDOW)
		return sum_rows(source, extent, window, crc, err);
	for (row = 0; row < extent->length / extent->run; row++)
		WH_TRY(sum_run(source, extent->tensor,
			       extent->start + row * extent->stride,
			       extent->run, window, crc, err));
	return WH_OK;
}
