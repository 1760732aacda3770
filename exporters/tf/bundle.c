#include "tf/bundle.h"

#include <inttypes.h>
#include <string.h>

#include "base/checked.h"
#include "base/endian.h"
#include "tf/wire.h"

#define CONSUMER 1 /* the version of the format that is read here */

/* Fields: tensor_bundle.proto, versions.proto, tensor_shape.proto,
 * tensor_slice.proto. */
enum { HEADER_SHARDS = 1, HEADER_ENDIANNESS = 2, HEADER_VERSION = 3 };
enum { VERSION_PRODUCER = 1, VERSION_MIN_CONSUMER = 2, VERSION_BAD = 3 };
enum {
	ENTRY_DTYPE = 1,
	ENTRY_SHAPE = 2,
	ENTRY_SHARD = 3,
	ENTRY_OFFSET = 4,
	ENTRY_SIZE = 5,
	ENTRY_CRC32C = 6,
	ENTRY_SLICES = 7
};
enum { SHAPE_DIM = 2, SHAPE_UNKNOWN_RANK = 3, DIM_SIZE = 1 };
enum { SLICE_EXTENT = 1, EXTENT_START = 1, EXTENT_LENGTH = 2 };

/* ---- Header ----------------------------------------------------------------
 */

struct version {
	int32_t producer, min_consumer;
	bool is_bad; /* our consumer version is listed as such */
};

static bool read_bad_consumers(struct cursor *cursor, uint32_t type,
			       struct version *version)
{
	struct cursor list = *cursor;
	uint64_t value;

	if (type == WIRE_BYTES && !cursor_message(cursor, &list))
		return false;
	if (type != WIRE_BYTES && type != WIRE_VARINT)
		return false;
	do {
		if (!cursor_varint(&list, &value))
			return type == WIRE_BYTES && cursor_left(&list) == 0;
		version->is_bad |= value == CONSUMER;
	} while (type == WIRE_BYTES && cursor_left(&list));
	if (type == WIRE_VARINT)
		*cursor = list;
	return true;
}

static bool read_version(struct cursor cursor, struct version *version)
{
	uint32_t field, type;
	uint64_t value;

	while (cursor_left(&cursor)) {
		if (!cursor_tag(&cursor, &field, &type))
			return false;
		if (field == VERSION_BAD) {
			if (!read_bad_consumers(&cursor, type, version))
				return false;
		} else if (type == WIRE_VARINT && field <= 2) {
			if (!cursor_varint(&cursor, &value))
				return false;
			if (field == VERSION_PRODUCER)
				version->producer = (int32_t)value;
			else
				version->min_consumer = (int32_t)value;
		} else if (!cursor_skip(&cursor, type)) {
			return false;
		}
	}
	return true;
}

static bool read_header_fields(struct cursor cursor,
			       struct bundle_header *header,
			       struct version *version)
{
	uint32_t field, type;
	struct cursor inner;
	uint64_t value;

	while (cursor_left(&cursor)) {
		if (!cursor_tag(&cursor, &field, &type))
			return false;
		if (field == HEADER_VERSION && type == WIRE_BYTES) {
			if (!cursor_message(&cursor, &inner) ||
			    !read_version(inner, version))
				return false;
		} else if (type == WIRE_VARINT && field <= HEADER_ENDIANNESS) {
			if (!cursor_varint(&cursor, &value))
				return false;
			if (field == HEADER_SHARDS)
				header->n_shards = value > MAX_SHARDS
							   ? UINT32_MAX
							   : (uint32_t)value;
			else
				header->big_endian = value == 1;
		} else if (!cursor_skip(&cursor, type)) {
			return false;
		}
	}
	return true;
}

static enum wh_status check_version(const struct version *version,
				    struct wh_error *err)
{
	if (version->producer < 0)
		return wh_fail(err, WH_ECORRUPT,
			       "checkpoint producer version %" PRId32
			       " is below 0",
			       version->producer);
	if (version->min_consumer > CONSUMER)
		return wh_fail(err, WH_EUNSUPPORTED,
			       "checkpoint min consumer version %" PRId32
			       " is above %d: it was written by a newer "
			       "TensorFlow",
			       version->min_consumer, CONSUMER);
	if (version->is_bad)
		return wh_fail(err, WH_EUNSUPPORTED,
			       "the checkpoint disallows consumer version %d",
			       CONSUMER);
	return WH_OK;
}

enum wh_status bundle_check_version(struct cursor message, struct wh_error *err)
{
	struct version version = {0};

	if (!read_version(message, &version))
		return wh_fail(err, WH_ECORRUPT,
			       "the checkpoint's version can't be read");
	return check_version(&version, err);
}

