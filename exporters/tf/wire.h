/* tf/wire.h: varints, masked CRCs, cursors over bytes of a file. */
#ifndef WH_TF_WIRE_H
#define WH_TF_WIRE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"

#define VARINT_MAX 10 /* bytes of a 64-bit varint */

/* A protobuf field's number and wire type, as they are stored. */
#define WIRE_VARINT	 0
#define WIRE_BYTES	 2
#define WIRE_FIXED32	 5
#define TAG(field, type) ((uint32_t)(field) << 3 | (uint32_t)(type))

/** What is stored instead of a CRC-32C: rotated by 15, plus a constant
 *  (tsl/lib/hash/crc32c.h: a CRC over bytes that hold CRCs is weak). */
static inline uint32_t crc_mask(uint32_t crc)
{
	return (crc >> 15 | crc << 17) + 0xa282ead8u;
}

static inline uint32_t crc_unmask(uint32_t masked)
{
	uint32_t rotated = masked - 0xa282ead8u;

	return rotated >> 17 | rotated << 15;
}

/** Base-128, low groups first; the number of bytes written. */
size_t varint_put(uint8_t *out, uint64_t value);
size_t varint_size(uint64_t value);
enum wh_status varint_append(struct wh_buf *out, uint64_t value,
			     struct wh_error *err);

/** What is left to read of a run of bytes. */
struct cursor {
	const uint8_t *at, *end;
};

static inline size_t cursor_left(const struct cursor *cursor)
{
	return (size_t)(cursor->end - cursor->at);
}

/** False, and nothing taken, where the bytes end or the varint is too long. */
bool cursor_varint(struct cursor *cursor, uint64_t *value);
bool cursor_varint32(struct cursor *cursor, uint32_t *value);
bool cursor_bytes(struct cursor *cursor, size_t len, const uint8_t **bytes);

/** A protobuf field's number and wire type. */
bool cursor_tag(struct cursor *cursor, uint32_t *field, uint32_t *type);
/** A length-delimited field's bytes. */
bool cursor_message(struct cursor *cursor, struct cursor *inner);
/** Past a field that isn't known. */
bool cursor_skip(struct cursor *cursor, uint32_t type);

/** A field of a message: a varint's value, or the bytes of a message or text.
 *  Of other types there is the tag alone. */
struct wire_field {
	uint32_t tag; /* TAG(number, type) */
	uint64_t value;
	struct cursor bytes;
};

/** The next field; false at the end, and where it can't be read. */
bool cursor_field(struct cursor *cursor, struct wire_field *field);

#endif
