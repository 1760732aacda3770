#include "tf/string_tensor.h"

#include "base/checked.h"
#include "base/crc.h"
#include "base/endian.h"
#include "tf/wire.h"

#define BATCH 512 /* lengths that are read at a time */

static uint32_t add_length(uint32_t crc, uint64_t length)
{
	uint8_t bytes[8];

	put_le64(bytes, length);
	return crc32c_update(crc, bytes, length > UINT32_MAX ? 8 : 4);
}

static enum wh_status end_head(struct wh_buf *head, uint32_t *crc,
			       struct wh_error *err)
{
	uint8_t checksum[4];

	put_le32(checksum, crc_mask(*crc));
	*crc = crc32c_update(*crc, checksum, sizeof(checksum));
	return wh_buf_append(head, checksum, sizeof(checksum), err);
}

static enum wh_status bad_payload(const struct wh_tensor *tensor,
				  struct wh_error *err)
{
	return wh_fail(err, WH_ECORRUPT,
		       "string tensor '%s': its lengths are not of its bytes",
		       tensor->key);
}

/* Lengths as varints; their CRC as they stand in the payload, too. */
static enum wh_status add_lengths(struct wh_source *source, uint32_t index,
				  uint64_t n, struct wh_buf *head,
				  uint32_t *crc, uint32_t *payload_crc,
				  uint64_t *total, struct wh_error *err)
{
	uint8_t batch[8 * BATCH];
	uint64_t at;
	size_t i;

	for (at = 0; at < n; at += BATCH) {
		size_t some = (size_t)(n - at < BATCH ? n - at : BATCH);

		WH_TRY(wh_source_read(source, index, 8 * at, batch, 8 * some,
				      err));
		*payload_crc = crc32c_update(*payload_crc, batch, 8 * some);
		for (i = 0; i < some; i++) {
			uint64_t length = get_le64(batch + 8 * i);

			if (!checked_add(*total, length, total))
				return bad_payload(
					&source->manifest.tensors[index], err);
			*crc = add_length(*crc, length);
			WH_TRY(varint_append(head, length, err));
		}
	}
	return WH_OK;
}

enum wh_status strings_plan(struct wh_source *source, uint32_t index,
			    struct wh_buf *head, uint32_t *crc,
			    struct wh_error *err)
{
	const struct wh_tensor *tensor = &source->manifest.tensors[index];
	uint32_t lengths_crc = 0, bytes_crc;
	uint64_t n, total = 0;

	*crc = 0;
	if (!checked_shape(tensor->shape, tensor->rank, &n) ||
	    n > tensor->nbytes / 8)
		return bad_payload(tensor, err);
	WH_TRY(add_lengths(source, index, n, head, crc, &lengths_crc, &total,
			   err));
	if (total != tensor->nbytes - 8 * n)
		return bad_payload(tensor, err);
	WH_TRY(end_head(head, crc, err));
	/* What is left of the payload's CRC when its lengths are taken away:
	 * the strings' bytes need not be read. */
	bytes_crc = tensor->crc32c ^ crc32c_combine(lengths_crc, 0, total);
	*crc = crc32c_combine(*crc, bytes_crc, total);
	return WH_OK;
}

enum wh_status strings_pack_one(const void *bytes, size_t len,
				struct wh_buf *out, uint32_t *crc,
				struct wh_error *err)
{
	*crc = add_length(0, len);
	WH_TRY(varint_append(out, len, err));
	WH_TRY(end_head(out, crc, err));
	*crc = crc32c_update(*crc, bytes, len);
	return wh_buf_append(out, bytes, len, err);
}

enum wh_status strings_read_head(const char *key, const uint8_t *bytes,
				 size_t len, uint64_t size, uint64_t n,
				 uint64_t *lengths, size_t *head_size,
				 uint32_t *crc, struct wh_error *err)
{
	struct cursor cursor = {bytes, bytes + len};
	const uint8_t *checksum;
	uint64_t i, total = 0;

	*crc = 0;
	for (i = 0; i < n; i++) {
		if (!cursor_varint(&cursor, &lengths[i]) ||
		    !checked_add(total, lengths[i], &total))
			return wh_fail(err, WH_ECORRUPT,
				       "string tensor '%s': its lengths can't "
				       "be read",
				       key);
		*crc = add_length(*crc, lengths[i]);
	}
	if (!cursor_bytes(&cursor, 4, &checksum) ||
	    get_le32(checksum) != crc_mask(*crc))
		return wh_fail(err, WH_ECORRUPT,
			       "string tensor '%s': the length checksum does "
			       "not match",
			       key);
	*crc = crc32c_update(*crc, checksum, 4);
	*head_size = len - cursor_left(&cursor);
	if (total != size - *head_size)
		return wh_fail(err, WH_ECORRUPT,
			       "string tensor '%s': its lengths are not of its "
			       "bytes",
			       key);
	return WH_OK;
}
