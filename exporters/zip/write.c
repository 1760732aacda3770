#include "zip/write.h"

#include <stdlib.h>
#include <string.h>

#include "base/endian.h"
#include "zip/layout.h"

/* CPython's zipfile turns to 64 bits here, well before it must. */
#define ZIP64_LIMIT   UINT64_C(0x7fffffff)
#define MAX_MEMBERS16 0xffffu

#define VERSION_STORED 20u /* needed to unpack: 4.4.3.2 */
#define VERSION_ZIP64  45u
#define MADE_BY_UNIX   (3u << 8)
#define MODE_600       (UINT32_C(0600) << 16) /* of a Unix file */
#define DATE_1980      0x0021u /* 1 January 1980; the time is 0 */

#define EXTRA_SIZES 20u /* id, length, two sizes */
#define EXTRA_MOST  28u /* and an offset */

static bool is_ascii(const char *text)
{
	for (; *text; text++)
		if (*text & 0x80)
			return false;
	return true;
}

/* What both headers of a member share. */
struct header {
	const char *name;
	uint16_t name_len, flags, version;
	uint32_t crc;
	uint64_t size, offset; /* bytes; of the local header */
};

/* The 14 bytes from version to CRC, which both headers have. */
static void put_common(uint8_t *at, const struct header *header)
{
	put_le16(at, (uint16_t)header->version);
	put_le16(at + 2, header->flags);
	put_le16(at + 4, ZIP_STORED);
	put_le16(at + 6, 0);
	put_le16(at + 8, DATE_1980);
	put_le32(at + 10, header->crc);
}

static enum wh_status add_local(struct zip_writer *writer,
				const struct header *header, bool zip64,
				struct wh_error *err)
{
	uint8_t record[ZIP_LOCAL_SIZE] = {0}, extra[EXTRA_SIZES];
	uint32_t size = zip64 ? ZIP_IN_ZIP64_32 : (uint32_t)header->size;

	put_le32(record, ZIP_LOCAL_MAGIC);
	put_common(record + 4, header);
	put_le32(record + 18, size);
	put_le32(record + 22, size);
	put_le16(record + 26, header->name_len);
	put_le16(record + 28, zip64 ? EXTRA_SIZES : 0);
	put_le16(extra, ZIP64_EXTRA);
	put_le16(extra + 2, EXTRA_SIZES - 4);
	put_le64(extra + 4, header->size);
	put_le64(extra + 12, header->size);
	WH_TRY(wh_image_literal(writer->image, record, sizeof(record), err));
	WH_TRY(wh_image_literal(writer->image, header->name, header->name_len,
				err));
	return wh_image_literal(writer->image, extra, zip64 ? EXTRA_SIZES : 0,
				err);
}

/* Sizes and offset that are too large for 32 bits; how many bytes. */
static uint16_t fill_extra(const struct header *header, uint8_t *extra)
{
	uint16_t len = 4;

	if (header->size > ZIP64_LIMIT) {
		put_le64(extra + 4, header->size);
		put_le64(extra + 12, header->size);
		len = EXTRA_SIZES;
	}
	if (header->offset > ZIP64_LIMIT) {
		put_le64(extra + len, header->offset);
		len += 8;
	}
	put_le16(extra, ZIP64_EXTRA);
	put_le16(extra + 2, (uint16_t)(len - 4));
	return len > 4 ? len : 0;
}

static enum wh_status add_to_directory(struct zip_writer *writer,
				       const struct header *header,
				       struct wh_error *err)
{
	uint8_t record[ZIP_DIRECTORY_SIZE] = {0}, extra[EXTRA_MOST];
	uint16_t extra_len = fill_extra(header, extra);
	struct header shown = *header;
	uint32_t size = header->size > ZIP64_LIMIT ? ZIP_IN_ZIP64_32
						   : (uint32_t)header->size;

	if (extra_len)
		shown.version = VERSION_ZIP64;
	put_le32(record, ZIP_DIRECTORY_MAGIC);
	put_le16(record + 4, (uint16_t)(MADE_BY_UNIX | shown.version));
	put_common(record + 6, &shown);
	put_le32(record + 20, size);
	put_le32(record + 24, size);
	put_le16(record + 28, header->name_len);
	put_le16(record + 30, extra_len);
	put_le32(record + 38, MODE_600);
	put_le32(record + 42, header->offset > ZIP64_LIMIT
				      ? ZIP_IN_ZIP64_32
				      : (uint32_t)header->offset);
	WH_TRY(wh_buf_append(&writer->directory, record, sizeof(record), err));
	WH_TRY(wh_buf_append(&writer->directory, header->name, header->name_len,
			     err));
	return wh_buf_append(&writer->directory, extra, extra_len, err);
}

