/* The states' words are written from the last to the first, since ANS gives
 * back first what was put in last; the bits from the first on. */
#include "codec/streams_encode.h"

#include <string.h>

#define INLINE static inline __attribute__((always_inline))

#define MOST_BITS 30u /* of an element, below its two highest */
#define SLACK	  16u

/* The reciprocal is 2^(32 + shift) over f, with the largest shift that leaves
 * it 32 bits. Rounding it up adds e / f: a quotient grows by less than 1 / f,
 * and so stays what it is, as long as x * e is below 2^(32 + shift). Where e is
 * too large for the largest x, f - e is not, and the reciprocal is rounded
 * down: what the quotient loses then x + 1 makes up for. */
static struct streams_symbol mover_of(uint32_t f, uint32_t start, unsigned log)
{
	unsigned shift = 31u - (unsigned)__builtin_clz(f);
	uint64_t whole = UINT64_C(1) << (32 + shift);
	uint32_t rest = (UINT32_C(1) << log) - f;
	uint64_t reciprocal = whole / f;
	bool is_power = (f & (f - 1)) == 0, up = false;

	if (is_power && shift > 0) {
		reciprocal = UINT32_C(1) << 31;
		shift--;
	} else if (is_power) {
		reciprocal = UINT32_MAX;
		up = true;
	} else if ((reciprocal + 1) * f - whole <=
		   (UINT64_C(1) << (log + shift)) / f) {
		reciprocal++;
	} else {
		up = true;
	}
	return (struct streams_symbol){
		.reciprocal = (uint32_t)reciprocal,
		.fields = rest | shift << SYMBOL_SHIFT |
			  (uint32_t)up << SYMBOL_UP | start << SYMBOL_START,
		.frequency = (uint16_t)f,
		.rest = (uint16_t)rest,
		.start = (uint16_t)start,
		.shift = (uint8_t)shift,
		.up = up,
	};
}

void streams_symbols_make(struct streams_symbol *symbols,
			  const struct ans_model *model, unsigned log)
{
	uint32_t start = 0, i;

	for (i = 0; i < STREAMS_SYMBOLS; i++) {
		uint32_t f = model->frequency[i];

		if (f)
			symbols[i] = mover_of(f, start, log);
		start += f;
	}
}

size_t streams_scratch(size_t n)
{
	return 2 * n + SLACK;
}

/* ---- States ---------------------------------------------------------------
 */

/* Elements from `n` down to `end`. */
INLINE uint8_t *put_words_body(const struct streams_input *input, size_t n,
			       size_t end, uint32_t *states, uint8_t *at)
{
	unsigned log = input->log;
	size_t i;

	for (i = n; i-- > end;) {
		const struct streams_symbol *symbol =
			input->movers + input->rows[input->classes[i]] +
			input->symbols[i];
		uint32_t x = states[i % N_STATES];
		uint32_t high = x >> (32 - log) >= symbol->frequency;

		put_le16(at - 2, (uint16_t)x);
		at -= 2 * high;
		x >>= 16 * high; /* no branch: it could not be foreseen */
		states[i % N_STATES] =
			x + streams_divide(symbol, x) * symbol->rest +
			symbol->start;
	}
	return at;
}

/* ---- Bits -----------------------------------------------------------------
 */

INLINE unsigned rest_of(uint8_t symbol)
{
	unsigned half = symbol >> 1;

	return half < 4 ? 0 : half / 2 - 1;
}

INLINE uint64_t low_bits(uint32_t value, unsigned n)
{
	return value & ((UINT64_C(1) << n) - 1);
}

/* Elements from `i` on. */
INLINE void put_bits_body(const struct streams_input *input, size_t i,
			  struct streams_bits *out)
{
	struct streams_bits to = *out;

	for (; i + 1 < input->n; i += 2) {
		unsigned a = rest_of(input->symbols[i]);
		unsigned b = rest_of(input->symbols[i + 1]);
		uint64_t first = low_bits(input->magnitudes[i], a);
		uint64_t second = low_bits(input->magnitudes[i + 1], b);

		if (a + b <= STREAMS_BITS_ROOM) {
			streams_put_bits(&to, first | second << a, a + b);
		} else {
			streams_put_bits(&to, first, a);
			streams_put_bits(&to, second, b);
		}
	}
	if (i < input->n) {
		unsigned a = rest_of(input->symbols[i]);

		streams_put_bits(&to, low_bits(input->magnitudes[i], a), a);
	}
	*out = to;
}

/* ---- Kinds of processors --------------------------------------------------
 */

#define KINDS(suffix, target)                                                  \
	target static uint8_t *put_words_##suffix(                             \
		const struct streams_input *input, size_t n, size_t end,       \
		uint32_t *states, uint8_t *at)                                 \
	{                                                                      \
		return put_words_body(input, n, end, states, at);              \
	}                                                                      \
	target static void put_bits_##suffix(                                  \
		const struct streams_input *input, size_t i,                   \
		struct streams_bits *to)                                       \
	{                                                                      \
		put_bits_body(input, i, to);                                   \
	}

KINDS(portable, )
#if defined(__x86_64__)
/* Shifts and masks by a variable number of bits in one step each. */
KINDS(bmi2, __attribute__((target("bmi,bmi2"))))
#define FASTEST(what)                                                          \
	(element_kernels()->level > LEVEL_PORTABLE ? what##_bmi2               \
						   : what##_portable)
#else
#define FASTEST(what) what##_portable
#endif

static bool has_vectors(void)
{
#if defined(__x86_64__)
	return element_kernels()->level >= LEVEL_AVX512;
#else
	return false;
#endif
}

/* Whole rounds of the states by vectors. */
static uint8_t *put_words(const struct streams_input *input, uint32_t *states,
			  uint8_t *at)
{
	size_t whole = has_vectors() ? input->n / N_STATES * N_STATES : 0;

	at = FASTEST(put_words)(input, input->n, whole, states, at);
#if defined(__x86_64__)
	if (whole)
		at = streams_words_avx512(input, whole, states, at);
#endif
	return at;
}

static uint8_t *put_bits(const struct streams_input *input, uint8_t *at)
{
	struct streams_bits to = {.at = at};
	size_t done = 0;

#if defined(__x86_64__)
	if (has_vectors())
		done = streams_bits_avx512(input, &to);
#endif
	FASTEST(put_bits)(input, done, &to);
	return to.at + (to.n_held ? 1 : 0);
}

enum wh_status streams_encode(const struct streams_input *input,
			      uint8_t *scratch, struct wh_buf *out,
			      struct wh_error *err)
{
	uint8_t *end = scratch + streams_scratch(input->n), *words, *head, *at;
	uint32_t states[N_STATES];
	size_t i;

	for (i = 0; i < N_STATES; i++)
		states[i] = FIRST_STATE;
	words = put_words(input, states, end);
	WH_TRY(wh_buf_reserve(out,
			      STREAMS_HEAD_SIZE + (size_t)(end - words) +
				      input->n * MOST_BITS / 8 + SLACK,
			      err));
	head = out->data + out->size;
	for (i = 0; i < N_STATES; i++)
		put_le32(head + 4 * i, states[i]);
	put_le32(head + 4 * N_STATES, (uint32_t)(end - words));
	at = head + STREAMS_HEAD_SIZE;
	memcpy(at, words, (size_t)(end - words));
	at = put_bits(input, at + (end - words));
	out->size = (size_t)(at - out->data);
	return WH_OK;
}
