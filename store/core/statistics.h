/* core/statistics.h: minimum, maximum, mean, norm, zeros, NaN in a stream.
 *
 * Sums are doubles in eight lanes over each MiB of payload, joined in a fixed
 * order, so the same payload gives the same bits on every machine and for any
 * sizes of pieces.
 */
#ifndef WH_CORE_STATISTICS_H
#define WH_CORE_STATISTICS_H

#include <stdbool.h>
#include <stddef.h>

#include <weighhouse/tensor.h>

#define STATISTICS_LANES 8
#define STATISTICS_CHUNK ((size_t)1 << 20) /* bytes of payload */

struct statistics_sum {
	enum wh_dtype dtype;
	uint64_t n_elements, n_zero, n_nan, n_inf;
	double min, max;
	/* The first finite value, unless differences to it may not be finite:
	 * then 0. What mean and deviation are made of is summed as differences
	 * to it: a mean that is large against the deviation would cost its
	 * digits. */
	double origin;
	bool has_origin;
	double sum, squares, spread;	   /* of the whole chunks so far */
	double lane_sum[STATISTICS_LANES]; /* of the chunk under way: x - o */
	double lane_square[STATISTICS_LANES]; /* x * x, for the norm */
	double lane_spread[STATISTICS_LANES]; /* (x - o) * (x - o) */
};

/** Whether tensors of this dtype have statistics. */
bool statistics_has(enum wh_dtype dtype);

void statistics_begin(struct statistics_sum *sum, enum wh_dtype dtype);

/** Adds whole elements. `bytes` are aligned for the dtype and `len` is at
 *  most what is left of the current MiB: pieces must not straddle one. */
void statistics_add(struct statistics_sum *sum, const void *bytes, size_t len);

/** Ends a MiB of payload (the last one may be shorter). */
void statistics_end_chunk(struct statistics_sum *sum);

void statistics_finish(const struct statistics_sum *sum,
		       struct wh_statistics *out);

/** For tests: without this processor's own instructions from now on, or again
 *  with them. */
void statistics_portable(bool portable);

#endif
