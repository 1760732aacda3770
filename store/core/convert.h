/* core/convert.h: elements of one dtype as those of another.
 *
 * Floats are IEEE 754 binary64, 32 and 16, bfloat16, the five float8 kinds and
 * float4 (OCP FP8 and MX, arXiv 2209.05433 and 2206.02915). Wider ones hold
 * narrower ones exactly, NaN's payload and the sign of zero included; narrower
 * ones are rounded once to nearest, ties to even: as NumPy and ml_dtypes do it,
 * but that those go from float64 to bfloat16 by way of float32.
 */
#ifndef WH_CORE_CONVERT_H
#define WH_CORE_CONVERT_H

#include <stdbool.h>
#include <stddef.h>

#include <weighhouse/source.h>

enum convert_loss {
	CONVERT_EXACT = 0, /* every value of the one is one of the other */
	CONVERT_ROUNDS,
	CONVERT_NEVER, /* there is no such conversion */
};

/** Float to float, integer to float, complex to complex, and integers, also
 *  quantized and narrow ones, to integers that hold all their values. */
enum convert_loss convert_loss(enum wh_dtype from, enum wh_dtype to);

/** Whether `--cast DTYPE` concerns tensors of `from`: floats for a float, and
 *  so on. */
bool convert_is_kin(enum wh_dtype from, enum wh_dtype to);

/** Converts `n` little-endian elements; neither side need be aligned, and they
 *  don't overlap. */
void convert_elements(enum wh_dtype from, const void *in, enum wh_dtype to,
		      void *out, size_t n);

/** wh_source_read of tensor `index` as `dtype`: bytes of converted elements.
 *  There must be a conversion. */
enum wh_status source_read_as(struct wh_source *source, uint32_t index,
			      enum wh_dtype dtype, uint64_t offset, void *buf,
			      size_t len, struct wh_error *err);

#endif