enum wh_status bundle_read_header(const uint8_t *bytes, size_t len,
				  struct bundle_header *header,
				  struct wh_error *err)
{
	struct version version = {0};

	memset(header, 0, sizeof(*header));
	if (!read_header_fields((struct cursor){bytes, bytes + len}, header,
				&version))
		return wh_fail(err, WH_ECORRUPT,
			       "the index's header can't be read");
	WH_TRY(check_version(&version, err));
	if (header->n_shards == 0 || header->n_shards > MAX_SHARDS)
		return wh_fail(err, WH_ECORRUPT,
			       "the index says that there are %" PRIu32
			       " shards",
			       header->n_shards);
	return WH_OK;
}

static enum wh_status put_varint_field(struct wh_buf *out, int field,
				       uint64_t value, struct wh_error *err)
{
	if (value == 0)
		return WH_OK; /* proto3 leaves zeros out */
	WH_TRY(varint_append(out, TAG(field, WIRE_VARINT), err));
	return varint_append(out, value, err);
}

static enum wh_status put_message(struct wh_buf *out, int field,
				  const struct wh_buf *message,
				  struct wh_error *err)
{
	WH_TRY(varint_append(out, TAG(field, WIRE_BYTES), err));
	WH_TRY(varint_append(out, message->size, err));
	return wh_buf_append(out, message->data, message->size, err);
}

enum wh_status bundle_write_header(struct wh_buf *out, uint32_t n_shards,
				   struct wh_error *err)
{
	/* version { producer: 1 } */
	static const uint8_t version[] = {TAG(HEADER_VERSION, WIRE_BYTES), 2,
					  TAG(VERSION_PRODUCER, WIRE_VARINT),
					  1};

	WH_TRY(put_varint_field(out, HEADER_SHARDS, n_shards, err));
	return wh_buf_append(out, version, sizeof(version), err);
}

/* ---- Entries
 * ------------------------------------------------------------------ */

static bool read_dim(struct cursor cursor, uint64_t *size)
{
	uint32_t field, type;

	*size = 0;
	while (cursor_left(&cursor)) {
		if (!cursor_tag(&cursor, &field, &type))
			return false;
		if (field == DIM_SIZE && type == WIRE_VARINT) {
			if (!cursor_varint(&cursor, size))
				return false;
		} else if (!cursor_skip(&cursor, type)) {
			return false;
		}
	}
	return *size <= INT64_MAX; /* negative sizes are 10-byte varints */
}

static uint32_t count_field(struct cursor cursor, uint32_t wanted)
{
	uint32_t field, type, n = 0;

	while (cursor_left(&cursor)) {
		if (!cursor_tag(&cursor, &field, &type) ||
		    !cursor_skip(&cursor, type))
			break;
		n += field == wanted && type == WIRE_BYTES;
	}
	return n;
}

bool bundle_read_shape(struct cursor cursor, struct arena *arena,
		       struct bundle_entry *entry)
{
	uint32_t field, type, n = count_field(cursor, SHAPE_DIM);
	struct cursor inner;
	uint64_t unknown, *shape;

	if (n > WH_MAX_RANK)
		return false;
	entry->shape = shape = arena_alloc(arena, n, sizeof(*shape));
	if (!shape)
		return false;
	entry->rank = 0;
	while (cursor_left(&cursor)) {
		if (!cursor_tag(&cursor, &field, &type))
			return false;
		if (field == SHAPE_DIM && type == WIRE_BYTES) {
			if (entry->rank == n ||
			    !cursor_message(&cursor, &inner) ||
			    !read_dim(inner, &shape[entry->rank++]))
				return false;
		} else if (field == SHAPE_UNKNOWN_RANK && type == WIRE_VARINT) {
			if (!cursor_varint(&cursor, &unknown) || unknown)
				return false;
		} else if (!cursor_skip(&cursor, type)) {
			return false;
		}
	}
	return true;
}

static bool read_slice_extent(struct cursor cursor, struct bundle_extent *out)
{
	uint32_t field, type;
	uint64_t value;

	out->start = 0;
	out->length = SLICE_WHOLE;
	while (cursor_left(&cursor)) {
		if (!cursor_tag(&cursor, &field, &type))
			return false;
		if (type != WIRE_VARINT || field > EXTENT_LENGTH) {
			if (!cursor_skip(&cursor, type))
				return false;
			continue;
		}
		if (!cursor_varint(&cursor, &value) || value > INT64_MAX)
			return false;
		if (field == EXTENT_START)
			out->start = (int64_t)value;
		else
			out->length = (int64_t)value;
	}
	return true;
}

bool bundle_read_slice(struct cursor cursor, struct arena *arena,
		       struct bundle_slice *slice)
{
	uint32_t field, type, n = count_field(cursor, SLICE_EXTENT);
	struct cursor inner;

