/* Vectors of AVX-512 with VBMI2, whose shifts across two vectors spare a tenth
 * of the instructions. */
#include "codec/streams.h"

#if defined(__x86_64__)

#include <immintrin.h>

#define WIDE_TARGET                                                            \
	__attribute__((target("avx512f,avx512cd,avx512bw,avx512dq,avx512vl,"   \
			      "avx512vbmi2,bmi2,popcnt")))
#define WIDE_DECODE streams_decode_vbmi2

/* The low halves of high:low >> n, n counted modulo 32. */
static inline __attribute__((always_inline)) WIDE_TARGET __m512i
shift_down(__m512i low, __m512i high, __m512i n)
{
	return _mm512_shrdv_epi32(low, high, n);
}

/* The high halves of high:low << n, likewise. */
static inline __attribute__((always_inline)) WIDE_TARGET __m512i
shift_up(__m512i high, __m512i low, __m512i n)
{
	return _mm512_shldv_epi32(high, low, n);
}

#include "codec/streams_wide.h"

#endif
