/* The CRC-32 of an image that does not exist yet. */
#include "base/checked.h"
#include "base/crc.h"
#include "zip/write.h"
#include <weighhouse/source.h>

static bool is_whole_payload(const struct wh_source *source,
			     const struct wh_extent *extent)
{
	const struct wh_tensor *tensor =
		&source->manifest.tensors[extent->tensor];

	return extent->run == 0 && extent->swap <= 1 && extent->start == 0 &&
	       extent->length == tensor->nbytes && (tensor->weighed & WH_CRC32);
}

/* `start` and `length` are within the extent. */
static enum wh_status read_crc(struct wh_source *source,
			       const struct wh_extent *extent, uint64_t start,
			       uint64_t length, uint32_t *crc,
			       struct wh_error *err)
{
	uint8_t piece[4096];

	if (extent->run || extent->swap > 1)
		return wh_fail(err, WH_EINVAL,
			       "the checksum of a payload that is not flat "
			       "can't be told");
	while (length) {
		size_t some =
			length < sizeof(piece) ? (size_t)length : sizeof(piece);

		WH_TRY(wh_source_read(source, extent->tensor,
				      extent->start + start, piece, some, err));
		*crc = crc32_update(*crc, piece, some);
		start += some;
		length -= some;
	}
	return WH_OK;
}

static enum wh_status add_part(struct wh_source *source,
			       const struct wh_image *image,
			       const struct wh_extent *extent, uint64_t start,
			       uint64_t length, uint32_t *crc,
			       struct wh_error *err)
{
	if (extent->tensor == WH_LITERAL) {
		*crc = crc32_update(
			*crc, image->literals.data + extent->start + start,
			(size_t)length);
		return WH_OK;
	}
	if (length == extent->length && is_whole_payload(source, extent)) {
		*crc = crc32_combine_runs(
			*crc, source->manifest.tensors[extent->tensor].crc32,
			length);
		return WH_OK;
	}
	return read_crc(source, extent, start, length, crc, err);
}

enum wh_status zip_crc32(struct wh_source *source, const struct wh_image *image,
			 uint64_t offset, uint64_t length, uint32_t *out,
			 struct wh_error *err)
{
	uint32_t crc = 0;
	size_t i;

	if (!range_fits(offset, length, image->size))
		return wh_fail(err, WH_EINVAL,
			       "a checksum of bytes that the file does not "
			       "have");
	for (i = 0; i < image->n_extents && length; i++) {
		const struct wh_extent *extent = &image->extents[i];
		uint64_t end = extent->offset + extent->length, some;

		if (end <= offset)
			continue;
		some = end - offset < length ? end - offset : length;
		WH_TRY(add_part(source, image, extent, offset - extent->offset,
				some, &crc, err));
		offset += some;
		length -= some;
	}
	*out = crc;
	return WH_OK;
}
