/* codec/streams.h: the body of a difference that many states code at once.
 *
 * The elements' symbols are coded by range ANS (J. Duda, "Asymmetric numeral
 * systems", 2013): element i by state i mod 64, so that a processor with
 * vectors takes 8 or 16 elements in one step, and none waits for another. All
 * states share one run of 16-bit words: in the elements' order, each whose
 * state has fallen below 2^16 takes the next. What stands below a symbol's two
 * highest bits lies in a run of bits of its own.
 *
 *	offset	size
 *	0	4 x 64	the states, of which element i has number i mod 64
 *	256	4	bytes of the words
 *	260	...	the words
 *	...	...	the bits, lowest first; zeros to the last byte's end
 *
 * At the end every state must be FIRST_STATE and all words and bits be used.
 */
#ifndef WH_CODEC_STREAMS_H
#define WH_CODEC_STREAMS_H

#include <stdbool.h>

#include "codec/ans.h"
#include "codec/element.h"

#define N_STATES	  64u
#define FIRST_STATE	  (UINT32_C(1) << 16)
#define STREAMS_HEAD_SIZE (4u * N_STATES + 4u)
#define STREAMS_SYMBOLS	  128u /* of elements of up to 4 bytes */

/* What a state's low bits stand for: the symbol's frequency (12 bits, from the
 * lowest), the place among its own (12), how many bits of the magnitude follow
 * (5), the ones above those (2), and whether the element turned. */
#define CELL_PLACE 12u
#define CELL_REST  24u
#define CELL_TOP   29u
#define CELL_SIGN  31u
#define CELL_FIELD 0xfffu
#define CELL_RESTS 31u

/** A chunk that is being decoded, and how far it is. */
struct streams {
	uint32_t states[N_STATES];
	const uint32_t *cells; /* models << log */
	uint32_t rows[256]; /* by class, CLASS_DOWN or not: its model's cells */
	unsigned log;
	struct codec_element element;
	const uint8_t *words, *words_end;
	const uint8_t *bits, *bits_end;
	uint64_t bit; /* from `bits` on */
	bool short_;  /* more was wanted than there is */
};

#define STREAMS_SLACK 8u

/** Fills 2^log cells, `log` being what the model was read with, and behind them
 *  up to STREAMS_SLACK with what means nothing. False where it has symbols that
 *  elements of up to 4 bytes don't have. */
bool streams_cells(uint32_t *cells, const struct ans_model *model);

/** False where the body is too short for its head. */
bool streams_open(struct streams *streams, const uint8_t *body, size_t size);

/** All `n` elements of a chunk. `context` may be NULL. */
void streams_decode(struct streams *streams, const uint8_t *base,
		    const uint8_t *context, uint8_t *out, size_t n);

/** Whether everything was used, and no more. */
bool streams_close(const struct streams *streams);

/** Decodes as much as vectors can, from the start on: a multiple of N_STATES
 *  elements, which it gives back. */
typedef size_t streams_kernel(struct streams *streams, const uint8_t *base,
			      const uint8_t *context, uint8_t *out, size_t n);

#if defined(__x86_64__)
streams_kernel streams_decode_avx2, streams_decode_avx512, streams_decode_vbmi2;
#endif

#endif
