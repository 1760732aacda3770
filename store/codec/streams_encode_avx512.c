/* streams_encode.c's loops in vectors of AVX-512: 16 elements each. */
#include "codec/streams_encode.h"

#if defined(__x86_64__)

#include <immintrin.h>

#define WIDE_TARGET                                                            \
	__attribute__((target(                                                 \
		"avx512f,avx512cd,avx512bw,avx512dq,avx512vl,bmi2,popcnt")))

#include "codec/streams_load.h"

/* ---- Symbols and classes --------------------------------------------------
 */

struct measure {
	__m512i turn, mantissa;
	unsigned width;
	bool is_float;
};

WIDE_INLINE __m512i load_wide(const struct measure *how, const uint8_t *bytes)
{
	return load_ordered(how->width, how->turn, bytes);
}

WIDE_INLINE void store_bytes(uint8_t *to, __m512i x)
{
	_mm_storeu_si128((__m128i *)(void *)to, _mm512_cvtepi32_epi8(x));
}

WIDE_INLINE __m512i still_classes(const struct measure *how, __m512i base)
{
	__m512i x = still_class(how->is_float, how->mantissa, base);

	return _mm512_add_epi32(_mm512_and_si512(x, _mm512_set1_epi32(31)),
				_mm512_set1_epi32((int)CLASS_STILL));
}

/* A magnitude's class of length and second-highest bit. */
WIDE_INLINE __m512i halves_of(__m512i magnitude)
{
	__m512i one = _mm512_set1_epi32(1), two = _mm512_set1_epi32(2);
	__m512i below = _mm512_sub_epi32(length_of(magnitude), two);

	return _mm512_mask_add_epi32(magnitude,
				     _mm512_cmpgt_epu32_mask(magnitude, one),
				     _mm512_slli_epi32(below, 1),
				     _mm512_srlv_epi32(magnitude, below));
}

WIDE_INLINE void measure_vector(const struct measure *how, __m512i value,
				__m512i base, __m512i went,
				uint32_t *magnitudes, uint8_t *symbols,
				uint8_t *classes)
{
	__m512i move = _mm512_sub_epi32(value, base);
	__m512i magnitude = _mm512_abs_epi32(move), class_, symbol;
	__mmask16 turned = _mm512_movepi32_mask(_mm512_xor_si512(move, went));

	class_ = _mm512_mask_mov_epi32(still_classes(how, base),
				       _mm512_test_epi32_mask(went, went),
				       length_of(_mm512_abs_epi32(went)));
	class_ =
		_mm512_mask_or_epi32(class_, _mm512_movepi32_mask(went), class_,
				     _mm512_set1_epi32((int)CLASS_DOWN));
	symbol = _mm512_slli_epi32(halves_of(magnitude), 1);
	symbol = _mm512_mask_or_epi32(
		symbol,
		_mm512_mask_test_epi32_mask(turned, magnitude, magnitude),
		symbol, _mm512_set1_epi32(1));
	_mm512_storeu_si512(magnitudes, magnitude);
	store_bytes(symbols, symbol);
	store_bytes(classes, class_);
}

WIDE_INLINE size_t measure_all(const struct measure *how,
			       const struct element_run *run, bool has_context,
			       uint32_t *magnitudes, uint8_t *symbols,
			       uint8_t *classes)
{
	size_t i;

	for (i = 0; i + WIDE <= run->n; i += WIDE) {
		size_t at = i * how->width;
		__m512i base = load_wide(how, run->base + at);
		__m512i went = _mm512_setzero_si512();

		if (has_context)
			went = _mm512_sub_epi32(
				base, load_wide(how, run->context + at));
		measure_vector(how, load_wide(how, run->values + at), base,
			       went, magnitudes + i, symbols + i, classes + i);
	}
	return i;
}

WIDE_TARGET static size_t measure_floats4(struct measure how,
					  const struct element_run *run,
					  uint32_t *magnitudes,
					  uint8_t *symbols, uint8_t *classes)
{
	how.width = 4;
	how.is_float = true;
	if (run->context)
		return measure_all(&how, run, true, magnitudes, symbols,
				   classes);
	return measure_all(&how, run, false, magnitudes, symbols, classes);
}

WIDE_TARGET size_t streams_measure_avx512(const struct element_run *run,
					  struct codec_element element,
					  uint32_t *magnitudes,
					  uint8_t *symbols, uint8_t *classes)
{
	unsigned bits = 8 * element.width, mantissa = element.mantissa;
	struct measure how = {
		.turn = _mm512_set1_epi32(
			mantissa ? (int)((UINT32_C(1) << (bits - 1)) - 1) : 0),
		.mantissa = _mm512_set1_epi32((int)mantissa),
		.width = element.width,
		.is_float = mantissa != 0,
	};

	if (element.width == 4 && mantissa)
		return measure_floats4(how, run, magnitudes, symbols, classes);
	return measure_all(&how, run, run->context != NULL, magnitudes, symbols,
			   classes);
}

