/* codec/delta.h: a chunk as its difference from the same chunk of a base.
 *
 * Per element: d = value - base, as ordered integers (element.h). How far the
 * base itself moved, from *its* base (the context), says how far this one may
 * have: elements are coded by class (see there), each with its own statistics.
 * What is coded with them is d's sign against that move's, its length in bits
 * and the bit below the highest; the bits below those are noise, and stored
 * as they are.
 *
 *	offset	size
 *	0	1	width: 0..3 for 1, 2, 4, 8 bytes | context used << 2 |
 *			four lanes << 3 (else one) | streams << 4
 *	1	1	mantissa bits, 0 for integers
 *	2	1	log2 of the tables' size
 *	3	...	bits: for each class, in order, 1 if a new model begins
 *			with it (the first always does); then the models
 *	...		where there are streams, as streams.h says; else:
 *	...	7 x lanes  bytes of the lane (4), first state (2), first bit (1)
 *	...		the lanes' bits, each read from its start
 *
 * Lanes are runs of the chunk's elements, of equal length but the last: four
 * chains of decoding that don't wait for each other. Chunks of many elements of
 * up to 4 bytes have streams, and a codec's number of their own.
 */
#ifndef WH_CODEC_DELTA_H
#define WH_CODEC_DELTA_H

#include "base/buf.h"
#include "base/error.h"
#include "codec/element.h"

/** What decoding refers to: the same chunk of the base, and of the base's own
 *  base or NULL. Both are as long as the chunk. */
struct delta_reference {
	const uint8_t *base, *context;
};

struct delta_coder; /* tables and scratch; for one thread */

enum wh_status delta_coder_new(struct delta_coder **coder,
			       struct wh_error *err);
void delta_coder_free(struct delta_coder *coder);

/** What an encoder made: too much, or one of two kinds of a chunk. */
enum delta_result { DELTA_TOO_LONG, DELTA_LANES, DELTA_STREAMS };

/** Appends to `out`, which stays as it is where the result would be over
 *  `limit` bytes. `len` is a multiple of the element's width. */
enum wh_status delta_encode(struct delta_coder *coder,
			    struct codec_element element,
			    const struct delta_reference *reference,
			    const uint8_t *bytes, size_t len, size_t limit,
			    struct wh_buf *out, enum delta_result *result,
			    struct wh_error *err);

/** Whether decoding reads the context. */
bool delta_needs_context(const uint8_t *coded, size_t size);

/** `out` may be the context's memory. `streams`: which of the two kinds it
 *  should be. WH_ECORRUPT, also where a
 *  context is needed and there is none. */
enum wh_status delta_decode(struct delta_coder *coder,
			    const struct delta_reference *reference,
			    bool streams, const uint8_t *coded, size_t size,
			    uint8_t *out, size_t len, struct wh_error *err);

/** Whether a chunk of streams decodes to `bytes`; WH_ECORRUPT if not. */
enum wh_status delta_prove(struct delta_coder *coder,
			   const struct delta_reference *reference,
			   const uint8_t *coded, size_t size,
			   const uint8_t *bytes, size_t len,
			   struct wh_error *err);

#endif
