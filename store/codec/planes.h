/* codec/planes.h: floats by byte planes.
 *
 * Each element is turned left by one bit, so that the exponent fills its
 * highest byte, and the sign lies lowest; then plane k takes byte k of every
 * element. The exponent's plane takes a few bits an element; of a lone
 * checkpoint the others are mostly noise.
 *
 *	offset	size
 *	0	1	width: 1, 2, 4 or 8
 *	1	5 x width  of each plane, lowest first: how (1), bytes (4)
 *	...		the planes
 *
 * how: 0 as they are, 1 a Zstandard frame, 2 one byte for all.
 */
#ifndef WH_CODEC_PLANES_H
#define WH_CODEC_PLANES_H

#include "codec/element.h"
#include "codec/zstd_frame.h"

/** Appends to `out`. `len` is a multiple of the width. `scratch` has room for
 *  `len` bytes. `dense`: tries every plane, whatever its sample says. */
enum wh_status planes_encode(struct zstd_coder *zstd, unsigned width,
			     const uint8_t *bytes, size_t len, uint8_t *scratch,
			     bool dense, struct wh_buf *out,
			     struct wh_error *err);

/** WH_ECORRUPT. `scratch` has room for `len` bytes. */
enum wh_status planes_decode(struct zstd_coder *zstd, const uint8_t *coded,
			     size_t size, uint8_t *scratch, uint8_t *out,
			     size_t len, struct wh_error *err);

/** Bits a byte, by the histogram of four pieces of `len` bytes; 0 to 8. */
double sampled_entropy(const uint8_t *bytes, size_t len);

#endif
