/* streams.c's loop over elements in vectors of AVX2: eight of 8 elements hold
 * all states. */
#include "codec/streams.h"

#if defined(__x86_64__)

#include <immintrin.h>

#define INLINE	    static inline __attribute__((always_inline))
#define AVX2	    __attribute__((target("avx2,bmi,bmi2,popcnt")))
#define AVX2_INLINE INLINE AVX2

#define WIDE	   8u /* elements of a vector */
#define WIDE_STEPS (N_STATES / WIDE)
/* A step's words are all loaded, and two vectors of bits: they must lie
 * within. */
#define WIDE_WORDS (2u * N_STATES)
#define WIDE_BITS  ((size_t)32 * WIDE_STEPS + 64)

struct wide {
	__m256i state_mask, turn;
	__m128i log, mantissa;
	const uint32_t *cells, *rows;
	const uint8_t *words, *bits;
	uint64_t bit;
	bool is_float, has_context;
	unsigned width;
};

AVX2_INLINE __m256i load_all(const uint8_t *bytes)
{
	return _mm256_loadu_si256((const __m256i *)(const void *)bytes);
}

AVX2_INLINE __m128i load_half(const uint8_t *bytes)
{
	return _mm_loadu_si128((const __m128i *)(const void *)bytes);
}

AVX2_INLINE __m256i turn_wide(const struct wide *to, __m256i x)
{
	return _mm256_xor_si256(
		x, _mm256_and_si256(_mm256_srai_epi32(x, 31), to->turn));
}

AVX2_INLINE __m256i load_wide(const struct wide *to, const uint8_t *bytes)
{
	if (to->width == 4)
		return turn_wide(to, load_all(bytes));
	if (to->width == 2)
		return turn_wide(to, _mm256_cvtepi16_epi32(load_half(bytes)));
	return turn_wide(to, _mm256_cvtepi8_epi32(_mm_loadl_epi64(
				     (const __m128i *)(const void *)bytes)));
}

/* Of narrower elements the lower bytes, which two packings bring together. */
AVX2_INLINE void store_wide(const struct wide *to, __m256i x, uint8_t *bytes)
{
	unsigned unused = 32 - 8 * to->width;
	__m128i low;

	if (unused)
		x = _mm256_srai_epi32(_mm256_slli_epi32(x, (int)unused),
				      (int)unused);
	x = turn_wide(to, x);
	if (to->width == 4) {
		_mm256_storeu_si256((__m256i *)(void *)bytes, x);
		return;
	}
	low = _mm_packs_epi32(_mm256_castsi256_si128(x),
			      _mm256_extracti128_si256(x, 1));
	if (to->width == 2)
		_mm_storeu_si128((__m128i *)(void *)bytes, low);
	else
		_mm_storel_epi64((__m128i *)(void *)bytes,
				 _mm_packs_epi16(low, low));
}

/* element.c's bits_of32, less one; of 0 it gives less than 0. */
AVX2_INLINE __m256i length_of(__m256i x)
{
	__m256i highest = _mm256_andnot_si256(_mm256_srli_epi32(x, 1), x);
	__m256i raw = _mm256_castps_si256(_mm256_cvtepi32_ps(highest));

	return _mm256_sub_epi32(_mm256_and_si256(_mm256_srli_epi32(raw, 23),
						 _mm256_set1_epi32(0xff)),
				_mm256_set1_epi32(127));
}

/* The classes of the still ones: by exponent, integers by length. */
AVX2_INLINE __m256i still_classes(const struct wide *to, __m256i base)
{
	__m256i x = _mm256_xor_si256(base, _mm256_srai_epi32(base, 31));

	if (to->is_float)
		x = _mm256_and_si256(_mm256_srl_epi32(x, to->mantissa),
				     _mm256_set1_epi32(31));
	else
		x = _mm256_min_epi32(
			_mm256_max_epi32(_mm256_add_epi32(length_of(x),
							  _mm256_set1_epi32(1)),
					 _mm256_setzero_si256()),
			_mm256_set1_epi32(31));
	return _mm256_add_epi32(x, _mm256_set1_epi32((int)CLASS_STILL));
}

