/* core/scale.h: the digests of one tensor at a time, as its bytes pass by. */
#ifndef WH_CORE_SCALE_H
#define WH_CORE_SCALE_H

#include <stdbool.h>

#include "base/error.h"
#include <weighhouse/tensor.h>

#define SCALE_CHUNK ((size_t)1 << 20) /* bytes that it takes at a time */

struct scale; /* for one thread, and reused */

enum wh_status scale_new(struct scale **scale, struct wh_error *err);
void scale_free(struct scale *scale);

/** Begins a tensor: of `needs` (enum wh_weighed) it will get what it lacks. */
enum wh_status scale_begin(struct scale *scale, struct wh_tensor *tensor,
			   unsigned needs, struct wh_error *err);

/** The next SCALE_CHUNK bytes of the payload, aligned for any dtype; the last
 *  may be fewer. */
enum wh_status scale_add(struct scale *scale, const uint8_t *bytes, size_t len,
			 struct wh_error *err);

/** As scale_add, a chunk in pieces of whole elements; the last one ends it. */
enum wh_status scale_add_piece(struct scale *scale, const uint8_t *piece,
			       size_t len, bool ends, struct wh_error *err);

/** CRC-32C of the chunk that was added last, if that was asked for. */
uint32_t scale_chunk_crc32c(const struct scale *scale);

/** After the last byte: fills the tensor's fields, and says so in `weighed`.
 *  WH_ECORRUPT if its file claims another CRC-32C; WH_EMISMATCH if it had
 *  another one when it was weighed before. */
enum wh_status scale_finish(struct scale *scale, struct wh_error *err);

#endif
