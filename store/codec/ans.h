/* codec/ans.h: models of symbols, and tabled asymmetric numeral systems (tANS).
 *
 * J. Duda, "Asymmetric numeral systems" (2013), in the tabled form that Y.
 * Collet's FSE made known. A symbol costs what it should to a fraction of a
 * bit, where Huffman codes need whole ones. Every context (classes that share a
 * model) has a table of its own; all tables of a chunk have one size, so a
 * state can pass from one to the next and each element be coded by the context
 * that belongs to it. Lanes (delta.h) are coded by these tables; streams
 * (streams.h) by the same models, without them.
 */
#ifndef WH_CODEC_ANS_H
#define WH_CODEC_ANS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "codec/bits.h"

#define ANS_SYMBOLS  256u
#define ANS_LOG_MAX  10u
#define ANS_SIZE_MAX (1u << ANS_LOG_MAX)

/** How often each symbol of one context is expected, of 2^log elements. */
struct ans_model {
	uint16_t frequency[ANS_SYMBOLS];
};

/** Frequencies from counts, which must not all be 0; a symbol that occurs
 *  gets 1 at least. */
void ans_model_make(struct ans_model *model, const uint32_t *counts,
		    unsigned log);

void ans_model_write(struct bit_writer *to, const struct ans_model *model);
/** False unless the frequencies sum up to 2^log. */
bool ans_model_read(struct bit_reader *from, struct ans_model *model,
		    unsigned log);

/** What decoding one state gives. */
struct ans_cell {
	uint16_t next; /* the new state, before its low bits are added */
	uint8_t bits;  /* how many those are */
	uint8_t symbol;
};

/** Fills 2^log cells. */
void ans_decoder_make(struct ans_cell *cells, const struct ans_model *model,
		      unsigned log);

struct ans_step {
	int32_t find;  /* added to the shifted state: place in `states` */
	uint32_t bits; /* added to the state: bits to give out, << 16 */
};

/** One context's encoder; states run from 2^log to 2^(log + 1) - 1. */
struct ans_encoder {
	struct ans_step steps[ANS_SYMBOLS];
	uint16_t states[ANS_SIZE_MAX];
};

void ans_encoder_make(struct ans_encoder *encoder,
		      const struct ans_model *model, unsigned log);

#endif
