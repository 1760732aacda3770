#include "tf/table_file.h"

#include <string.h>

#include "base/auto.h"
#include "base/checked.h"
#include "base/crc.h"
#include "base/endian.h"
#include "tf/table.h"
#include "tf/wire.h"

#define MAX_KEY ((size_t)32 << 10) /* it has to fit into a window */

static enum wh_status bad_table(struct wh_error *err, const char *what)
{
	return wh_fail(err, WH_ECORRUPT, "the checkpoint is damaged: %s", what);
}

/* ---- Spans
 * ------------------------------------------------------------------------ */

enum wh_status span_bytes(struct window *window, struct span *span, size_t len,
			  const uint8_t **bytes, struct wh_error *err)
{
	if (len > span->end - span->at)
		return bad_table(err, "an entry ends early");
	if (span->at < window->at || span->at - window->at > window->len ||
	    window->len - (span->at - window->at) < len) {
		uint64_t left = window->file->size - span->at;

		window->len = 0;
		WH_TRY(reader_read(
			window->file, span->at, window->bytes,
			left < WINDOW_SIZE ? (size_t)left : WINDOW_SIZE, err));
		window->at = span->at;
		window->len = left < WINDOW_SIZE ? (size_t)left : WINDOW_SIZE;
	}
	*bytes = window->bytes + (span->at - window->at);
	span->at += len;
	return WH_OK;
}

enum wh_status span_varint(struct window *window, struct span *span,
			   uint64_t *value, struct wh_error *err)
{
	uint64_t left = span->end - span->at;
	struct span ahead = *span;
	size_t len = left < VARINT_MAX ? (size_t)left : VARINT_MAX;
	struct cursor cursor;
	const uint8_t *bytes;

	WH_TRY(span_bytes(window, &ahead, len, &bytes, err));
	cursor = (struct cursor){bytes, bytes + len};
	if (!cursor_varint(&cursor, value))
		return bad_table(err, "a number can't be read");
	span->at += (uint64_t)(cursor.at - bytes);
	return WH_OK;
}

/* Past a field that isn't of wire type 2. */
static enum wh_status skip_field(struct window *window, struct span *span,
				 uint64_t type, struct wh_error *err)
{
	const uint8_t *bytes;
	uint64_t value;

	if (type == 0)
		return span_varint(window, span, &value, err);
	if (type == 1)
		return span_bytes(window, span, 8, &bytes, err);
	if (type == 5)
		return span_bytes(window, span, 4, &bytes, err);
	return bad_table(err, "a field has a bad type");
}

enum wh_status span_field(struct window *window, struct span *span,
			  uint32_t *field, struct span *inner,
			  struct wh_error *err)
{
	uint64_t tag, len;

	while (span->at < span->end) {
		WH_TRY(span_varint(window, span, &tag, err));
		if (tag < 8 || tag > UINT32_MAX)
			return bad_table(err, "a field has a bad number");
		if ((tag & 7) != 2) {
			WH_TRY(skip_field(window, span, tag & 7, err));
			continue;
		}
		WH_TRY(span_varint(window, span, &len, err));
		if (len > span->end - span->at)
			return bad_table(err, "a field ends early");
		*field = (uint32_t)(tag >> 3);
		*inner = (struct span){span->at, span->at + len};
		span->at += len;
		return WH_OK;
	}
	*field = 0;
	return WH_OK;
}

/* ---- Blocks
 * ----------------------------------------------------------------------- */

struct table {
	const struct file_reader *file;
	struct window *index, *data;
	struct wh_buf index_key, key, last;
	table_span_fn *fn;
	void *arg;
	bool any;
};

static enum wh_status sum_block(struct window *window, struct span block,
				uint32_t *crc, struct wh_error *err)
{
	const uint8_t *bytes;

	*crc = 0;
	while (block.at < block.end) {
		uint64_t left = block.end - block.at;
		size_t some = left < WINDOW_SIZE ? (size_t)left : WINDOW_SIZE;

		WH_TRY(span_bytes(window, &block, some, &bytes, err));
		*crc = crc32c_update(*crc, bytes, some);
	}
	return WH_OK;
}

/* The entries of the block that a handle names. */
static enum wh_status open_block(const struct table *table,
				 struct window *window, uint64_t offset,
				 uint64_t size, struct span *entries,
				 struct wh_error *err)
{
	struct span block, trailer;
	const uint8_t *bytes;
	uint64_t whole, restarts;
	uint32_t crc;

