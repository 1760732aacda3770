/* 16 elements as ordered integers, and what those are sorted by whose base
 * stood still: the decoder and the encoder must agree on both. Included by what
 * says before what it is compiled for (WIDE_TARGET). */
#define INLINE	    static inline __attribute__((always_inline))
#define WIDE_INLINE INLINE WIDE_TARGET

#define WIDE	   16u /* elements of a vector */
#define WIDE_STEPS (N_STATES / WIDE)

/* `turn`: the bits that a negative number's order turns round. */
WIDE_INLINE __m512i load_ordered(unsigned width, __m512i turn,
				 const uint8_t *bytes)
{
	__m512i x;

	if (width == 4)
		x = _mm512_loadu_si512(bytes);
	else if (width == 2)
		x = _mm512_cvtepi16_epi32(_mm256_loadu_si256(
			(const __m256i *)(const void *)bytes));
	else
		x = _mm512_cvtepi8_epi32(
			_mm_loadu_si128((const __m128i *)(const void *)bytes));
	return _mm512_xor_si512(
		x, _mm512_and_si512(_mm512_srai_epi32(x, 31), turn));
}

WIDE_INLINE __m512i length_of(__m512i x)
{
	return _mm512_sub_epi32(_mm512_set1_epi32(32), _mm512_lzcnt_epi32(x));
}

/* Floats by exponent, in the low five bits; integers by length, up to 31. */
WIDE_INLINE __m512i still_class(bool is_float, __m512i mantissa, __m512i base)
{
	__m512i x = _mm512_xor_si512(base, _mm512_srai_epi32(base, 31));

	if (is_float)
		return _mm512_srlv_epi32(x, mantissa);
	return _mm512_min_epi32(length_of(x), _mm512_set1_epi32(31));
}