	if (n > WH_MAX_RANK)
		return false;
	slice->extents = arena_alloc(arena, n, sizeof(*slice->extents));
	if (!slice->extents)
		return false;
	while (cursor_left(&cursor)) {
		if (!cursor_tag(&cursor, &field, &type))
			return false;
		if (field != SLICE_EXTENT || type != WIRE_BYTES) {
			if (!cursor_skip(&cursor, type))
				return false;
			continue;
		}
		if (slice->rank == n || !cursor_message(&cursor, &inner) ||
		    !read_slice_extent(inner, &slice->extents[slice->rank++]))
			return false;
	}
	return true;
}

static bool read_scalar(struct cursor *cursor, uint32_t field,
			struct bundle_entry *entry)
{
	uint64_t value;

	if (!cursor_varint(cursor, &value) || value > INT64_MAX)
		return false;
	switch (field) {
	case ENTRY_DTYPE:
		if (value > INT32_MAX)
			return false;
		entry->dtype = (enum wh_dtype)value;
		return true;
	case ENTRY_SHARD:
		if (value >= MAX_SHARDS)
			return false;
		entry->shard = (uint32_t)value;
		return true;
	case ENTRY_OFFSET:
		entry->offset = value;
		return true;
	case ENTRY_SIZE:
		entry->size = value;
		return true;
	default:
		return true;
	}
}

static bool read_part(struct cursor *cursor, uint32_t field, uint32_t type,
		      struct arena *arena, struct bundle_entry *entry)
{
	const uint8_t *fixed;
	struct cursor inner;

	if (type == WIRE_VARINT)
		return read_scalar(cursor, field, entry);
	if (field == ENTRY_CRC32C && type == WIRE_FIXED32) {
		if (!cursor_bytes(cursor, 4, &fixed))
			return false;
		entry->crc32c = get_le32(fixed);
		return true;
	}
	if (type != WIRE_BYTES ||
	    (field != ENTRY_SHAPE && field != ENTRY_SLICES))
		return cursor_skip(cursor, type);
	if (!cursor_message(cursor, &inner))
		return false;
	if (field == ENTRY_SHAPE)
		return bundle_read_shape(inner, arena, entry);
	return bundle_read_slice(inner, arena,
				 &entry->slices[entry->n_slices++]);
}

enum wh_status bundle_read_entry(const char *key, const uint8_t *bytes,
				 size_t len, struct arena *arena,
				 struct bundle_entry *entry,
				 struct wh_error *err)
{
	struct cursor cursor = {bytes, bytes + len};
	uint32_t field, type, n_slices = count_field(cursor, ENTRY_SLICES);

	memset(entry, 0, sizeof(*entry));
	if (n_slices > MAX_SLICES)
		return wh_fail(err, WH_ECORRUPT,
			       "tensor '%s' has more than %u slices", key,
			       MAX_SLICES);
	entry->slices = arena_alloc(arena, n_slices, sizeof(*entry->slices));
	if (!entry->slices)
		return wh_fail_memory(err);
	while (cursor_left(&cursor))
		if (!cursor_tag(&cursor, &field, &type) ||
		    !read_part(&cursor, field, type, arena, entry))
			return arena->failed
				       ? wh_fail_memory(err)
				       : wh_fail(err, WH_ECORRUPT,
						 "the entry of tensor '%s' "
						 "can't be read",
						 key);
	return WH_OK;
}

static enum wh_status put_shape(struct wh_buf *out,
				const struct bundle_entry *entry,
				struct wh_error *err)
{
	struct wh_buf shape = {0};
	uint8_t dim[1 + VARINT_MAX];
	enum wh_status status = WH_OK;
	uint32_t i;

	for (i = 0; i < entry->rank && !status; i++) {
		size_t n = 0;

		if (entry->shape[i]) {
			dim[n++] = TAG(DIM_SIZE, WIRE_VARINT);
			n += varint_put(dim + n, entry->shape[i]);
		}
		status = varint_append(&shape, TAG(SHAPE_DIM, WIRE_BYTES), err);
		if (!status)
			status = varint_append(&shape, n, err);
		if (!status)
			status = wh_buf_append(&shape, dim, n, err);
	}
	/* Present even for a scalar. */
	if (!status)
		status = put_message(out, ENTRY_SHAPE, &shape, err);
	wh_buf_free(&shape);
	return status;
}

/* Lengths are written even where they are those of the whole dimension. */
static enum wh_status put_slice(struct wh_buf *out,
				const struct bundle_slice *slice,
				struct wh_error *err)
{
	struct wh_buf message = {0};
	uint8_t extent[2 * (1 + VARINT_MAX)];
	enum wh_status status = WH_OK;
	uint32_t i;

