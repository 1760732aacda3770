#include "tf/wire.h"

#include "base/checked.h"

size_t varint_put(uint8_t *out, uint64_t value)
{
	size_t n = 0;

	for (; value >= 0x80; value >>= 7)
		out[n++] = (uint8_t)(value | 0x80);
	out[n++] = (uint8_t)value;
	return n;
}

size_t varint_size(uint64_t value)
{
	size_t n = 1;

	for (; value >= 0x80; value >>= 7)
		n++;
	return n;
}

enum wh_status varint_append(struct wh_buf *out, uint64_t value,
			     struct wh_error *err)
{
	uint8_t bytes[VARINT_MAX];

	return wh_buf_append(out, bytes, varint_put(bytes, value), err);
}

bool cursor_varint(struct cursor *cursor, uint64_t *value)
{
	const uint8_t *at = cursor->at;
	uint64_t sum = 0;
	unsigned shift;

	for (shift = 0; shift < 64 && at < cursor->end; shift += 7) {
		uint64_t group = *at & 0x7f;

		/* The tenth byte has room for one bit. */
		if (shift == 63 && *at > 1)
			return false;
		sum |= group << shift;
		if (!(*at++ & 0x80)) {
			cursor->at = at;
			*value = sum;
			return true;
		}
	}
	return false;
}

bool cursor_varint32(struct cursor *cursor, uint32_t *value)
{
	struct cursor before = *cursor;
	uint64_t wide;

	if (!cursor_varint(cursor, &wide) || wide > UINT32_MAX) {
		*cursor = before;
		return false;
	}
	*value = (uint32_t)wide;
	return true;
}

bool cursor_bytes(struct cursor *cursor, size_t len, const uint8_t **bytes)
{
	if (len > cursor_left(cursor))
		return false;
	*bytes = cursor->at;
	cursor->at += len;
	return true;
}

bool cursor_tag(struct cursor *cursor, uint32_t *field, uint32_t *type)
{
	uint32_t tag;

	if (!cursor_varint32(cursor, &tag) || tag < 8)
		return false;
	*field = tag >> 3;
	*type = tag & 7;
	return true;
}

bool cursor_message(struct cursor *cursor, struct cursor *inner)
{
	const uint8_t *bytes;
	uint64_t len;

	if (!cursor_varint(cursor, &len) || len > cursor_left(cursor) ||
	    !cursor_bytes(cursor, (size_t)len, &bytes))
		return false;
	inner->at = bytes;
	inner->end = bytes + len;
	return true;
}

bool cursor_skip(struct cursor *cursor, uint32_t type)
{
	struct cursor inner;
	const uint8_t *bytes;
	uint64_t value;

	switch (type) {
	case 0:
		return cursor_varint(cursor, &value);
	case 1:
		return cursor_bytes(cursor, 8, &bytes);
	case 2:
		return cursor_message(cursor, &inner);
	case 5:
		return cursor_bytes(cursor, 4, &bytes);
	default:
		return false;
	}
}

bool cursor_field(struct cursor *cursor, struct wire_field *field)
{
	uint32_t number, type;

	if (!cursor_tag(cursor, &number, &type))
		return false;
	field->tag = TAG(number, type);
	if (type == WIRE_VARINT)
		return cursor_varint(cursor, &field->value);
	if (type == WIRE_BYTES)
		return cursor_message(cursor, &field->bytes);
	return cursor_skip(cursor, type);
}