	if (!checked_add(size, TABLE_TRAILER, &whole) || size < 4 ||
	    !range_fits(offset, whole, table->file->size))
		return bad_table(err, "a block lies outside of the file");
	block = (struct span){offset, offset + size + 1};
	WH_TRY(sum_block(window, block, &crc, err));
	trailer = (struct span){offset + size - 4, offset + whole};
	WH_TRY(span_bytes(window, &trailer, 9, &bytes, err));
	if (crc_mask(crc) != get_le32(bytes + 5))
		return bad_table(err, "block checksum mismatch");
	if (bytes[4] != TABLE_PLAIN)
		return wh_fail(err, WH_EUNSUPPORTED,
			       "a checkpoint of TensorFlow's first version "
			       "with compressed blocks");
	restarts = get_le32(bytes);
	if (restarts > (size - 4) / 4)
		return bad_table(err, "a block has too many restarts");
	*entries = (struct span){offset, offset + size - 4 - 4 * restarts};
	return WH_OK;
}

static enum wh_status read_entry(struct window *window, struct span *entries,
				 struct wh_buf *key, struct span *value,
				 struct wh_error *err)
{
	uint64_t shared, rest, len;
	const uint8_t *suffix;

	WH_TRY(span_varint(window, entries, &shared, err));
	WH_TRY(span_varint(window, entries, &rest, err));
	WH_TRY(span_varint(window, entries, &len, err));
	if (shared > key->size || rest > MAX_KEY || shared + rest > MAX_KEY)
		return bad_table(err, "an entry can't be read");
	WH_TRY(span_bytes(window, entries, (size_t)rest, &suffix, err));
	key->size = (size_t)shared;
	WH_TRY(wh_buf_append(key, suffix, (size_t)rest, err));
	if (len > entries->end - entries->at)
		return bad_table(err, "an entry's value ends early");
	*value = (struct span){entries->at, entries->at + len};
	entries->at += len;
	return WH_OK;
}

static enum wh_status read_data_block(struct table *table, uint64_t offset,
				      uint64_t size, struct wh_error *err)
{
	struct span entries, value;

	WH_TRY(open_block(table, table->data, offset, size, &entries, err));
	table->key.size = 0;
	while (entries.at < entries.end) {
		WH_TRY(read_entry(table->data, &entries, &table->key, &value,
				  err));
		if (table->any && !table_is_above(&table->key, &table->last))
			return bad_table(err, "its keys are not sorted");
		WH_TRY(table->fn(table->arg, table->data, table->key.data,
				 table->key.size, value, err));
		table->any = true;
		table->last.size = 0;
		WH_TRY(wh_buf_append(&table->last, table->key.data,
				     table->key.size, err));
	}
	return WH_OK;
}

static enum wh_status read_handle(struct window *window, struct span *span,
				  uint64_t *offset, uint64_t *size,
				  struct wh_error *err)
{
	WH_TRY(span_varint(window, span, offset, err));
	return span_varint(window, span, size, err);
}

static enum wh_status read_blocks(struct table *table, struct wh_error *err)
{
	uint64_t offset, size, before = 0, end = table->file->size;
	struct span footer = {end - TABLE_FOOTER, end - 8}, index, value;

	WH_TRY(read_handle(table->index, &footer, &offset, &size, err));
	WH_TRY(read_handle(table->index, &footer, &offset, &size, err));
	WH_TRY(open_block(table, table->index, offset, size, &index, err));
	while (index.at < index.end) {
		WH_TRY(read_entry(table->index, &index, &table->index_key,
				  &value, err));
		WH_TRY(read_handle(table->index, &value, &offset, &size, err));
		if (offset < before)
			return bad_table(err, "its blocks overlap");
		WH_TRY(read_data_block(table, offset, size, err));
		before = offset + size + TABLE_TRAILER;
	}
	return WH_OK;
}

static enum wh_status check_magic(const struct file_reader *file,
				  struct wh_error *err)
{
	uint8_t magic[8];

	if (file->size < TABLE_FOOTER)
		return bad_table(err, "file is too short to be an sstable");
	WH_TRY(reader_read(file, file->size - 8, magic, 8, err));
	if (get_le64(magic) != TABLE_MAGIC)
		return bad_table(err, "not an sstable (bad magic number)");
	return WH_OK;
}

bool table_file_probe(const char *path)
{
	struct file_reader file;
	bool found;

	if (reader_open(&file, path, NULL))
		return false;
	found = !check_magic(&file, NULL);
	reader_close(&file);
	return found;
}

enum wh_status table_file_read(const struct file_reader *file,
			       table_span_fn *fn, void *arg,
			       struct wh_error *err)
{
	struct window *windows wh_free_auto = calloc(2, sizeof(*windows));
	struct table table = {.file = file, .fn = fn, .arg = arg};
	enum wh_status status;

	WH_TRY(check_magic(file, err));
	if (!windows)
		return wh_fail_memory(err);
	windows[0].file = windows[1].file = file;
	table.index = &windows[0];
	table.data = &windows[1];
	/* An empty buffer has no memory to compare with. */
	status = wh_buf_reserve(&table.index_key, 1, err);
	if (!status)
		status = wh_buf_reserve(&table.key, 1, err);
	if (!status)
		status = read_blocks(&table, err);
	wh_buf_free(&table.index_key);
	wh_buf_free(&table.key);
	wh_buf_free(&table.last);
	return status;
}
