/* loading/cast.h: values of one dtype as those of another. */
#ifndef WH_LOADING_CAST_H
#define WH_LOADING_CAST_H

#include <stdbool.h>

#include <weighhouse/tensor.h>

enum cast_kind {
	CAST_NONE = 0,	 /* the same dtype */
	CAST_EXACT,	 /* every value has its equal: float16 to float32 */
	CAST_ROUNDS,	 /* float64 to float32, int32 to float32 */
	CAST_IMPOSSIBLE, /* floats to integers, strings, ... */
};
enum cast_kind cast_kind(enum wh_dtype from, enum wh_dtype to);

/** `n` little-endian elements; neither side need be aligned. Rounds to
 *  nearest, ties to even, too large to infinity. */
void cast_elements(enum wh_dtype from, const void *in, enum wh_dtype to,
		   void *out, size_t n);

#endif
