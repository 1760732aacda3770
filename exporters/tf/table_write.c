#include <string.h>

#include "base/crc.h"
#include "base/endian.h"
#include "tf/table.h"
#include "tf/wire.h"

/* What TensorFlow's BundleWriter sets (tensor_bundle.cc, table_options.h). */
#define BLOCK_SIZE	 262144u
#define RESTART_INTERVAL 16u
#define FOOTER_HANDLES	 40u /* bytes that the two handles are padded to */

void table_writer_init(struct table_writer *writer, struct wh_buf *out)
{
	memset(writer, 0, sizeof(*writer));
	writer->out = out;
}

void table_writer_free(struct table_writer *writer)
{
	wh_buf_free(&writer->block);
	wh_buf_free(&writer->index);
	wh_buf_free(&writer->restarts);
	wh_buf_free(&writer->index_restarts);
	wh_buf_free(&writer->last_key);
}

static enum wh_status append_le32(struct wh_buf *out, uint32_t value,
				  struct wh_error *err)
{
	uint8_t bytes[4];

	put_le32(bytes, value);
	return wh_buf_append(out, bytes, sizeof(bytes), err);
}

static enum wh_status append_entry(struct wh_buf *block, size_t shared,
				   const uint8_t *key, size_t key_len,
				   const void *value, size_t value_len,
				   struct wh_error *err)
{
	WH_TRY(varint_append(block, shared, err));
	WH_TRY(varint_append(block, key_len - shared, err));
	WH_TRY(varint_append(block, value_len, err));
	/* The empty key, the header's, has no bytes to point into. */
	if (key_len > shared)
		WH_TRY(wh_buf_append(block, key + shared, key_len - shared,
				     err));
	return wh_buf_append(block, value, value_len, err);
}

/* Entries, restarts, their count, trailer; both buffers are empty after. */
static enum wh_status write_block(struct wh_buf *out, struct wh_buf *block,
				  struct wh_buf *restarts, uint64_t *offset,
				  uint64_t *size, struct wh_error *err)
{
	uint32_t crc;

	/* The first restart is there even if no entry is. */
	if (restarts->size == 0)
		WH_TRY(append_le32(restarts, 0, err));
	WH_TRY(wh_buf_append(block, restarts->data, restarts->size, err));
	WH_TRY(append_le32(block, (uint32_t)(restarts->size / 4), err));
	*offset = out->size;
	*size = block->size;
	WH_TRY(wh_buf_append(block, "\0", 1, err));
	crc = crc_mask(crc32c_update(0, block->data, block->size));
	WH_TRY(wh_buf_append(out, block->data, block->size, err));
	block->size = 0;
	restarts->size = 0;
	return append_le32(out, crc, err);
}

static size_t shared_prefix(const uint8_t *a, size_t len_a, const uint8_t *b,
			    size_t len_b)
{
	size_t n = len_a < len_b ? len_a : len_b, i;

	for (i = 0; i < n && a[i] == b[i]; i++)
		;
	return i;
}

/* A short key in [last, next): last cut after the first byte that differs,
 * that byte plus one, if this stays below next's. In place. */
static void shorten_separator(struct wh_buf *last, const uint8_t *next,
			      size_t next_len)
{
	size_t i = shared_prefix(last->data, last->size, next, next_len);

	if (i == last->size || i == next_len)
		return;
	if (last->data[i] < 0xff && last->data[i] + 1 < next[i]) {
		last->data[i]++;
		last->size = i + 1;
	}
}

/* A short key above last: its first byte that is not 0xff, plus one. */
static void shorten_successor(struct wh_buf *last)
{
	size_t i;

	for (i = 0; i < last->size; i++)
		if (last->data[i] != 0xff) {
			last->data[i]++;
			last->size = i + 1;
			return;
		}
}

/* The index entry of the block that is out; last_key is its key by now. Each
 * index entry is a restart. */
static enum wh_status write_index_entry(struct table_writer *writer,
					struct wh_error *err)
{
	uint8_t handle[2 * VARINT_MAX];
	size_t n = varint_put(handle, writer->pending_offset);

	n += varint_put(handle + n, writer->pending_size);
	WH_TRY(append_le32(&writer->index_restarts,
			   (uint32_t)writer->index.size, err));
	writer->pending = false;
	return append_entry(&writer->index, 0, writer->last_key.data,
			    writer->last_key.size, handle, n, err);
}

static enum wh_status flush(struct table_writer *writer, struct wh_error *err)
{
	if (writer->n_in_block == 0)
		return WH_OK;
	WH_TRY(write_block(writer->out, &writer->block, &writer->restarts,
			   &writer->pending_offset, &writer->pending_size,
			   err));
	writer->pending = true;
	writer->n_in_block = 0;
	writer->since_restart = 0;
	return WH_OK;
}

static enum wh_status add_to_block(struct table_writer *writer, const void *key,
				   size_t key_len, const void *value,
				   size_t value_len, struct wh_error *err)
{
	size_t shared = 0;

	if (writer->n_in_block == 0 ||
	    writer->since_restart == RESTART_INTERVAL) {
		WH_TRY(append_le32(&writer->restarts,
				   (uint32_t)writer->block.size, err));
		writer->since_restart = 0;
	} else {
		shared = shared_prefix(writer->last_key.data,
				       writer->last_key.size, key, key_len);
	}
	WH_TRY(append_entry(&writer->block, shared, key, key_len, value,
			    value_len, err));
	writer->n_in_block++;
	writer->since_restart++;
	return WH_OK;
}

enum wh_status table_writer_add(struct table_writer *writer, const void *key,
				size_t key_len, const void *value,
				size_t value_len, struct wh_error *err)
{
	if (writer->n_in_block && key_len + value_len >= 2 * BLOCK_SIZE)
		WH_TRY(flush(writer, err));
	if (writer->pending) {
		shorten_separator(&writer->last_key, key, key_len);
		WH_TRY(write_index_entry(writer, err));
	}
	WH_TRY(add_to_block(writer, key, key_len, value, value_len, err));
	writer->last_key.size = 0;
	WH_TRY(wh_buf_append(&writer->last_key, key, key_len, err));
	if (writer->block.size + writer->restarts.size + 4 >= BLOCK_SIZE)
		return flush(writer, err);
	return WH_OK;
}

enum wh_status table_writer_finish(struct table_writer *writer,
				   struct wh_error *err)
{
	uint8_t footer[FOOTER_HANDLES + 8] = {0};
	uint64_t meta_offset, meta_size, offset, size;
	size_t n;

	WH_TRY(flush(writer, err));
	WH_TRY(write_block(writer->out, &writer->block, &writer->restarts,
			   &meta_offset, &meta_size, err));
	if (writer->pending) {
		shorten_successor(&writer->last_key);
		WH_TRY(write_index_entry(writer, err));
	}
	WH_TRY(write_block(writer->out, &writer->index, &writer->index_restarts,
			   &offset, &size, err));
	n = varint_put(footer, meta_offset);
	n += varint_put(footer + n, meta_size);
	n += varint_put(footer + n, offset);
	varint_put(footer + n, size);
	put_le64(footer + FOOTER_HANDLES, TABLE_MAGIC);
	return wh_buf_append(writer->out, footer, sizeof(footer), err);
}
