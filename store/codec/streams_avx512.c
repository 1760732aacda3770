/* streams.c's loop over elements in vectors of AVX-512: four of 16 elements
 * hold all states, so that the gathers of one hide the others'. */
#include "codec/streams.h"

#if defined(__x86_64__)

#include <immintrin.h>

#define INLINE static inline __attribute__((always_inline))
#define AVX512                                                                 \
	__attribute__((target(                                                 \
		"avx512f,avx512cd,avx512bw,avx512dq,avx512vl,bmi2,popcnt")))
#define AVX512_INLINE INLINE AVX512

#define WIDE	   16u /* elements of a vector */
#define WIDE_STEPS (N_STATES / WIDE)
/* A step's words are all loaded, and a line of bits: both must lie within. */
#define WIDE_WORDS (2u * N_STATES)
#define WIDE_BITS  ((size_t)64 * WIDE_STEPS + 64)

struct wide {
	__m512i moved[2], still[2]; /* rows of the classes */
	__m512i state_mask, turn;
	__m128i log, mantissa;
	const uint32_t *cells;
	const uint8_t *words, *bits;
	uint64_t bit;
	bool is_float, has_context;
	unsigned width;
};

AVX512_INLINE __m512i load_wide(const struct wide *to, const uint8_t *bytes)
{
	__m512i x;

	if (to->width == 4)
		x = _mm512_loadu_si512(bytes);
	else if (to->width == 2)
		x = _mm512_cvtepi16_epi32(_mm256_loadu_si256(
			(const __m256i *)(const void *)bytes));
	else
		x = _mm512_cvtepi8_epi32(
			_mm_loadu_si128((const __m128i *)(const void *)bytes));
	return _mm512_xor_si512(
		x, _mm512_and_si512(_mm512_srai_epi32(x, 31), to->turn));
}

AVX512_INLINE void store_wide(const struct wide *to, __m512i x, uint8_t *bytes)
{
	unsigned unused = 32 - 8 * to->width;

	if (unused)
		x = _mm512_srai_epi32(_mm512_slli_epi32(x, unused), unused);
	x = _mm512_xor_si512(
		x, _mm512_and_si512(_mm512_srai_epi32(x, 31), to->turn));
	if (to->width == 4)
		_mm512_storeu_si512(bytes, x);
	else if (to->width == 2)
		_mm256_storeu_si256((__m256i *)(void *)bytes,
				    _mm512_cvtepi32_epi16(x));
	else
		_mm_storeu_si128((__m128i *)(void *)bytes,
				 _mm512_cvtepi32_epi8(x));
}

/* Where the still ones' cells begin: by exponent, integers by length. */
AVX512_INLINE __m512i still_rows(const struct wide *to, __m512i base)
{
	__m512i x = _mm512_xor_si512(base, _mm512_srai_epi32(base, 31));

	if (to->is_float)
		x = _mm512_srl_epi32(x, to->mantissa);
	else
		x = _mm512_min_epi32(_mm512_sub_epi32(_mm512_set1_epi32(32),
						      _mm512_lzcnt_epi32(x)),
				     _mm512_set1_epi32(31));
	return _mm512_permutex2var_epi32(to->still[0], x, to->still[1]);
}

/* The bits from `at` on, counted from `bytes`. */
AVX512_INLINE __m512i bits_at(const uint8_t *bytes, __m512i at)
{
	__m512i index = _mm512_srli_epi32(at, 5);
	__m512i shift = _mm512_and_si512(at, _mm512_set1_epi32(31));
	__m512i low =
		_mm512_permutexvar_epi32(index, _mm512_loadu_si512(bytes));
	__m512i high =
		_mm512_permutexvar_epi32(index, _mm512_loadu_si512(bytes + 4));

	return _mm512_or_si512(
		_mm512_srlv_epi32(low, shift),
		_mm512_sllv_epi32(
			high, _mm512_sub_epi32(_mm512_set1_epi32(32), shift)));
}

