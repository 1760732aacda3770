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

/* Eight lanes side by side: each step is one vector operation on any machine,
 * and the order of the sums is the same on all. */
struct lanes {
	double sum[STATISTICS_LANES], square[STATISTICS_LANES];
	double least[STATISTICS_LANES], most[STATISTICS_LANES];
	double nonzero[STATISTICS_LANES];
	double excess[STATISTICS_LANES]; /* NaN if a value is not finite */
};

static void lanes_begin(struct lanes *lanes, const struct statistics_sum *sum)
{
	int k;

	memset(lanes, 0, sizeof(*lanes));
	for (k = 0; k < STATISTICS_LANES; k++) {
		lanes->sum[k] = sum->lane_sum[k];
		lanes->square[k] = sum->lane_square[k];
		lanes->least[k] = sum->min;
		lanes->most[k] = sum->max;
	}
}

static void lanes_add(struct lanes *lanes, const double *x)
{
	int k;

	for (k = 0; k < STATISTICS_LANES; k++) {
		double v = x[k];

		lanes->sum[k] += v;
		lanes->square[k] += v * v;
		lanes->least[k] = v < lanes->least[k] ? v : lanes->least[k];
		lanes->most[k] = v > lanes->most[k] ? v : lanes->most[k];
		lanes->nonzero[k] += v < 0 || v > 0 ? 1.0 : 0.0;
		lanes->excess[k] += v - v;
	}
}

static bool lanes_are_finite(const struct lanes *lanes)
{
	double total = 0;
	int k;

	for (k = 0; k < STATISTICS_LANES; k++)
		total += lanes->excess[k];
	return !isnan(total);
}

static void lanes_end(const struct lanes *lanes, size_t n,
		      struct statistics_sum *sum)
{
	double nonzero = 0;
	int k;

	for (k = 0; k < STATISTICS_LANES; k++) {
		sum->lane_sum[k] = lanes->sum[k];
		sum->lane_square[k] = lanes->square[k];
		if (lanes->least[k] < sum->min)
			sum->min = lanes->least[k];
		if (lanes->most[k] > sum->max)
			sum->max = lanes->most[k];
		nonzero += lanes->nonzero[k];
	}
	sum->n_elements += n;
	sum->n_zero += n - (uint64_t)nonzero;
}

/* One by one, for what is left of a batch and for values that are not finite:
 * they are counted, and are zero in the sums. */
static void add_singly(struct statistics_sum *sum, const double *x, size_t n)
{
	size_t i;

	for (i = 0; i < n; i++) {
		bool finite = fabs(x[i]) <= DBL_MAX;
		double value = finite ? x[i] : 0;

		sum->lane_sum[i % STATISTICS_LANES] += value;
		sum->lane_square[i % STATISTICS_LANES] += value * value;
		sum->n_nan += isnan(x[i]) ? 1 : 0;
		sum->n_inf += isinf(x[i]) ? 1 : 0;
		sum->n_zero += finite && !(value < 0) && !(value > 0) ? 1 : 0;
		sum->min = x[i] < sum->min ? x[i] : sum->min;
		sum->max = x[i] > sum->max ? x[i] : sum->max;
	}
	sum->n_elements += n;
}

static void add_batch(struct statistics_sum *sum, const double *x, size_t n)
{
	size_t i, whole = n - n % STATISTICS_LANES;
	struct lanes lanes;

	lanes_begin(&lanes, sum);
	for (i = 0; i < whole; i += STATISTICS_LANES)
		lanes_add(&lanes, x + i);
	if (!lanes_are_finite(&lanes)) {
		add_singly(sum, x, n);
		return;
	}
	lanes_end(&lanes, whole, sum);
	add_singly(sum, x + whole, n - whole);
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
