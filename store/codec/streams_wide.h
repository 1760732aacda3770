/* streams.c's loop over elements in vectors of AVX-512: four of 16 elements
 * hold all states, so that the gathers of one hide the others'. For
 * streams_avx512.c and streams_vbmi2.c, each of which says before what it is
 * compiled for (WIDE_TARGET), what it is called (WIDE_DECODE), and how numbers
 * of 64 bits are shifted that lie in two vectors. */
#include "codec/streams_load.h"

/* A step's words are all loaded, and a line of bits: both must lie within. */
#define WIDE_WORDS (2u * N_STATES)
#define WIDE_BITS  ((size_t)64 * WIDE_STEPS + 64)

struct wide {
	__m512i moved[2]; /* rows of the classes, by the zeros above a move */
	__m512i still[2]; /* by exponent, or by an integer's length */
	__m512i state_mask, turn;
	__m512i log, mantissa;
	const uint32_t *cells;
	const uint8_t *words, *bits;
	uint64_t bit;
	bool is_float, has_context;
	unsigned width;
};

WIDE_INLINE __m512i load_wide(const struct wide *to, const uint8_t *bytes)
{
	return load_ordered(to->width, to->turn, bytes);
}

WIDE_INLINE void store_wide(const struct wide *to, __m512i x, uint8_t *bytes)
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

/* Where the still ones' cells begin. A vector's permutation looks at five bits
 * of each index. */
WIDE_INLINE __m512i still_rows(const struct wide *to, __m512i base)
{
	return _mm512_permutex2var_epi32(
		to->still[0], still_class(to->is_float, to->mantissa, base),
		to->still[1]);
}

/* Each the sum of all up to itself. */
WIDE_INLINE __m512i sum_up(__m512i x)
{
	__m512i zero = _mm512_setzero_si512();

	x = _mm512_add_epi32(x, _mm512_alignr_epi32(x, zero, 15));
	x = _mm512_add_epi32(x, _mm512_alignr_epi32(x, zero, 14));
	x = _mm512_add_epi32(x, _mm512_alignr_epi32(x, zero, 12));
	return _mm512_add_epi32(x, _mm512_alignr_epi32(x, zero, 8));
}

/* The magnitudes of the cells: behind their two highest bits come `rest` of
 * those that end `end` bits from `bytes` on. */
WIDE_INLINE __m512i magnitudes(const uint8_t *bytes, __m512i end, __m512i cell)
{
	__m512i index = _mm512_srli_epi32(end, 5);
	__m512i low =
		_mm512_permutexvar_epi32(index, _mm512_loadu_si512(bytes - 4));
	__m512i high =
		_mm512_permutexvar_epi32(index, _mm512_loadu_si512(bytes));
	__m512i top = _mm512_and_si512(_mm512_srli_epi32(cell, CELL_TOP),
				       _mm512_set1_epi32(3));

	return shift_up(top, shift_down(low, high, end),
			_mm512_srli_epi32(cell, CELL_REST));
}

/* Of two vectors at once: the sums of both are of 16 bits. */
WIDE_INLINE void take_pair(struct wide *to, const __m512i cell[2],
			   __m512i magnitude[2])
{
	__m512i field = _mm512_set1_epi32((int)CELL_RESTS);
	__m512i rests = _mm512_ternarylogic_epi32(
		_mm512_and_si512(_mm512_srli_epi32(cell[0], CELL_REST), field),
		_mm512_srli_epi32(cell[1], CELL_REST - 16),
		_mm512_set1_epi32((int)(CELL_RESTS << 16)), 0xf8);
	__m512i sum = sum_up(rests);
	uint32_t all = (uint32_t)_mm_extract_epi32(
		_mm512_extracti32x4_epi32(sum, 3), 3);
	uint64_t bit = to->bit;

	magnitude[0] = magnitudes(
		to->bits + (bit >> 5) * 4,
		_mm512_add_epi32(
			_mm512_and_si512(sum, _mm512_set1_epi32(0xffff)),
			_mm512_set1_epi32((int)(bit & 31))),
		cell[0]);
	bit += all & 0xffff;
	magnitude[1] =
		magnitudes(to->bits + (bit >> 5) * 4,
			   _mm512_add_epi32(_mm512_srli_epi32(sum, 16),
					    _mm512_set1_epi32((int)(bit & 31))),
			   cell[1]);
	to->bit = bit + (all >> 16);
}

