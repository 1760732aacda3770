/* core/number.h: elements of every real dtype as doubles.
 *
 * float16 and bfloat16 are IEEE 754 binary16 and the high half of binary32.
 */
#ifndef WH_CORE_NUMBER_H
#define WH_CORE_NUMBER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <weighhouse/tensor.h>

/** Whether number_to_double knows the dtype: floats, but for those of 4
 *  bits, integers and bool. */
bool number_is_real(enum wh_dtype dtype);

/** Widens `n` little-endian elements; `bytes` need not be aligned. 64-bit
 *  integers above 2^53 are rounded. */
void number_to_double(enum wh_dtype dtype, const void *bytes, size_t n,
		      double *out);

/** A binary16 as a float, exactly; NaN payloads are kept. */
float number_from_half(uint16_t half);

#endif
