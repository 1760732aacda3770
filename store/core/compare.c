#include "core/compare.h"

#include <float.h>
#include <math.h>
#include <stdbool.h>
#include <string.h>

#include "core/number.h"

#define BATCH	512 /* elements that are widened to double at a time */
#define N_PAIRS (COMPARE_LANES / 2)

/* As in statistics.c: every machine has registers of two doubles. */
typedef double pair __attribute__((vector_size(16)));
typedef int64_t mask __attribute__((vector_size(16)));

static inline pair load(const double *x)
{
	pair v;

	memcpy(&v, x, sizeof(v));
	return v;
}

/* x - x is NaN for what is not finite. */
static bool are_finite(const double *a, const double *b, size_t n)
{
	pair excess[N_PAIRS] = {{0}};
	double total = 0;
	size_t i;
	int k;

	for (i = 0; i < n; i += COMPARE_LANES)
		for (k = 0; k < N_PAIRS; k++) {
			pair x = load(a + i + 2 * k), y = load(b + i + 2 * k);

			/* NOLINTNEXTLINE(misc-redundant-expression): NaN */
			excess[k] += (x - x) + (y - y);
		}
	for (k = 0; k < N_PAIRS; k++)
		total += excess[k][0] + excess[k][1];
	return !isnan(total);
}

/* What one walk over a batch can hold in sixteen registers; the rest is
 * add_sizes'. */
static void add_changes(struct compare_sum *sum, const double *a,
			const double *b, size_t n)
{
	const mask sign = {INT64_MAX, INT64_MAX};
	pair squares[N_PAIRS], total[N_PAIRS], most[N_PAIRS];
	size_t i;
	int k;

	memcpy(squares, sum->squares, sizeof(squares));
	memcpy(total, sum->total, sizeof(total));
	memcpy(most, sum->most, sizeof(most));
	for (i = 0; i < n; i += COMPARE_LANES)
		for (k = 0; k < N_PAIRS; k++) {
			pair change = load(b + i + 2 * k) - load(a + i + 2 * k);
			pair size = (pair)((mask)change & sign);
			mask more = size > most[k];

			squares[k] += change * change;
			total[k] += size;
			most[k] = (pair)(((mask)size & more) |
					 ((mask)most[k] & ~more));
		}
	memcpy(sum->squares, squares, sizeof(squares));
	memcpy(sum->total, total, sizeof(total));
	memcpy(sum->most, most, sizeof(most));
}

static void add_sizes(struct compare_sum *sum, const double *a, const double *b,
		      size_t n)
{
	pair dot[N_PAIRS], squares_a[N_PAIRS], squares_b[N_PAIRS];
	size_t i;
	int k;

	memcpy(dot, sum->dot, sizeof(dot));
	memcpy(squares_a, sum->squares_a, sizeof(squares_a));
	memcpy(squares_b, sum->squares_b, sizeof(squares_b));
	for (i = 0; i < n; i += COMPARE_LANES)
		for (k = 0; k < N_PAIRS; k++) {
			pair x = load(a + i + 2 * k), y = load(b + i + 2 * k);

			dot[k] += x * y;
			squares_a[k] += x * x;
			squares_b[k] += y * y;
		}
	memcpy(sum->dot, dot, sizeof(dot));
	memcpy(sum->squares_a, squares_a, sizeof(squares_a));
	memcpy(sum->squares_b, squares_b, sizeof(squares_b));
	sum->n_finite += n;
}

static void add_singly(struct compare_sum *sum, const double *a,
		       const double *b, size_t n)
{
	size_t i;

	for (i = 0; i < n; i++) {
		size_t k = i % COMPARE_LANES;
		double change;

		if (isnan(b[i])) {
			sum->n_nan++;
			sum->n_new_nan += isnan(a[i]) ? 0 : 1;
		}
		if (isinf(b[i])) {
			sum->n_inf++;
			sum->n_new_inf += isinf(a[i]) ? 0 : 1;
		}
		if (!(fabs(a[i]) <= DBL_MAX) || !(fabs(b[i]) <= DBL_MAX))
			continue;
		change = b[i] - a[i];
		sum->squares[k] += change * change;
		sum->total[k] += fabs(change);
		sum->most[k] = fmax(sum->most[k], fabs(change));
		sum->dot[k] += a[i] * b[i];
		sum->squares_a[k] += a[i] * a[i];
		sum->squares_b[k] += b[i] * b[i];
		sum->n_finite++;
	}
}