	for (i = 0; i < slice->rank && !status; i++) {
		const struct bundle_extent *at = &slice->extents[i];
		size_t n = 0;

		if (at->start) {
			extent[n++] = TAG(EXTENT_START, WIRE_VARINT);
			n += varint_put(extent + n, (uint64_t)at->start);
		}
		if (at->length != SLICE_WHOLE) {
			extent[n++] = TAG(EXTENT_LENGTH, WIRE_VARINT);
			n += varint_put(extent + n, (uint64_t)at->length);
		}
		status = varint_append(&message, TAG(SLICE_EXTENT, WIRE_BYTES),
				       err);
		if (!status)
			status = varint_append(&message, n, err);
		if (!status)
			status = wh_buf_append(&message, extent, n, err);
	}
	if (!status)
		status = put_message(out, ENTRY_SLICES, &message, err);
	wh_buf_free(&message);
	return status;
}

enum wh_status bundle_write_entry(struct wh_buf *out,
				  const struct bundle_entry *entry,
				  struct wh_error *err)
{
	uint32_t i;
	uint8_t crc[5] = {TAG(ENTRY_CRC32C, WIRE_FIXED32)};

	WH_TRY(put_varint_field(out, ENTRY_DTYPE, (uint64_t)entry->dtype, err));
	WH_TRY(put_shape(out, entry, err));
	WH_TRY(put_varint_field(out, ENTRY_SHARD, entry->shard, err));
	WH_TRY(put_varint_field(out, ENTRY_OFFSET, entry->offset, err));
	WH_TRY(put_varint_field(out, ENTRY_SIZE, entry->size, err));
	if (entry->crc32c) {
		put_le32(crc + 1, entry->crc32c);
		WH_TRY(wh_buf_append(out, crc, sizeof(crc), err));
	}
	for (i = 0; i < entry->n_slices; i++)
		WH_TRY(put_slice(out, &entry->slices[i], err));
	return WH_OK;
}

/* ---- Ordered code
 * -------------------------------------------------------------- */

static enum wh_status put_number(struct wh_buf *out, uint64_t value,
				 struct wh_error *err)
{
	uint8_t bytes[9];
	size_t n = 0, i;
	uint64_t left;

	for (left = value; left; left >>= 8)
		n++;
	bytes[0] = (uint8_t)n;
	for (i = 0; i < n; i++)
		bytes[1 + i] = (uint8_t)(value >> (8 * (n - 1 - i)));
	return wh_buf_append(out, bytes, 1 + n, err);
}

static enum wh_status put_string(struct wh_buf *out, const char *text,
				 struct wh_error *err)
{
	/* Names hold no NUL; 0xff is escaped, and `00 01` ends the string. */
	for (; *text; text++)
		WH_TRY(wh_buf_append(
			out, (unsigned char)*text == 0xff ? "\xff\x00" : text,
			(unsigned char)*text == 0xff ? 2 : 1, err));
	return wh_buf_append(out, "\0\1", 2, err);
}

/* Big-endian two's complement of as few bytes as hold it with a length prefix
 * in unary, whose bits are XORed in (ordered_code.cc). */
static enum wh_status put_signed(struct wh_buf *out, int64_t value,
				 struct wh_error *err)
{
	uint64_t size = (uint64_t)(value < 0 ? ~value : value);
	uint8_t bytes[10] = {0};
	size_t n = 1, i;

	while (n < 10 && (size >> (7 * n - 1)))
		n++;
	for (i = 0; i < n; i++) {
		unsigned shift = (unsigned)(8 * (n - 1 - i));

		bytes[i] = (uint8_t)(shift >= 64 ? (value < 0 ? 0xffu : 0u)
						 : (uint64_t)value >> shift);
	}
	/* n ones at the top: 0x80, 0xc0, ..., 0xff, then on into byte 1. */
	bytes[0] = (uint8_t)(bytes[0] ^ (n < 8 ? 0xff00u >> n : 0xffu));
	if (n > 8)
		bytes[1] = (uint8_t)(bytes[1] ^ 0xff00u >> (n - 8));
	return wh_buf_append(out, bytes, n, err);
}

enum wh_status bundle_slice_key(struct wh_buf *out, const char *name,
				const struct bundle_slice *slice,
				struct wh_error *err)
{
	uint32_t i;

	WH_TRY(put_number(out, 0, err));
	WH_TRY(put_string(out, name, err));
	WH_TRY(put_number(out, slice->rank, err));
	for (i = 0; i < slice->rank; i++) {
		WH_TRY(put_signed(out, slice->extents[i].start, err));
		WH_TRY(put_signed(out, slice->extents[i].length, err));
	}
	return WH_OK;
}
