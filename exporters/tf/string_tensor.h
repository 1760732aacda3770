/* tf/string_tensor.h: string tensors as a data file has them.
 *
 *	varint64 length x n | masked CRC of the lengths | bytes
 *
 * The CRC runs over each length as uint32 (uint64 above 2^32 - 1), then, for
 * the entry's, over the four bytes of the masked one and over the strings
 * (tensor_bundle.cc, WriteStringTensor). Inside weighhouse a payload is uint64
 * lengths, then the bytes.
 */
#ifndef WH_TF_STRING_TENSOR_H
#define WH_TF_STRING_TENSOR_H

#include "base/buf.h"
#include <weighhouse/source.h>

/** Of a payload: what stands before the strings' bytes in the file, and the
 *  entry's CRC (not masked). The tensor must have its crc32c. Reads only the
 *  lengths. */
enum wh_status strings_plan(struct wh_source *source, uint32_t tensor,
			    struct wh_buf *head, uint32_t *crc,
			    struct wh_error *err);

/** One string, all in memory: `out` receives what the file has. */
enum wh_status strings_pack_one(const void *bytes, size_t len,
				struct wh_buf *out, uint32_t *crc,
				struct wh_error *err);

/** Reads the head of `n` strings from the first bytes of a tensor of `size`
 *  bytes: their lengths as a payload has them, and how long the head is.
 *  `*crc` is the CRC up to the strings' bytes. WH_ECORRUPT. */
enum wh_status strings_read_head(const char *key, const uint8_t *bytes,
				 size_t len, uint64_t size, uint64_t n,
				 uint64_t *lengths, size_t *head_size,
				 uint32_t *crc, struct wh_error *err);

#endif