/* ---- States ---------------------------------------------------------------
 */

struct words {
	__m512i moved[2]; /* rows of the classes, by the length of a move */
	__m512i still[2];
	__m512i size;	/* 2^log */
	__m512i unused; /* bits of a state above the quotient: 32 - log */
	const struct streams_symbol *movers;
	uint8_t *at;
};

WIDE_INLINE __m512i widen(const uint8_t *bytes)
{
	return _mm512_cvtepu8_epi32(
		_mm_loadu_si128((const __m128i *)(const void *)bytes));
}

/* Classes below CLASS_STILL are lengths from 1 to 32, of which a vector's
 * permutation looks at five bits. */
WIDE_INLINE __m512i find_rows(const struct words *to, __m512i class_)
{
	__m512i moved =
		_mm512_permutex2var_epi32(to->moved[0], class_, to->moved[1]);
	__m512i still =
		_mm512_permutex2var_epi32(to->still[0], class_, to->still[1]);

	return _mm512_mask_mov_epi32(
		moved,
		_mm512_test_epi32_mask(class_,
				       _mm512_set1_epi32((int)CLASS_STILL)),
		still);
}

/* Without optimization gcc's header has a macro here, whose mask of all lanes
 * is too large for the char that it becomes. */
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wsign-conversion"
WIDE_INLINE __m512i gather_movers(const struct words *to, __m256i index)
{
	return _mm512_i32gather_epi64(index, (const void *)to->movers, 8);
}
#pragma GCC diagnostic pop

/* The symbols' reciprocals and fields. */
WIDE_INLINE void find_movers(const struct words *to, const uint8_t *classes,
			     const uint8_t *symbols, __m512i *reciprocal,
			     __m512i *fields)
{
	const __m512i evens = _mm512_set_epi32(30, 28, 26, 24, 22, 20, 18, 16,
					       14, 12, 10, 8, 6, 4, 2, 0);
	const __m512i odds = _mm512_set_epi32(31, 29, 27, 25, 23, 21, 19, 17,
					      15, 13, 11, 9, 7, 5, 3, 1);
	/* In steps of half a symbol, as the gathering counts. */
	__m512i index = _mm512_slli_epi32(
		_mm512_add_epi32(find_rows(to, widen(classes)), widen(symbols)),
		1);
	__m512i low = gather_movers(to, _mm512_castsi512_si256(index));
	__m512i high = gather_movers(to, _mm512_extracti64x4_epi64(index, 1));

	*reciprocal = _mm512_permutex2var_epi32(low, evens, high);
	*fields = _mm512_permutex2var_epi32(low, odds, high);
}

/* The high halves of the products. */
WIDE_INLINE __m512i multiply_high(__m512i x, __m512i y)
{
	__m512i even = _mm512_mul_epu32(x, y);
	__m512i odd = _mm512_mul_epu32(_mm512_srli_epi64(x, 32),
				       _mm512_srli_epi64(y, 32));

	return _mm512_mask_mov_epi32(_mm512_srli_epi64(even, 32), 0xaaaa, odd);
}

WIDE_INLINE __m512i move_states(struct words *to, const uint8_t *classes,
				const uint8_t *symbols, __m512i x)
{
	__m512i reciprocal, fields, rest, up, quotient;
	__mmask16 high;
	unsigned n;

	find_movers(to, classes, symbols, &reciprocal, &fields);
	rest = _mm512_and_si512(fields, _mm512_set1_epi32((int)SYMBOL_REST));
	high = _mm512_cmpge_epu32_mask(_mm512_srlv_epi32(x, to->unused),
				       _mm512_sub_epi32(to->size, rest));
	n = (unsigned)_mm_popcnt_u32(high);
	to->at -= 2 * (size_t)n;
	_mm256_mask_storeu_epi16(
		to->at, (__mmask16)((1u << n) - 1),
		_mm512_cvtepi32_epi16(_mm512_maskz_compress_epi32(high, x)));
	x = _mm512_mask_srli_epi32(x, high, x, 16);
	up = _mm512_and_si512(_mm512_srli_epi32(fields, SYMBOL_UP),
			      _mm512_set1_epi32(1));
	quotient = _mm512_srlv_epi32(
		multiply_high(_mm512_add_epi32(x, up), reciprocal),
		_mm512_and_si512(_mm512_srli_epi32(fields, SYMBOL_SHIFT),
				 _mm512_set1_epi32(15)));
	x = _mm512_add_epi32(x, _mm512_srli_epi32(fields, SYMBOL_START));
	return _mm512_add_epi32(x, _mm512_mullo_epi32(quotient, rest));
}

