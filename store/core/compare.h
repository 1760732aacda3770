/* core/compare.h: how far two tensors of one dtype and shape are apart.
 *
 * Sums are doubles in four lanes, joined in a fixed order: the same payloads
 * give the same bits on every machine.
 */
#ifndef WH_CORE_COMPARE_H
#define WH_CORE_COMPARE_H

#include <stddef.h>
#include <stdint.h>

#include <weighhouse/tensor.h>

#define COMPARE_LANES 4

struct compare_sum {
	double atol, rtol; /* elements within atol + rtol * |a| are equal */
	/* Over elements that are finite in both. */
	double squares[COMPARE_LANES], total[COMPARE_LANES];
	double most[COMPARE_LANES], dot[COMPARE_LANES];
	double squares_a[COMPARE_LANES], squares_b[COMPARE_LANES];
	uint64_t n, n_finite;
	uint64_t n_changed;    /* bits differ, and more than is tolerated */
	uint64_t n_nan, n_inf; /* in b */
	uint64_t n_new_nan, n_new_inf; /* there, where a has none */
};

/** Adds `n` elements of a dtype that number_is_real knows; zeroed but for the
 *  tolerances in the beginning. Bytes need not be aligned. */
void compare_add(struct compare_sum *sum, enum wh_dtype dtype, const void *a,
		 const void *b, size_t n);

/** A sum's lanes joined; the greatest of `most`. */
double compare_join(const double lanes[COMPARE_LANES]);
double compare_most(const struct compare_sum *sum);

#endif