WIDE_INLINE __m512i step_wide(struct wide *to, __m512i cell, __m512i state)
{
	__m512i field = _mm512_set1_epi32((int)CELL_FIELD), words;
	__mmask16 short_;

	state = _mm512_add_epi32(
		_mm512_mullo_epi32(_mm512_and_si512(cell, field),
				   _mm512_srlv_epi32(state, to->log)),
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
WIDE_INLINE __m512i gather_cells(const struct wide *to, __m512i index)
{
	return _mm512_i32gather_epi32(index, (const void *)to->cells, 4);
}
#pragma GCC diagnostic pop

/* The cells of a vector's states, and how far its base moved. */
WIDE_INLINE __m512i find_cells(const struct wide *to, __m512i state,
			       __m512i value, const uint8_t *context,
			       __m512i *move)
{
	__m512i row = still_rows(to, value);

	*move = _mm512_setzero_si512();
	if (to->has_context) {
		*move = _mm512_sub_epi32(value, load_wide(to, context));
		row = _mm512_mask_mov_epi32(
			row, _mm512_test_epi32_mask(*move, *move),
			_mm512_permutex2var_epi32(
				to->moved[0],
				_mm512_lzcnt_epi32(_mm512_abs_epi32(*move)),
				to->moved[1]));
	}
	/* Rows begin at multiples of their length. */
	return gather_cells(to, _mm512_ternarylogic_epi32(
					row, state, to->state_mask, 0xf8));
}

WIDE_INLINE __m512i move_wide(__m512i value, __m512i magnitude, __m512i move,
			      __m512i cell)
{
	__mmask16 down = _mm512_movepi32_mask(_mm512_xor_si512(move, cell));

	return _mm512_mask_sub_epi32(_mm512_add_epi32(value, magnitude), down,
				     value, magnitude);
}

WIDE_INLINE void decode_pair(struct wide *to, __m512i state[2],
			     const uint8_t *base, const uint8_t *context,
			     uint8_t *out)
{
	size_t stride = (size_t)WIDE * to->width, k;
	__m512i value[2], move[2], cell[2], magnitude[2];

	for (k = 0; k < 2; k++) {
		value[k] = load_wide(to, base + k * stride);
		cell[k] = find_cells(to, state[k], value[k],
				     to->has_context ? context + k * stride
						     : NULL,
				     &move[k]);
	}
	take_pair(to, cell, magnitude);
	for (k = 0; k < 2; k++) {
		store_wide(to,
			   move_wide(value[k], magnitude[k], move[k], cell[k]),
			   out + k * stride);
		state[k] = step_wide(to, cell[k], state[k]);
	}
}

WIDE_INLINE size_t decode_all_wide(struct wide *to, struct streams *streams,
				   const uint8_t *base, const uint8_t *context,
				   uint8_t *out, size_t n)
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
		for (k = 0; k < WIDE_STEPS; k += 2) {
			decode_pair(to, states + k, base, context, out);
			base += 2 * stride;
			if (to->has_context)
				context += 2 * stride;
			out += 2 * stride;
		}
	for (k = 0; k < WIDE_STEPS; k++)
		_mm512_storeu_si512(streams->states + k * WIDE, states[k]);
	streams->words = to->words;
	streams->bit = to->bit;
	return at;
}

#define WIDE_KERNEL(name, w, floats, contexts)                                 \
	WIDE_TARGET static size_t name(                                        \
		struct wide to, struct streams *streams, const uint8_t *base,  \
		const uint8_t *context, uint8_t *out, size_t n)                \
	{                                                                      \
		to.width = w;                                                  \
		to.is_float = floats;                                          \
		to.has_context = contexts;                                     \
		return decode_all_wide(&to, streams, base, context, out, n);   \
	}

WIDE_KERNEL(floats4_alone, 4, true, false)
WIDE_KERNEL(floats4, 4, true, true)
WIDE_KERNEL(floats2_alone, 2, true, false)
WIDE_KERNEL(floats2, 2, true, true)

WIDE_INLINE __m512i reversed(const uint32_t *rows)
{
	const __m512i order = _mm512_set_epi32(0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10,
					       11, 12, 13, 14, 15);

	return _mm512_permutexvar_epi32(order, _mm512_loadu_si512(rows));
}

WIDE_TARGET size_t WIDE_DECODE(struct streams *streams, const uint8_t *base,
			       const uint8_t *context, uint8_t *out, size_t n)
{
	unsigned width = streams->element.width;
	unsigned mantissa = streams->element.mantissa;
	struct wide to = {
		.state_mask = _mm512_set1_epi32((1 << streams->log) - 1),
		.turn = _mm512_set1_epi32(
			mantissa ? (int)((UINT32_C(1) << (8 * width - 1)) - 1)
				 : 0),
		.log = _mm512_set1_epi32((int)streams->log),
		.mantissa = _mm512_set1_epi32((int)mantissa),
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
		to.moved[k] = reversed(streams->rows + 1 + (1 - k) * WIDE);
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
