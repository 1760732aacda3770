#include "core/statistics.h"

#include <float.h>
#include <math.h>
#include <stdatomic.h>
#include <string.h>

#include "base/endian.h"
#include "core/number.h"

#define BATCH 512 /* elements that are widened to double at a time */

/* No finite value is infinitely far from one that is no larger. */
#define MOST_ORIGIN 1e290

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

/* Eight lanes as one vector, which the compiler cuts into as many as the
 * processor's registers need: the order of the sums is the same on all. The
 * extremes go by four lanes, in an order of their own: it decides which zero
 * is the least. */
typedef double lanes __attribute__((vector_size(64)));
typedef double half __attribute__((vector_size(32)));
typedef int64_t mask __attribute__((vector_size(32)));

#define HALF_LANES (STATISTICS_LANES / 2)
#define INLINE	   static inline __attribute__((always_inline))

/* Sums of a batch, to be added unless something in it is not finite. */
struct batch_sum {
	double origin;
	lanes total, square, spread;
	lanes excess; /* x - x is NaN for what is not finite */
	half least, most;
	mask nonzero;
};

INLINE void add_half(struct batch_sum *to, const double *x)
{
	const half zero = {0};
	mask less, more;
	half v;

	memcpy(&v, x, sizeof(v));
	less = v < to->least;
	more = v > to->most;
	to->least = (half)(((mask)v & less) | ((mask)to->least & ~less));
	to->most = (half)(((mask)v & more) | ((mask)to->most & ~more));
	/* A true comparison is -1. */
	to->nonzero -= (v < zero) | (v > zero);
}

INLINE void add_eights(struct batch_sum *to, const double *x, size_t n)
{
	struct batch_sum sum = *to;
	const lanes origin = (lanes){0} + sum.origin;
	size_t i;

	for (i = 0; i < n; i += STATISTICS_LANES) {
		lanes v, distance;

		memcpy(&v, x + i, sizeof(v));
		distance = v - origin;
		/* NOLINTNEXTLINE(misc-redundant-expression): NaN */
		sum.excess += v - v;
		sum.total += distance;
		sum.square += v * v;
		sum.spread += distance * distance;
		add_half(&sum, x + i);
		add_half(&sum, x + i + HALF_LANES);
	}
	*to = sum;
}

INLINE void widen_singles(const uint8_t *bytes, size_t n, double *out)
{
	size_t i;

	for (i = 0; i < n; i++) {
		uint32_t bits = get_le32(bytes + 4 * i);
		float value;

		memcpy(&value, &bits, sizeof(value));
		out[i] = (double)value;
	}
}

#define KERNELS(suffix, target)                                                \
	target static void add_eights_##suffix(struct batch_sum *to,           \
					       const double *x, size_t n)      \
	{                                                                      \
		add_eights(to, x, n);                                          \
	}                                                                      \
	target static void widen_singles_##suffix(const uint8_t *bytes,        \
						  size_t n, double *out)       \
	{                                                                      \
		widen_singles(bytes, n, out);                                  \
	}                                                                      \
	static const struct kernels kernels_##suffix = {                       \
		add_eights_##suffix, widen_singles_##suffix}

struct kernels {
	void (*add_eights)(struct batch_sum *to, const double *x, size_t n);
	void (*widen_singles)(const uint8_t *bytes, size_t n, double *out);
};

KERNELS(portable, );
#if defined(__x86_64__)
KERNELS(avx2, __attribute__((target("avx2"))));
KERNELS(avx512, __attribute__((target("avx512f,avx512vl,avx512dq"))));
#endif

static const struct kernels *fastest(void)
{
#if defined(__x86_64__)
	__builtin_cpu_init();
	if (__builtin_cpu_supports("avx512vl") &&
	    __builtin_cpu_supports("avx512dq"))
		return &kernels_avx512;
	if (__builtin_cpu_supports("avx2"))
		return &kernels_avx2;
#endif
	return &kernels_portable;
}

static _Atomic(const struct kernels *) chosen;

static const struct kernels *kernels(void)
{
	const struct kernels *found = atomic_load(&chosen);

	if (!found) {
		found = fastest();
		atomic_store(&chosen, found);
	}
	return found;
}

void statistics_portable(bool portable)
{
	atomic_store(&chosen, portable ? &kernels_portable : fastest());
}

static bool are_finite(const struct batch_sum *batch)
{
	double total = 0;
	int i;

	for (i = 0; i < STATISTICS_LANES; i++)
		total += batch->excess[i];
	return !isnan(total);
}

/* A multiple of the lanes; false, and nothing is added, where a value is not
 * finite. */
