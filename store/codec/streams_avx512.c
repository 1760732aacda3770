/* Vectors of AVX-512 as all processors have it that have any. */
#include "codec/streams.h"

#if defined(__x86_64__)

#include <immintrin.h>

#define WIDE_TARGET                                                            \
	__attribute__((target(                                                 \
		"avx512f,avx512cd,avx512bw,avx512dq,avx512vl,bmi2,popcnt")))
#define WIDE_DECODE streams_decode_avx512

static inline __attribute__((always_inline)) WIDE_TARGET __m512i
below_32(__m512i n)
{
	return _mm512_and_si512(n, _mm512_set1_epi32(31));
}

static inline __attribute__((always_inline)) WIDE_TARGET __m512i
up_to_32(__m512i n)
{
	return _mm512_sub_epi32(_mm512_set1_epi32(32), n);
}

/* The low halves of high:low >> n, n counted modulo 32. */
static inline __attribute__((always_inline)) WIDE_TARGET __m512i
shift_down(__m512i low, __m512i high, __m512i n)
{
	n = below_32(n);
	return _mm512_or_si512(_mm512_srlv_epi32(low, n),
			       _mm512_sllv_epi32(high, up_to_32(n)));
}

/* The high halves of high:low << n, likewise. */
static inline __attribute__((always_inline)) WIDE_TARGET __m512i
shift_up(__m512i high, __m512i low, __m512i n)
{
	n = below_32(n);
	return _mm512_or_si512(_mm512_sllv_epi32(high, n),
			       _mm512_srlv_epi32(low, up_to_32(n)));
}

#include "codec/streams_wide.h"

#endif
