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
	sum->min = (double)INFINITY;
	sum->max = -(double)INFINITY;
}

/* Eight lanes as four pairs: every machine has registers of two doubles, and
 * the order of the sums is the same on all. */
typedef double pair __attribute__((vector_size(16)));
typedef int64_t mask __attribute__((vector_size(16)));

#define N_PAIRS (STATISTICS_LANES / 2)

static inline pair load(const double *x)
{
	pair v;

	memcpy(&v, x, sizeof(v));
	return v;
}

static inline pair choose(mask which, pair a, pair b)
{
	return (pair)(((mask)a & which) | ((mask)b & ~which));
}

/* x - x is NaN for what is not finite. */
static bool are_finite(const double *x, size_t n)
{
	pair excess[N_PAIRS] = {{0}};
	double total = 0;
	size_t i;
	int k;

	for (i = 0; i < n; i += STATISTICS_LANES)
		for (k = 0; k < N_PAIRS; k++) {
			pair v = load(x + i + 2 * k);

			excess[k] += v - v;
		}
	for (k = 0; k < N_PAIRS; k++)
		total += excess[k][0] + excess[k][1];
	return !isnan(total);
}

static void add_moments(struct statistics_sum *sum, const double *x, size_t n)
{
	pair total[N_PAIRS], square[N_PAIRS];
	size_t i;
	int k;

	memcpy(total, sum->lane_sum, sizeof(total));
	memcpy(square, sum->lane_square, sizeof(square));
	for (i = 0; i < n; i += STATISTICS_LANES)
		for (k = 0; k < N_PAIRS; k++) {
			pair v = load(x + i + 2 * k);

			total[k] += v;
			square[k] += v * v;
		}
	memcpy(sum->lane_sum, total, sizeof(total));
	memcpy(sum->lane_square, square, sizeof(square));
}

static void add_extremes(struct statistics_sum *sum, const double *x, size_t n)
{
	const pair zero = {0};
	pair least[2] = {zero + sum->min, zero + sum->min};
	pair most[2] = {zero + sum->max, zero + sum->max};
	mask nonzero[2] = {{0}};
	int64_t count = 0;
	size_t i;
	int k;

	for (i = 0; i < n; i += 4)
		for (k = 0; k < 2; k++) {
			pair v = load(x + i + 2 * k);

			least[k] = choose(v < least[k], v, least[k]);
			most[k] = choose(v > most[k], v, most[k]);
			/* A true comparison is -1. */
			nonzero[k] -= (v < zero) | (v > zero);
		}
	for (k = 0; k < 4; k++) {
		double low = least[k / 2][k % 2], high = most[k / 2][k % 2];

		sum->min = low < sum->min ? low : sum->min;
		sum->max = high > sum->max ? high : sum->max;
		count += nonzero[k / 2][k % 2];
	}
	sum->n_zero += n - (uint64_t)count;
	sum->n_elements += n;
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
	size_t whole = n - n % STATISTICS_LANES;

	if (!are_finite(x, whole)) {
		add_singly(sum, x, n);
		return;
	}
	add_moments(sum, x, whole);
	add_extremes(sum, x, whole);
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
