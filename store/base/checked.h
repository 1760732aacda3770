/* base/checked.h: arithmetic on sizes that come from files. */
#ifndef WH_BASE_CHECKED_H
#define WH_BASE_CHECKED_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/** True, and the result in `*out`, unless it would overflow. */
static inline bool checked_add(uint64_t a, uint64_t b, uint64_t *out)
{
	return !__builtin_add_overflow(a, b, out);
}

static inline bool checked_mul(uint64_t a, uint64_t b, uint64_t *out)
{
	return !__builtin_mul_overflow(a, b, out);
}

/** Whether [offset, offset + length) lies within [0, size). */
static inline bool range_fits(uint64_t offset, uint64_t length, uint64_t size)
{
	return length <= size && offset <= size - length;
}

/** The number of elements of a shape; 1 for rank 0. */
static inline bool checked_shape(const uint64_t *shape, uint32_t rank,
				 uint64_t *n_elements)
{
	uint64_t n = 1;
	uint32_t i;

	/* A zero dimension makes all others harmless: look for it first, so
	 * that [2^60, 2^60, 0] is the empty tensor that it says it is. */
	for (i = 0; i < rank; i++)
		if (shape[i] == 0) {
			*n_elements = 0;
			return true;
		}
	for (i = 0; i < rank; i++)
		if (!checked_mul(n, shape[i], &n))
			return false;
	*n_elements = n;
	return true;
}

#endif
