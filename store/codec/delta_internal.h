/* codec/delta_internal.h: what delta's encoder and decoder share. */
#ifndef WH_CODEC_DELTA_INTERNAL_H
#define WH_CODEC_DELTA_INTERNAL_H

#include "codec/ans.h"
#include "codec/delta.h"

#define HEAD_SIZE      3u
#define LANE_HEAD_SIZE 7u
#define MAX_LANES      4u
#define ONE_LANE_BELOW                                                         \
	4096u /* elements: below it lanes cost more than gain                  \
	       */

#define HAS_CONTEXT 4u
#define FOUR_LANES  8u

/* Which models there are, and the class that each is for. */
struct delta_models {
	uint8_t model_of[N_CLASSES];
	unsigned n, log;
};

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
	struct ans_encoder *encoders; /* N_CLASSES, when encoding began */
	struct delta_cell *cells;     /* models << log */
	size_t n_cells;
	/* Of the chunk that is being coded: an element each. */
	uint8_t *symbols, *classes;
	void *magnitudes; /* 32-bit ones, or 64-bit of 8-byte elements */
	size_t room, magnitudes_room; /* elements; bytes */
	uint8_t *lanes;		      /* scratch for the bits */
	size_t lanes_room;
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

#endif