/* The content's extents behind what the image has; literals are copied. */
static enum wh_status add_content(struct wh_image *image,
				  const struct wh_image *content,
				  struct wh_error *err)
{
	size_t i;

	for (i = 0; i < content->n_extents; i++) {
		struct wh_extent extent = content->extents[i];

		extent.offset = image->size;
		if (extent.tensor == WH_LITERAL)
			WH_TRY(wh_image_literal(
				image, content->literals.data + extent.start,
				(size_t)extent.length, err));
		else
			WH_TRY(wh_image_extent(image, &extent, err));
	}
	return WH_OK;
}

enum wh_status zip_add(struct zip_writer *writer, const struct zip_entry *entry,
		       const struct wh_image *content, struct wh_error *err)
{
	size_t len = strlen(entry->name);
	bool zip64 = entry->zip64 || content->size > ZIP64_LIMIT;
	struct header header = {
		.name = entry->name,
		.name_len = (uint16_t)len,
		.flags = is_ascii(entry->name) ? 0 : ZIP_UTF8,
		.version = zip64 ? VERSION_ZIP64 : VERSION_STORED,
		.size = content->size,
		.offset = writer->image->size,
	};

	if (len > UINT16_MAX)
		return wh_fail(err, WH_EINVAL,
			       "a zip member's name can't have %zu bytes", len);
	WH_TRY(zip_crc32(writer->source, content, 0, content->size, &header.crc,
			 err));
	WH_TRY(add_local(writer, &header, zip64, err));
	WH_TRY(add_content(writer->image, content, err));
	WH_TRY(add_to_directory(writer, &header, err));
	writer->n_members++;
	return WH_OK;
}

static enum wh_status add_end64(struct zip_writer *writer, uint64_t offset,
				struct wh_error *err)
{
	uint8_t record[ZIP_END64_SIZE + ZIP_LOCATOR_SIZE] = {0};
	uint8_t *locator = record + ZIP_END64_SIZE;

	put_le32(record, ZIP_END64_MAGIC);
	put_le64(record + 4, ZIP_END64_SIZE - 12);
	put_le16(record + 12, VERSION_ZIP64);
	put_le16(record + 14, VERSION_ZIP64);
	put_le64(record + 24, writer->n_members);
	put_le64(record + 32, writer->n_members);
	put_le64(record + 40, writer->directory.size);
	put_le64(record + 48, offset);
	put_le32(locator, ZIP_LOCATOR_MAGIC);
	put_le64(locator + 8, offset + writer->directory.size);
	put_le32(locator + 16, 1);
	return wh_image_literal(writer->image, record, sizeof(record), err);
}

static uint32_t at_most_32(uint64_t value)
{
	return value < ZIP_IN_ZIP64_32 ? (uint32_t)value : ZIP_IN_ZIP64_32;
}

static enum wh_status add_end(struct zip_writer *writer, uint64_t offset,
			      struct wh_error *err)
{
	uint8_t record[ZIP_END_SIZE] = {0};
	uint16_t n = writer->n_members < MAX_MEMBERS16
			     ? (uint16_t)writer->n_members
			     : (uint16_t)ZIP_IN_ZIP64_16;

	put_le32(record, ZIP_END_MAGIC);
	put_le16(record + 8, n);
	put_le16(record + 10, n);
	put_le32(record + 12, at_most_32(writer->directory.size));
	put_le32(record + 16, at_most_32(offset));
	put_le16(record + 20, writer->comment_size);
	WH_TRY(wh_image_literal(writer->image, record, sizeof(record), err));
	return wh_image_literal(writer->image, writer->comment,
				writer->comment_size, err);
}

static enum wh_status finish(struct zip_writer *writer, struct wh_error *err)
{
	uint64_t offset = writer->image->size;

	WH_TRY(wh_image_literal(writer->image, writer->directory.data,
				writer->directory.size, err));
	if (writer->n_members > MAX_MEMBERS16 || offset > ZIP64_LIMIT ||
	    writer->directory.size > ZIP64_LIMIT)
		WH_TRY(add_end64(writer, offset, err));
	return add_end(writer, offset, err);
}

enum wh_status zip_finish(struct zip_writer *writer, struct wh_error *err)
{
	enum wh_status status = finish(writer, err);

	zip_writer_free(writer);
	return status;
}

void zip_writer_free(struct zip_writer *writer)
{
	wh_buf_free(&writer->directory);
	writer->n_members = 0;
}

void zip_content_free(struct wh_image *content)
{
	free(content->extents);
	wh_buf_free(&content->literals);
	*content = (struct wh_image){0};
}