WIDE_TARGET uint8_t *streams_words_avx512(const struct streams_input *input,
					  size_t n, uint32_t *states,
					  uint8_t *at)
{
	const uint32_t *still = input->rows + CLASS_STILL;
	uint32_t moved[2 * WIDE];
	struct words to = {
		.size = _mm512_set1_epi32(1 << input->log),
		.unused = _mm512_set1_epi32(32 - (int)input->log),
		.movers = input->movers,
		.at = at,
	};
	__m512i x[WIDE_STEPS];
	unsigned k;

	for (k = 0; k < 2 * WIDE; k++)
		moved[k] = input->rows[k ? k : 2 * WIDE];
	for (k = 0; k < 2; k++) {
		to.moved[k] = _mm512_loadu_si512(moved + k * WIDE);
		to.still[k] = _mm512_loadu_si512(still + k * WIDE);
	}
	for (k = 0; k < WIDE_STEPS; k++)
		x[k] = _mm512_loadu_si512(states + k * WIDE);
	while (n) {
		n -= N_STATES;
		for (k = WIDE_STEPS; k-- > 0;)
			x[k] = move_states(&to, input->classes + n + k * WIDE,
					   input->symbols + n + k * WIDE, x[k]);
	}
	for (k = 0; k < WIDE_STEPS; k++)
		_mm512_storeu_si512(states + k * WIDE, x[k]);
	return to.at;
}

/* ---- Bits -----------------------------------------------------------------
 */

/* How many bits are stored as they are. */
WIDE_INLINE __m512i find_rests(const uint8_t *symbols)
{
	__m128i symbol =
		_mm_loadu_si128((const __m128i *)(const void *)symbols);
	__m128i quarter =
		_mm_and_si128(_mm_srli_epi16(symbol, 2), _mm_set1_epi8(0x3f));

	return _mm512_cvtepu8_epi32(_mm_subs_epu8(quarter, _mm_set1_epi8(1)));
}

/* Joins each element of 32 bits with the next one, to 64. */
WIDE_INLINE __m512i join_pairs(__m512i bits, __m512i *rests)
{
	const __m512i low = _mm512_set1_epi64(0xffffffff);
	__m512i first = _mm512_and_si512(*rests, low);
	__m512i joined = _mm512_or_si512(
		_mm512_and_si512(bits, low),
		_mm512_sllv_epi64(_mm512_srli_epi64(bits, 32), first));

	*rests = _mm512_add_epi64(first, _mm512_srli_epi64(*rests, 32));
	return joined;
}

WIDE_INLINE void put_each(struct streams_bits *to, __m512i bits, __m512i n,
			  unsigned step)
{
	uint64_t values[WIDE / 2], lengths[WIDE / 2];
	unsigned i;

	_mm512_storeu_si512(values, bits);
	_mm512_storeu_si512(lengths, n);
	for (i = 0; i < WIDE / 2; i += step)
		streams_put_bits(to, values[i], (unsigned)lengths[i]);
}

/* Pairs of more bits than can be put at once, one element after the other. */
WIDE_INLINE void put_long(struct streams_bits *to, __m512i bits, __m512i n)
{
	uint32_t values[WIDE], lengths[WIDE];
	unsigned i;

	_mm512_storeu_si512(values, bits);
	_mm512_storeu_si512(lengths, n);
	for (i = 0; i < WIDE; i++)
		streams_put_bits(to, values[i], lengths[i]);
}

WIDE_INLINE void put_vector(struct streams_bits *to, const uint8_t *symbols,
			    const uint32_t *magnitudes)
{
	const __m512i most = _mm512_set1_epi64(STREAMS_BITS_ROOM);
	__m512i rests = find_rests(symbols), n = rests, next_n;
	__m512i bits = _mm512_andnot_si512(
		_mm512_sllv_epi32(_mm512_set1_epi32(-1), rests),
		_mm512_loadu_si512(magnitudes));
	__m512i pairs = join_pairs(bits, &n), fours, fours_n;

	next_n = _mm512_shuffle_epi32(n, _MM_PERM_BADC);
	fours_n = _mm512_add_epi64(n, next_n);
	if (!_mm512_cmpgt_epi64_mask(fours_n, most)) {
		fours = _mm512_or_si512(
			pairs,
			_mm512_sllv_epi64(
				_mm512_shuffle_epi32(pairs, _MM_PERM_BADC), n));
		put_each(to, fours, fours_n, 2);
	} else if (!_mm512_cmpgt_epi64_mask(n, most)) {
		put_each(to, pairs, n, 1);
	} else {
		put_long(to, bits, rests);
	}
}

WIDE_TARGET size_t streams_bits_avx512(const struct streams_input *input,
				       struct streams_bits *out)
{
	struct streams_bits to = *out;
	size_t i;

	for (i = 0; i + WIDE <= input->n; i += WIDE)
		put_vector(&to, input->symbols + i, input->magnitudes + i);
	*out = to;
	return i;
}

#endif
