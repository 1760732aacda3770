/* codec/delta_internal.h: what delta's encoder and decoder share. */
#ifndef WH_CODEC_DELTA_INTERNAL_H
#define WH_CODEC_DELTA_INTERNAL_H

#include "codec/ans.h"
#include "codec/delta.h"
#include "codec/streams.h"

#define HEAD_SIZE      3u
#define LANE_HEAD_SIZE 7u
#define MAX_LANES      4u
#define ONE_LANE_BELOW                                                         \
	4096u /* elements: below it lanes cost more than gain                  \
	       */

#define HAS_CONTEXT 4u
#define FOUR_LANES  8u
#define STREAMS	    16u /* instead of lanes */
#define STREAMS_FROM                                                           \
	16384u /* elements: below it 64 states cost more than gain             \
		*/

/* Which models there are, and the class that each is for. */
struct delta_models {
	uint8_t model_of[N_CLASSES];
	unsigned n, log;
};

struct delta_head {
	struct codec_element element;
	unsigned n_lanes; /* N_STATES: streams */
	struct delta_models models;
};

/* The model of a class, as a byte of classes has it: with CLASS_DOWN or not. */
static inline unsigned delta_model_of(const struct delta_models *models,
				      unsigned class_)
{
	class_ &= CLASS_MASK;
	return models->model_of[class_ < N_CLASSES ? class_ : 0];
}

/* All that a state means, in one line of the cache. */
struct delta_cell {
	uint16_t next; /* the new state, but for its low bits */
	uint16_t mask; /* of those */
	uint8_t bits;  /* how many they are */
	uint8_t total; /* with those of the magnitude that follow */
	uint8_t top;   /* the magnitude's bits above those */
	uint8_t rest;  /* how many they are; CELL_TURNED */
};
#define CELL_TURNED 0x80u /* moved the other way than the base did */

struct delta_coder {
	struct ans_model models[N_CLASSES];
	/* Of N_CLASSES models each, once lanes or streams are written. */
	struct ans_encoder *encoders;
	struct streams_symbol *movers; /* STREAMS_SYMBOLS a model */
	void *cells;		       /* models << log */
	size_t cells_room;	       /* bytes */
	/* Of the chunk that is being coded: an element each. */
	uint8_t *symbols, *classes;
	void *magnitudes; /* 32-bit ones, or 64-bit of 8-byte elements */
	uint8_t *lanes;	  /* scratch for the bits */
	void *scratch;	  /* that they all lie in */
	size_t room;	  /* bytes of it */
	uint32_t counts[N_CLASSES][ANS_SYMBOLS];
	uint8_t used[N_CLASSES]; /* rows of `counts` that may not be zero */
};

/* A magnitude of n > 1 bits: its class of length and second-highest bit, and
 * how many bits are left below. */
static inline unsigned symbol_bits(unsigned half)
{
	return half < 4 ? 0 : half / 2 - 1;
}

/* The bits above those: of a magnitude under 4 all. */
static inline unsigned symbol_top(unsigned half)
{
	return half < 4 ? half : 2 + (half & 1);
}

/* Elements of each lane but the last. */
static inline size_t lane_length(size_t n, unsigned n_lanes)
{
	return (n + n_lanes - 1) / n_lanes;
}

/** Fills 2^log cells. A chunk may be damaged: of narrow elements no more bits
 *  follow than a load gives. */
void delta_lanes_cells(struct delta_cell *cells, const struct ans_model *model,
		       unsigned log, bool wide);

/** False where the body is damaged. */
bool delta_lanes_decode(const struct delta_head *head,
			const struct delta_cell *cells,
			const struct delta_reference *reference,
			const uint8_t *body, size_t size, uint8_t *out,
			size_t n);

/** Bytes of scratch memory that coding in lanes takes. */
size_t delta_lanes_room(size_t n, unsigned n_lanes, unsigned width);

/** Appends the lanes' heads and bits. */
enum wh_status delta_lanes_encode(struct delta_coder *coder,
				  const struct delta_models *models, size_t n,
				  unsigned n_lanes, unsigned width,
				  struct wh_buf *out, struct wh_error *err);

#endif
