/* codec/interleave.h: elements into planes of bytes and back.
 *
 * Each element, little-endian, is turned left by one bit on its way into the
 * planes: plane k takes byte k of every element.
 */
#ifndef WH_CODEC_INTERLEAVE_H
#define WH_CODEC_INTERLEAVE_H

#include <stddef.h>
#include <stdint.h>

#define MAX_PLANES 8u /* bytes of an element: 1, 2, 4 or 8 */

/** `n` elements into as many planes as they have bytes, one behind the other.
 */
void interleave_split(unsigned width, const uint8_t *bytes, size_t n,
		      uint8_t *planes);

/** The planes lie anywhere but in `bytes`. */
void interleave_join(unsigned width, const uint8_t *const *planes, size_t n,
		     uint8_t *bytes);

#endif
