#include <string.h>

#include "base/checked.h"
#include "base/crc.h"
#include "base/endian.h"
#include "tf/late_snappy.h"
#include "tf/table.h"
#include "tf/wire.h"

#define MAX_BLOCK ((size_t)256 << 20) /* unpacked; TF's are 256 KiB */
#define MAX_KEY	  ((size_t)64 << 10)

struct table {
	const uint8_t *bytes;
	size_t len;
	table_entry_fn *fn;
	void *arg;
	struct wh_buf key;  /* of the entry under way */
	struct wh_buf last; /* of the table so far */
	uint64_t end;	    /* of the data block before */
	bool any;
};

static enum wh_status bad_table(struct wh_error *err, const char *what)
{
	return wh_fail(err, WH_ECORRUPT, "the index is damaged: %s", what);
}

static enum wh_status read_handle(struct cursor *cursor, uint64_t *offset,
				  uint64_t *size, struct wh_error *err)
{
	if (!cursor_varint(cursor, offset) || !cursor_varint(cursor, size))
		return bad_table(err, "a block's place can't be read");
	return WH_OK;
}

static enum wh_status unpack(const uint8_t *bytes, size_t size,
			     struct wh_buf *unpacked, struct wh_error *err)
{
	size_t len;

	WH_TRY(late_load(&late_snappy, err));
	if (snappy_uncompressed_length((const char *)bytes, size, &len) !=
		    SNAPPY_OK ||
	    len > MAX_BLOCK)
		return bad_table(err, "a Snappy block has a bad length");
	unpacked->size = 0;
	WH_TRY(wh_buf_reserve(unpacked, len + 1, err));
	if (snappy_uncompress((const char *)bytes, size, (char *)unpacked->data,
			      &len) != SNAPPY_OK)
		return bad_table(err, "a Snappy block can't be unpacked");
	unpacked->size = len;
	return WH_OK;
}

/* A block's entries, checked and unpacked. `unpacked` is room for Snappy. */
static enum wh_status read_block(const struct table *table, uint64_t offset,
				 uint64_t size, struct wh_buf *unpacked,
				 struct cursor *out, struct wh_error *err)
{
	const uint8_t *block;
	uint64_t whole;

	if (!checked_add(size, TABLE_TRAILER, &whole) ||
	    !range_fits(offset, whole, table->len))
		return bad_table(err, "a block lies outside of the file");
	block = table->bytes + offset;
	if (crc_mask(crc32c_update(0, block, (size_t)size + 1)) !=
	    get_le32(block + size + 1))
		return bad_table(err, "block checksum mismatch");
	if (block[size] == TABLE_SNAPPY) {
		WH_TRY(unpack(block, (size_t)size, unpacked, err));
		block = unpacked->data;
		size = unpacked->size;
	} else if (block[size] != TABLE_PLAIN) {
		return bad_table(err, "bad block type");
	}
	if (size < 4)
		return bad_table(err, "a block is too short");
	whole = get_le32(block + size - 4);
	if (whole > (size - 4) / 4)
		return bad_table(err, "a block has too many restarts");
	out->at = block;
	out->end = block + size - 4 - 4 * whole;
	return WH_OK;
}

/* The next entry: its key in `key`, its value in `*value`. */
static enum wh_status read_entry(struct cursor *cursor, struct wh_buf *key,
				 struct cursor *value, struct wh_error *err)
{
	uint32_t shared, rest, len;
	const uint8_t *suffix;

	if (!cursor_varint32(cursor, &shared) ||
	    !cursor_varint32(cursor, &rest) || !cursor_varint32(cursor, &len) ||
	    shared > key->size || rest > MAX_KEY || shared + rest > MAX_KEY ||
	    !cursor_bytes(cursor, rest, &suffix))
		return bad_table(err, "an entry can't be read");
	key->size = shared;
	WH_TRY(wh_buf_append(key, suffix, rest, err));
	if (!cursor_bytes(cursor, len, &value->at))
		return bad_table(err, "an entry's value ends early");
	value->end = value->at + len;
	return WH_OK;
}

bool table_is_above(const struct wh_buf *key, const struct wh_buf *last)
{
	size_t n = key->size < last->size ? key->size : last->size;
	int order = n ? memcmp(key->data, last->data, n) : 0;

	return order > 0 || (order == 0 && key->size > last->size);
}

static enum wh_status read_data_block(struct table *table, uint64_t offset,
				      uint64_t size, struct wh_buf *unpacked,
				      struct wh_error *err)
{
	struct cursor entries, value;

	WH_TRY(read_block(table, offset, size, unpacked, &entries, err));
	table->key.size = 0;
	while (cursor_left(&entries)) {
		WH_TRY(read_entry(&entries, &table->key, &value, err));
		if (table->any && !table_is_above(&table->key, &table->last))
			return bad_table(err, "its keys are not sorted");
		WH_TRY(table->fn(table->arg, table->key.data, table->key.size,
				 value.at, cursor_left(&value), err));
		table->any = true;
		table->last.size = 0;
		WH_TRY(wh_buf_append(&table->last, table->key.data,
				     table->key.size, err));
	}
	return WH_OK;
}

static enum wh_status read_blocks(struct table *table, struct wh_buf *room,
				  struct wh_buf *index_room,
				  struct wh_buf *index_key,
				  struct wh_error *err)
{
	const uint8_t *footer = table->bytes + table->len - TABLE_FOOTER;
	struct cursor cursor = {footer, footer + TABLE_FOOTER - 8};
	struct cursor index, value;
	uint64_t offset, size;

	WH_TRY(read_handle(&cursor, &offset, &size, err)); /* metaindex */
	WH_TRY(read_handle(&cursor, &offset, &size, err));
	WH_TRY(read_block(table, offset, size, index_room, &index, err));
	while (cursor_left(&index)) {
		WH_TRY(read_entry(&index, index_key, &value, err));
		WH_TRY(read_handle(&value, &offset, &size, err));
		/* Else few bytes could have a block unpacked without end. */
		if (offset < table->end)
			return bad_table(err, "its blocks overlap");
		WH_TRY(read_data_block(table, offset, size, room, err));
		table->end = offset + size + TABLE_TRAILER;
	}
	return WH_OK;
}

enum wh_status table_read(const uint8_t *bytes, size_t len, table_entry_fn *fn,
			  void *arg, struct wh_error *err)
{
	struct table table = {.bytes = bytes, .len = len, .fn = fn, .arg = arg};
	struct wh_buf room = {0}, index_room = {0}, index_key = {0};
	enum wh_status status;

	if (len < TABLE_FOOTER)
		return bad_table(err, "file is too short to be an sstable");
	if (get_le64(bytes + len - 8) != TABLE_MAGIC)
		return bad_table(err, "not an sstable (bad magic number)");
	/* An empty buffer has no memory to compare with. */
	status = wh_buf_reserve(&index_key, 1, err);
	if (!status)
		status = wh_buf_reserve(&table.key, 1, err);
	if (!status)
		status = read_blocks(&table, &room, &index_room, &index_key,
				     err);
	wh_buf_free(&room);
	wh_buf_free(&index_room);
	wh_buf_free(&index_key);
	wh_buf_free(&table.key);
	wh_buf_free(&table.last);
	return status;
}
