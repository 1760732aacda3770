/* base/sha256_lanes.h: SHA-256 of many messages at once, each in a lane of a
 * vector.
 *
 * Each round of a message waits for the one before, so one message leaves most
 * of the processor idle. Where it has no instructions for SHA-256, eight at once
 * go at twice the rate of one, sixteen at almost five times.
 */
#ifndef WH_BASE_SHA256_LANES_H
#define WH_BASE_SHA256_LANES_H

#include <stddef.h>
#include <stdint.h>

#include "base/sha256.h"

#define SHA256_LANES 16 /* at most */
#define SHA256_BLOCK 64 /* bytes that it takes at a time */

/** What is to be known of each lane's message so far: its eight words. */
struct sha256_lanes {
	uint32_t words[8][SHA256_LANES];
};

/** How many messages to take at once: 16 by AVX-512, 8 by AVX2; 0 where one
 *  after the other is better: the processor hashes by itself, or has neither. */
unsigned sha256_lanes_width(void);

/** For tests: so many at once from now on, 8 or 16, or 0 for none, as far as
 *  the processor can; -1 is what it does by itself. */
void sha256_lanes_force(int width);

/** Begins a message in each lane. */
void sha256_lanes_begin(struct sha256_lanes *lanes);

/** Takes in so many blocks of each of `width` messages; those of different
 *  lanes may differ. */
void sha256_lanes_add(struct sha256_lanes *lanes, unsigned width,
		      const uint8_t *const bytes[], const size_t n_blocks[]);

/** Ends all `width` messages: `sizes` are their bytes in all, `rests` what
 *  follows the blocks that were added, which is less than a block. */
void sha256_lanes_end(struct sha256_lanes *lanes, unsigned width,
		      const uint8_t *const rests[], const uint64_t sizes[],
		      uint8_t digests[][SHA256_SIZE]);

#endif
