/* codec/streams_encode.h: the writer of what streams.h says. */
#ifndef WH_CODEC_STREAMS_ENCODE_H
#define WH_CODEC_STREAMS_ENCODE_H

#include "base/buf.h"
#include "base/endian.h"
#include "base/error.h"
#include "codec/ans.h"
#include "codec/streams.h"

/** How a symbol moves a state. A state x is divided by the symbol's frequency f
 *  by a product, (x + up) * reciprocal >> (32 + shift), which is exact for all
 *  states that occur: those below f * 2^(32 - log). */
struct streams_symbol {
	uint32_t reciprocal;
	/* What follows, for a vector's lookup: `rest` from the lowest bit on,
	 * then `shift`, `up` and `start`. */
	uint32_t fields;
	uint16_t frequency, rest; /* f; 2^log - f */
	uint16_t start;		  /* frequencies of the symbols before it */
	uint8_t shift, up;
};

#define SYMBOL_REST  0x3ffu
#define SYMBOL_SHIFT 10u
#define SYMBOL_UP    14u
#define SYMBOL_START 15u

static inline uint32_t streams_divide(const struct streams_symbol *symbol,
				      uint32_t x)
{
	return (uint32_t)((uint64_t)(x + symbol->up) * symbol->reciprocal >>
			  32 >> symbol->shift);
}

/** Of one model: STREAMS_SYMBOLS of them. */
void streams_symbols_make(struct streams_symbol *symbols,
			  const struct ans_model *model, unsigned log);

/** A chunk's elements; by class (CLASS_DOWN or not), where its model's symbols
 *  begin among all. */
struct streams_input {
	const uint8_t *symbols, *classes;
	const uint32_t *magnitudes;
	size_t n;
	const struct streams_symbol *movers;
	uint32_t rows[256];
	unsigned log;
};

/** Bytes of scratch memory that coding takes. */
size_t streams_scratch(size_t n);

/** Appends the body to `out`. */
enum wh_status streams_encode(const struct streams_input *input,
			      uint8_t *scratch, struct wh_buf *out,
			      struct wh_error *err);

/** Bits on their way out, the lowest first: up to 7 are held. */
struct streams_bits {
	uint8_t *at;
	uint64_t held;
	unsigned n_held;
};

/** Bits that can be put at once beside those that are held. */
#define STREAMS_BITS_ROOM 56u

static inline __attribute__((always_inline)) void
streams_put_bits(struct streams_bits *to, uint64_t value, unsigned n)
{
	to->held |= value << to->n_held;
	to->n_held += n;
	put_le64(to->at, to->held);
	to->at += to->n_held >> 3;
	to->held >>= to->n_held & 56;
	to->n_held &= 7;
}

#if defined(__x86_64__)
/** Of elements of up to 4 bytes, how far each went from its base, that move's
 *  symbol (delta.h) and the class: of the first ones, as many as are whole
 *  vectors, which is given back. */
size_t streams_measure_avx512(const struct element_run *run,
			      struct codec_element element,
			      uint32_t *magnitudes, uint8_t *symbols,
			      uint8_t *classes);

/** The words of the first `n` elements, a multiple of N_STATES, from the last
 *  to the first: down from `at`, whose new place is given back. */
uint8_t *streams_words_avx512(const struct streams_input *input, size_t n,
			      uint32_t *states, uint8_t *at);

/** The bits of the first elements, as many as are whole vectors, which is given
 *  back. */
size_t streams_bits_avx512(const struct streams_input *input,
			   struct streams_bits *to);
#endif

#endif
