/* The states' words are written from the last to the first, since ANS gives
 * back first what was put in last; the bits from the first on. */
#include "codec/streams_encode.h"

#include <string.h>

#include "base/endian.h"

#define INLINE static inline __attribute__((always_inline))

#define MOST_BITS 30u /* of an element, below its two highest */
/* Bits that 63 can take beside up to seven of a byte. */
#define ROOM_FOR_BITS 56u
#define SLACK	      16u

void streams_symbols_make(struct streams_symbol *symbols,
			  const struct ans_model *model, unsigned log)
{
	uint32_t start = 0, i;

	for (i = 0; i < STREAMS_SYMBOLS; i++) {
		uint32_t f = model->frequency[i];

		symbols[i] = (struct streams_symbol){
			.reciprocal =
				f ? (UINT64_C(1) << (32 + log)) / f + 1 : 0,
			.frequency = f,
			.start = start,
		};
		start += f;
	}
}

size_t streams_scratch(size_t n)
{
	return 2 * n + SLACK;
}

/* ---- States ---------------------------------------------------------------
 */

INLINE uint8_t *put_states_body(const struct streams_input *input,
				uint32_t *states, uint8_t *at)
{
	unsigned log = input->log;
	size_t i;

	for (i = input->n; i-- > 0;) {
		const struct streams_symbol *symbol =
			input->rows[input->classes[i]] + input->symbols[i];
		uint32_t x = states[i % N_STATES], quotient;
		uint32_t high = x >> (32 - log) >= symbol->frequency;

		put_le16(at - 2, (uint16_t)x);
		at -= 2 * high;
		x >>= 16 * high; /* no branch: it could not be foreseen */
		quotient = (uint32_t)(x * symbol->reciprocal >> (32 + log));
		states[i % N_STATES] = (quotient << log) + x -
				       quotient * symbol->frequency +
				       symbol->start;
	}
	return at;
}

/* ---- Bits -----------------------------------------------------------------
 */

struct bits {
	uint8_t *at;
	uint64_t held;
	unsigned n_held;
};

INLINE void put_bits(struct bits *to, uint64_t value, unsigned n)
{
	to->held |= value << to->n_held;
	to->n_held += n;
	put_le64(to->at, to->held);
	to->at += to->n_held >> 3;
	to->held >>= to->n_held & 56;
	to->n_held &= 7;
}

INLINE unsigned rest_of(uint8_t symbol)
{
	unsigned half = symbol >> 1;

	return half < 4 ? 0 : half / 2 - 1;
}

INLINE uint64_t low_bits(uint32_t value, unsigned n)
{
	return value & ((UINT64_C(1) << n) - 1);
}

INLINE uint8_t *put_rests_body(const struct streams_input *input, uint8_t *at)
{
	struct bits to = {.at = at};
	size_t i;

	for (i = 0; i + 1 < input->n; i += 2) {
		unsigned a = rest_of(input->symbols[i]);
		unsigned b = rest_of(input->symbols[i + 1]);
		uint64_t first = low_bits(input->magnitudes[i], a);
		uint64_t second = low_bits(input->magnitudes[i + 1], b);

		if (a + b <= ROOM_FOR_BITS) {
			put_bits(&to, first | second << a, a + b);
		} else {
			put_bits(&to, first, a);
			put_bits(&to, second, b);
		}
	}
	if (i < input->n) {
		unsigned a = rest_of(input->symbols[i]);

		put_bits(&to, low_bits(input->magnitudes[i], a), a);
	}
	return to.at + (to.n_held ? 1 : 0);
}

/* ---- Kinds of processors --------------------------------------------------
 */

#define KINDS(suffix, target)                                                  \
	target static uint8_t *put_states_##suffix(                            \
		const struct streams_input *input, uint32_t *states,           \
		uint8_t *at)                                                   \
	{                                                                      \
		return put_states_body(input, states, at);                     \
	}                                                                      \
	target static uint8_t *put_rests_##suffix(                             \
		const struct streams_input *input, uint8_t *at)                \
	{                                                                      \
		return put_rests_body(input, at);                              \
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

enum wh_status streams_encode(const struct streams_input *input,
			      uint8_t *scratch, struct wh_buf *out,
			      struct wh_error *err)
{
	uint8_t *end = scratch + streams_scratch(input->n), *words, *head, *at;
	uint32_t states[N_STATES];
	size_t i;

	for (i = 0; i < N_STATES; i++)
		states[i] = FIRST_STATE;
	words = FASTEST(put_states)(input, states, end);
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
	at = FASTEST(put_rests)(input, at + (end - words));
	out->size = (size_t)(at - out->data);
	return WH_OK;
}