/* Each the sum of all up to itself. */
AVX2_INLINE __m256i sum_up(__m256i x)
{
	__m256i half;

	x = _mm256_add_epi32(x, _mm256_slli_si256(x, 4));
	x = _mm256_add_epi32(x, _mm256_slli_si256(x, 8));
	half = _mm256_permutevar8x32_epi32(x, _mm256_set1_epi32(3));
	return _mm256_add_epi32(
		x, _mm256_blend_epi32(_mm256_setzero_si256(), half, 0xf0));
}

/* The bits from `at` on, counted from `bytes`. */
AVX2_INLINE __m256i bits_at(const uint8_t *bytes, __m256i at)
{
	__m256i index = _mm256_srli_epi32(at, 5);
	__m256i shift = _mm256_and_si256(at, _mm256_set1_epi32(31));
	__m256i low = _mm256_permutevar8x32_epi32(load_all(bytes), index);
	__m256i high = _mm256_permutevar8x32_epi32(load_all(bytes + 4), index);

	return _mm256_or_si256(
		_mm256_srlv_epi32(low, shift),
		_mm256_sllv_epi32(
			high, _mm256_sub_epi32(_mm256_set1_epi32(32), shift)));
}

/* The next states, and the magnitudes of the cells with the bits that follow.
 * One sum says of each element how many bits (in its lower half) and words
 * (in the upper) those up to it take. */
AVX2_INLINE __m256i take_wide(struct wide *to, __m256i cell, __m256i *state)
{
	__m256i field = _mm256_set1_epi32((int)CELL_FIELD);
	__m256i rest = _mm256_and_si256(_mm256_srli_epi32(cell, CELL_REST),
					_mm256_set1_epi32((int)CELL_RESTS));
	__m256i top = _mm256_and_si256(_mm256_srli_epi32(cell, CELL_TOP),
				       _mm256_set1_epi32(3));
	__m256i x = _mm256_add_epi32(
		_mm256_mullo_epi32(_mm256_and_si256(cell, field),
				   _mm256_srl_epi32(*state, to->log)),
		_mm256_and_si256(_mm256_srli_epi32(cell, CELL_PLACE), field));
	__m256i low = _mm256_cmpeq_epi32(_mm256_srli_epi32(x, 16),
					 _mm256_setzero_si256());
	__m256i sum = sum_up(_mm256_or_si256(
		rest, _mm256_and_si256(low, _mm256_set1_epi32(1 << 16))));
	__m256i words = _mm256_permutevar8x32_epi32(
		_mm256_cvtepu16_epi32(load_half(to->words)),
		_mm256_sub_epi32(_mm256_srli_epi32(sum, 16),
				 _mm256_set1_epi32(1)));
	__m256i at = _mm256_add_epi32(
		_mm256_sub_epi32(
			_mm256_and_si256(sum, _mm256_set1_epi32(0xffff)), rest),
		_mm256_set1_epi32((int)(to->bit & 31)));
	__m256i bits = _mm256_andnot_si256(
		_mm256_sllv_epi32(_mm256_set1_epi32(-1), rest),
		bits_at(to->bits + (to->bit >> 5) * 4, at));
	uint32_t all = (uint32_t)_mm256_extract_epi32(sum, 7);

	*state = _mm256_blendv_epi8(
		x, _mm256_or_si256(_mm256_slli_epi32(x, 16), words), low);
	to->words += 2 * (all >> 16);
	to->bit += all & 0xffff;
	return _mm256_or_si256(_mm256_sllv_epi32(top, rest), bits);
}