static bool add_finite(struct statistics_sum *sum, const double *x, size_t n)
{
	const half zero = {0};
	struct batch_sum batch = {.origin = sum->origin,
				  .least = zero + sum->min,
				  .most = zero + sum->max};
	int64_t nonzero = 0;
	int i;

	memcpy(&batch.total, sum->lane_sum, sizeof(batch.total));
	memcpy(&batch.square, sum->lane_square, sizeof(batch.square));
	memcpy(&batch.spread, sum->lane_spread, sizeof(batch.spread));
	kernels()->add_eights(&batch, x, n);
	if (!are_finite(&batch))
		return false;
	memcpy(sum->lane_sum, &batch.total, sizeof(batch.total));
	memcpy(sum->lane_square, &batch.square, sizeof(batch.square));
	memcpy(sum->lane_spread, &batch.spread, sizeof(batch.spread));
	for (i = 0; i < HALF_LANES; i++) {
		double low = batch.least[i], high = batch.most[i];

		sum->min = low < sum->min ? low : sum->min;
		sum->max = high > sum->max ? high : sum->max;
		nonzero += batch.nonzero[i];
	}
	sum->n_zero += n - (uint64_t)nonzero;
	sum->n_elements += n;
	return true;
}

/* One by one, for what is left of a batch and for values that are not finite:
 * they are counted, and are zero in the sums. */
static void add_singly(struct statistics_sum *sum, const double *x, size_t n)
{
	size_t i;

	for (i = 0; i < n; i++) {
		bool finite = fabs(x[i]) <= DBL_MAX;
		double value = finite ? x[i] : 0;
		double distance = finite ? x[i] - sum->origin : 0;
		size_t lane = i % STATISTICS_LANES;

		sum->lane_sum[lane] += distance;
		sum->lane_square[lane] += value * value;
		sum->lane_spread[lane] += distance * distance;
		sum->n_nan += isnan(x[i]) ? 1 : 0;
		sum->n_inf += isinf(x[i]) ? 1 : 0;
		sum->n_zero += finite && !(value < 0) && !(value > 0) ? 1 : 0;
		sum->min = x[i] < sum->min ? x[i] : sum->min;
		sum->max = x[i] > sum->max ? x[i] : sum->max;
	}
	sum->n_elements += n;
}

static void find_origin(struct statistics_sum *sum, const double *x, size_t n)
{
	size_t i;

	for (i = 0; i < n && !sum->has_origin; i++) {
		sum->has_origin = fabs(x[i]) <= DBL_MAX;
		sum->origin = fabs(x[i]) <= MOST_ORIGIN ? x[i] : 0;
	}
}

static void add_batch(struct statistics_sum *sum, const double *x, size_t n)
{
	size_t whole = n - n % STATISTICS_LANES;

	find_origin(sum, x, n);
	if (add_finite(sum, x, whole))
		add_singly(sum, x + whole, n - whole);
	else
		add_singly(sum, x, n);
}

void statistics_add(struct statistics_sum *sum, const void *bytes, size_t len)
{
	size_t size = wh_dtype_size(sum->dtype), n = len / size;
	const uint8_t *at = bytes;
	double batch[BATCH];

	while (n) {
		size_t some = n < BATCH ? n : BATCH;

		if (sum->dtype == WH_FLOAT32)
			kernels()->widen_singles(at, some, batch);
		else
			number_to_double(sum->dtype, at, some, batch);
		add_batch(sum, batch, some);
		at += some * size;
		n -= some;
	}
}

void statistics_end_chunk(struct statistics_sum *sum)
{
	double total = 0, squares = 0, spread = 0;
	int i;

	for (i = 0; i < STATISTICS_LANES; i++) {
		total += sum->lane_sum[i];
		squares += sum->lane_square[i];
		spread += sum->lane_spread[i];
		sum->lane_sum[i] = 0;
		sum->lane_square[i] = 0;
		sum->lane_spread[i] = 0;
	}
	sum->sum += total;
	sum->squares += squares;
	sum->spread += spread;
}

void statistics_finish(const struct statistics_sum *sum,
		       struct wh_statistics *out)
{
	uint64_t n = sum->n_elements - sum->n_nan - sum->n_inf;
	double count = (double)n, drift, variance;

	memset(out, 0, sizeof(*out));
	out->n_elements = sum->n_elements;
	out->n_zero = sum->n_zero;
	out->n_nan = sum->n_nan;
	out->n_inf = sum->n_inf;
	out->min = sum->min <= sum->max ? sum->min : (double)NAN;
	out->max = sum->min <= sum->max ? sum->max : (double)NAN;
	out->l2 = sqrt(sum->squares);
	out->mean = (double)NAN;
	out->std = (double)NAN;
	if (!n)
		return;
	drift = sum->sum / count;
	out->mean = sum->origin + drift;
	variance = sum->spread / count - drift * drift;
	out->std = variance > 0	     ? sqrt(variance)
		   : isnan(variance) ? (double)INFINITY
				     : 0;
}
