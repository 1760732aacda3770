#include "core/statistics.h"

#include <float.h>
#include <math.h>
#include <string.h>

#include "base/endian.h"
#include "core/number.h"

#define BATCH 512 /* elements that are widened to double at a time */

bool statistics_has(enum wh_dtype dtype)
{
	return number_is_real(dtype);
}

void statistics_begin(struct statistics_sum *sum, enum wh_dtype dtype)
{
	memset(sum, 0, sizeof(*sum));
	sum->dtype = dtype;
	sum->min = INFINITY;
	sum->max = -INFINITY;
}

/* What eight lanes count over a batch; in locals, so that the compiler can
 * keep them in vector registers. */
static void add_batch(struct statistics_sum *sum, const double *x, size_t n)
{
	double least = sum->min, most = sum->max;
	uint64_t nonzero = 0, nan = 0, inf = 0;
	size_t i;

	for (i = 0; i < n; i++) {
		bool finite = fabs(x[i]) <= DBL_MAX;
		double value = finite ? x[i] : 0;

		sum->lane_sum[i % STATISTICS_LANES] += value;
		sum->lane_square[i % STATISTICS_LANES] += value * value;
		nonzero += x[i] < 0 || x[i] > 0;
		nan += isunordered(x[i], x[i]) ? 1 : 0;
		inf += isinf(x[i]) ? 1 : 0;
		least = x[i] < least ? x[i] : least;
		most = x[i] > most ? x[i] : most;
	}
	sum->n_elements += n;
	sum->n_zero += n - nonzero - nan;
	sum->n_nan += nan;
	sum->n_inf += inf;
	sum->min = least;
	sum->max = most;
}

void statistics_add(struct statistics_sum *sum, const void *bytes, size_t len)
{
	size_t size = wh_dtype_size(sum->dtype), n = len / size;
	const uint8_t *at = bytes;
	double batch[BATCH];

	while (n) {
		size_t some = n < BATCH ? n : BATCH;

		number_to_double(sum->dtype, at, some, batch);
		add_batch(sum, batch, some);
		at += some * size;
		n -= some;
	}
}

void statistics_end_chunk(struct statistics_sum *sum)
{
	double total = 0, squares = 0;
	int i;

	for (i = 0; i < STATISTICS_LANES; i++) {
		total += sum->lane_sum[i];
		squares += sum->lane_square[i];
		sum->lane_sum[i] = 0;
		sum->lane_square[i] = 0;
	}
	sum->sum += total;
	sum->squares += squares;
}

void statistics_finish(const struct statistics_sum *sum,
		       struct wh_statistics *out)
{
	uint64_t n = sum->n_elements - sum->n_nan - sum->n_inf;
	double count = (double)n, variance;

	memset(out, 0, sizeof(*out));
	out->n_elements = sum->n_elements;
	out->n_zero = sum->n_zero;
	out->n_nan = sum->n_nan;
	out->n_inf = sum->n_inf;
	out->min = sum->min <= sum->max ? sum->min : (double)NAN;
	out->max = sum->min <= sum->max ? sum->max : (double)NAN;
	out->l2 = sqrt(sum->squares);
	out->mean = n ? sum->sum / count : (double)NAN;
	if (!n) {
		out->std = (double)NAN;
		return;
	}
	variance = sum->squares / count - out->mean * out->mean;
	out->std = variance > 0 ? sqrt(variance) : 0;
}