/* Each the sum of all up to itself. */
AVX512_INLINE __m512i sum_up(__m512i x)
{
	__m512i zero = _mm512_setzero_si512();

	x = _mm512_add_epi32(x, _mm512_alignr_epi32(x, zero, 15));
	x = _mm512_add_epi32(x, _mm512_alignr_epi32(x, zero, 14));
	x = _mm512_add_epi32(x, _mm512_alignr_epi32(x, zero, 12));
	return _mm512_add_epi32(x, _mm512_alignr_epi32(x, zero, 8));
}

/* The magnitudes of the cells, with the bits that follow. */
AVX512_INLINE __m512i take_wide(struct wide *to, __m512i cell)
{
	__m512i rest = _mm512_and_si512(_mm512_srli_epi32(cell, CELL_REST),
					_mm512_set1_epi32((int)CELL_RESTS));
	__m512i top = _mm512_and_si512(_mm512_srli_epi32(cell, CELL_TOP),
				       _mm512_set1_epi32(3));
	__m512i sum = sum_up(rest);
	__m512i at = _mm512_add_epi32(_mm512_sub_epi32(sum, rest),
				      _mm512_set1_epi32((int)(to->bit & 31)));
	__m512i low = _mm512_andnot_si512(
		_mm512_sllv_epi32(_mm512_set1_epi32(-1), rest),
		bits_at(to->bits + (to->bit >> 5) * 4, at));

	to->bit += (uint32_t)_mm_extract_epi32(
		_mm512_extracti32x4_epi32(sum, 3), 3);
	return _mm512_or_si512(_mm512_sllv_epi32(top, rest), low);
}

AVX512_INLINE __m512i step_wide(struct wide *to, __m512i cell, __m512i state)
{
	__m512i field = _mm512_set1_epi32((int)CELL_FIELD), words;
	__mmask16 short_;

	state = _mm512_add_epi32(
		_mm512_mullo_epi32(_mm512_and_si512(cell, field),
				   _mm512_srl_epi32(state, to->log)),
		_mm512_and_si512(_mm512_srli_epi32(cell, CELL_PLACE), field));
	short_ = _mm512_cmplt_epu32_mask(state,
					 _mm512_set1_epi32((int)FIRST_STATE));
	words = _mm512_maskz_expand_epi32(
		short_, _mm512_cvtepu16_epi32(_mm256_loadu_si256(
				(const __m256i *)(const void *)to->words)));
	to->words += 2 * (unsigned)_mm_popcnt_u32(short_);
	return _mm512_mask_or_epi32(state, short_, _mm512_slli_epi32(state, 16),
				    words);
}

/* Without optimization gcc's header has a macro here, whose mask of all lanes
 * is too large for the short that it becomes. */
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wsign-conversion"
AVX512_INLINE __m512i gather_cells(const struct wide *to, __m512i index)
{
	return _mm512_i32gather_epi32(index, (const void *)to->cells, 4);
}
#pragma GCC diagnostic pop

AVX512_INLINE __m512i decode_wide(struct wide *to, __m512i state,
				  const uint8_t *base, const uint8_t *context,
				  uint8_t *out)
{
	__m512i value = load_wide(to, base), down = _mm512_setzero_si512();
	__m512i row = still_rows(to, value), cell, magnitude;

	if (to->has_context) {
		__m512i move = _mm512_sub_epi32(value, load_wide(to, context));
		__m512i length = _mm512_sub_epi32(
			_mm512_set1_epi32(31),
			_mm512_lzcnt_epi32(_mm512_abs_epi32(move)));

		row = _mm512_mask_mov_epi32(
			row, _mm512_test_epi32_mask(move, move),
			_mm512_permutex2var_epi32(to->moved[0], length,
						  to->moved[1]));
		down = _mm512_srai_epi32(move, 31);
	}
	cell = gather_cells(
		to,
		_mm512_add_epi32(row, _mm512_and_si512(state, to->state_mask)));
	magnitude = take_wide(to, cell);
	down = _mm512_xor_si512(down, _mm512_srai_epi32(cell, 31));
	value = _mm512_add_epi32(
		value,
		_mm512_sub_epi32(_mm512_xor_si512(magnitude, down), down));
	store_wide(to, value, out);
	return step_wide(to, cell, state);
}