static void add_batch(struct compare_sum *sum, const double *a, const double *b,
		      size_t n)
{
	size_t whole = n - n % COMPARE_LANES;

	if (!are_finite(a, b, whole)) {
		add_singly(sum, a, b, n);
		return;
	}
	add_changes(sum, a, b, whole);
	add_sizes(sum, a, b, whole);
	add_singly(sum, a + whole, b + whole, n - whole);
}

/* ---- Bits that differ ------------------------------------------------------
 */

/* Loops that a compiler turns into vectors, an element's size each. */
#define COUNT(type)                                                            \
	static unsigned count_##type(const void *a, const void *b, size_t n)   \
	{                                                                      \
		type x[BATCH], y[BATCH], n_changed = 0;                        \
		size_t i;                                                      \
                                                                               \
		memcpy(x, a, n * sizeof(x[0]));                                \
		memcpy(y, b, n * sizeof(y[0]));                                \
		for (i = 0; i < n; i++)                                        \
			n_changed = (type)(n_changed + (x[i] != y[i]));        \
		return (unsigned)n_changed;                                    \
	}
COUNT(uint16_t)
COUNT(uint32_t)
COUNT(uint64_t)

/* A byte would overflow. */
static unsigned count_uint8_t(const void *a, const void *b, size_t n)
{
	const uint8_t *x = a, *y = b;
	unsigned n_changed = 0;
	size_t i;

	for (i = 0; i < n; i++)
		n_changed += x[i] != y[i];
	return n_changed;
}

static unsigned count_changed(size_t size, const void *a, const void *b,
			      size_t n)
{
	switch (size) {
	case 1:
		return count_uint8_t(a, b, n);
	case 2:
		return count_uint16_t(a, b, n);
	case 4:
		return count_uint32_t(a, b, n);
	default:
		return count_uint64_t(a, b, n);
	}
}

static unsigned count_intolerable(const struct compare_sum *sum, size_t size,
				  const uint8_t *x, const uint8_t *y,
				  const double *a, const double *b, size_t n)
{
	unsigned n_changed = 0;
	size_t i;

	for (i = 0; i < n; i++)
		n_changed += memcmp(x + i * size, y + i * size, size) != 0 &&
			     !(fabs(b[i] - a[i]) <=
			       sum->atol + sum->rtol * fabs(a[i]));
	return n_changed;
}

void compare_add(struct compare_sum *sum, enum wh_dtype dtype, const void *a,
		 const void *b, size_t n)
{
	bool tolerant = sum->atol > 0 || sum->rtol > 0;
	size_t size = wh_dtype_size(dtype), some;
	const uint8_t *x = a, *y = b;
	double wide_a[BATCH], wide_b[BATCH];

	sum->n += n;
	for (; n; n -= some, x += some * size, y += some * size) {
		some = n < BATCH ? n : BATCH;
		number_to_double(dtype, x, some, wide_a);
		number_to_double(dtype, y, some, wide_b);
		add_batch(sum, wide_a, wide_b, some);
		sum->n_changed +=
			tolerant ? count_intolerable(sum, size, x, y, wide_a,
						     wide_b, some)
				 : count_changed(size, x, y, some);
	}
}

double compare_join(const double lanes[COMPARE_LANES])
{
	double total = 0;
	int i;

	for (i = 0; i < COMPARE_LANES; i++)
		total += lanes[i];
	return total;
}

double compare_most(const struct compare_sum *sum)
{
	double most = 0;
	int i;

	for (i = 0; i < COMPARE_LANES; i++)
		most = fmax(most, sum->most[i]);
	return most;
}