AVX2_INLINE __m256i decode_wide(struct wide *to, __m256i state,
				const uint8_t *base, const uint8_t *context,
				uint8_t *out)
{
	__m256i value = load_wide(to, base), down = _mm256_setzero_si256();
	__m256i class_ = still_classes(to, value), cell, magnitude;

	if (to->has_context) {
		__m256i move = _mm256_sub_epi32(value, load_wide(to, context));
		__m256i length =
			_mm256_add_epi32(length_of(_mm256_abs_epi32(move)),
					 _mm256_set1_epi32(1));

		class_ = _mm256_blendv_epi8(
			length, class_,
			_mm256_cmpeq_epi32(move, _mm256_setzero_si256()));
		down = _mm256_srai_epi32(move, 31);
	}
	cell = _mm256_i32gather_epi32((const void *)to->rows, class_, 4);
	cell = _mm256_i32gather_epi32(
		(const void *)to->cells,
		_mm256_add_epi32(cell, _mm256_and_si256(state, to->state_mask)),
		4);
	magnitude = take_wide(to, cell, &state);
	down = _mm256_xor_si256(down, _mm256_srai_epi32(cell, 31));
	value = _mm256_add_epi32(
		value,
		_mm256_sub_epi32(_mm256_xor_si256(magnitude, down), down));
	store_wide(to, value, out);
	return state;
}

AVX2_INLINE size_t decode_all_wide(struct wide *to, struct streams *streams,
				   const uint8_t *base, const uint8_t *context,
				   uint8_t *out, size_t n)
{
	__m256i *states = (__m256i *)(void *)streams->states;
	const uint8_t *last_word = streams->words_end - WIDE_WORDS;
	uint64_t last_bit = 8 * (uint64_t)(streams->bits_end - streams->bits -
					   (ptrdiff_t)WIDE_BITS);
	size_t at = 0, k, stride = (size_t)WIDE * to->width;

	for (; n - at >= N_STATES && to->words <= last_word &&
	       to->bit <= last_bit;
	     at += N_STATES)
		for (k = 0; k < WIDE_STEPS; k++) {
			_mm256_storeu_si256(
				states + k,
				decode_wide(to, _mm256_loadu_si256(states + k),
					    base, context, out));
			base += stride;
			if (to->has_context)
				context += stride;
			out += stride;
		}
	streams->words = to->words;
	streams->bit = to->bit;
	return at;
}

#define AVX2_KERNEL(name, w, contexts)                                         \
	AVX2 static size_t name(struct wide to, struct streams *streams,       \
				const uint8_t *base, const uint8_t *context,   \
				uint8_t *out, size_t n)                        \
	{                                                                      \
		to.width = w;                                                  \
		to.is_float = true;                                            \
		to.has_context = contexts;                                     \
		return decode_all_wide(&to, streams, base, context, out, n);   \
	}

AVX2_KERNEL(floats4_alone, 4, false)
AVX2_KERNEL(floats4, 4, true)
AVX2_KERNEL(floats2_alone, 2, false)
AVX2_KERNEL(floats2, 2, true)

AVX2 size_t streams_decode_avx2(struct streams *streams, const uint8_t *base,
				const uint8_t *context, uint8_t *out, size_t n)
{
	unsigned width = streams->element.width;
	unsigned mantissa = streams->element.mantissa;
	struct wide to = {
		.state_mask = _mm256_set1_epi32((1 << streams->log) - 1),
		.turn = _mm256_set1_epi32(
			mantissa ? (int)((UINT32_C(1) << (8 * width - 1)) - 1)
				 : 0),
		.log = _mm_cvtsi32_si128((int)streams->log),
		.mantissa = _mm_cvtsi32_si128((int)mantissa),
		.cells = streams->cells,
		.rows = streams->rows,
		.words = streams->words,
		.bits = streams->bits,
		.bit = streams->bit,
		.is_float = mantissa != 0,
		.has_context = context != NULL,
		.width = width,
	};

	if (streams->words_end - streams->words < (ptrdiff_t)WIDE_WORDS ||
	    streams->bits_end - streams->bits < (ptrdiff_t)WIDE_BITS)
		return 0;
	if (width == 4 && mantissa)
		return (context ? floats4 : floats4_alone)(to, streams, base,
							   context, out, n);
	if (width == 2 && mantissa)
		return (context ? floats2 : floats2_alone)(to, streams, base,
							   context, out, n);
	return decode_all_wide(&to, streams, base, context, out, n);
}

#endif