AVX512_INLINE size_t decode_all_wide(struct wide *to, struct streams *streams,
				     const uint8_t *base,
				     const uint8_t *context, uint8_t *out,
				     size_t n)
{
	__m512i states[WIDE_STEPS];
	size_t at = 0, k, stride = (size_t)WIDE * to->width;
	const uint8_t *last_word = streams->words_end - WIDE_WORDS;
	uint64_t last_bit = 8 * (uint64_t)(streams->bits_end - streams->bits -
					   (ptrdiff_t)WIDE_BITS);

	for (k = 0; k < WIDE_STEPS; k++)
		states[k] = _mm512_loadu_si512(streams->states + k * WIDE);
	for (; n - at >= N_STATES && to->words <= last_word &&
	       to->bit <= last_bit;
	     at += N_STATES)
		for (k = 0; k < WIDE_STEPS; k++) {
			states[k] =
				decode_wide(to, states[k], base, context, out);
			base += stride;
			if (to->has_context)
				context += stride;
			out += stride;
		}
	for (k = 0; k < WIDE_STEPS; k++)
		_mm512_storeu_si512(streams->states + k * WIDE, states[k]);
	streams->words = to->words;
	streams->bit = to->bit;
	return at;
}

#define AVX512_KERNEL(name, w, floats, contexts)                               \
	AVX512 static size_t name(struct wide to, struct streams *streams,     \
				  const uint8_t *base, const uint8_t *context, \
				  uint8_t *out, size_t n)                      \
	{                                                                      \
		to.width = w;                                                  \
		to.is_float = floats;                                          \
		to.has_context = contexts;                                     \
		return decode_all_wide(&to, streams, base, context, out, n);   \
	}

AVX512_KERNEL(floats4_alone, 4, true, false)
AVX512_KERNEL(floats4, 4, true, true)
AVX512_KERNEL(floats2_alone, 2, true, false)
AVX512_KERNEL(floats2, 2, true, true)

AVX512 size_t streams_decode_avx512(struct streams *streams,
				    const uint8_t *base, const uint8_t *context,
				    uint8_t *out, size_t n)
{
	unsigned width = streams->element.width;
	unsigned mantissa = streams->element.mantissa;
	struct wide to = {
		.state_mask = _mm512_set1_epi32((1 << streams->log) - 1),
		.turn = _mm512_set1_epi32(
			mantissa ? (int)((UINT32_C(1) << (8 * width - 1)) - 1)
				 : 0),
		.log = _mm_cvtsi32_si128((int)streams->log),
		.mantissa = _mm_cvtsi32_si128((int)mantissa),
		.cells = streams->cells,
		.words = streams->words,
		.bits = streams->bits,
		.bit = streams->bit,
		.is_float = mantissa != 0,
		.has_context = context != NULL,
		.width = width,
	};
	unsigned k;

	if (streams->words_end - streams->words < (ptrdiff_t)WIDE_WORDS ||
	    streams->bits_end - streams->bits < (ptrdiff_t)WIDE_BITS)
		return 0;
	for (k = 0; k < 2; k++) {
		to.moved[k] = _mm512_loadu_si512(streams->rows + 1 + k * WIDE);
		to.still[k] = _mm512_loadu_si512(streams->rows + CLASS_STILL +
						 k * WIDE);
	}
	if (width == 4 && mantissa)
		return (context ? floats4 : floats4_alone)(to, streams, base,
							   context, out, n);
	if (width == 2 && mantissa)
		return (context ? floats2 : floats2_alone)(to, streams, base,
							   context, out, n);
	return decode_all_wide(&to, streams, base, context, out, n);
}

#endif
