/* All digests run over pieces that stay in the processor's cache. */
#include "core/scale.h"

#include <stdlib.h>
#include <string.h>

#include "base/crc.h"
#include "base/sha256.h"
#include "core/statistics.h"

#define PIECE ((size_t)128 << 10)

struct scale {
	struct sha256 *hash; /* NULL until a tensor wants it */
	struct wh_tensor *tensor;
	unsigned missing; /* what is asked for, and not there */
	bool has_crc32c;  /* of chunks, and so of the whole */
	bool has_statistics;
	uint64_t n_bytes; /* of whole chunks */
	size_t chunk_bytes; /* of the one under way */
	uint32_t crc32c, crc32, chunk_crc32c;
	struct statistics_sum sum;
};

void scale_free(struct scale *scale)
{
	if (!scale)
		return;
	sha256_free(scale->hash);
	free(scale);
}

enum wh_status scale_new(struct scale **out, struct wh_error *err)
{
	struct scale *scale = calloc(1, sizeof(*scale));

	if (!scale)
		return wh_fail_memory(err);
	*out = scale;
	return WH_OK;
}

/* Only now: it loads libcrypto. */
static enum wh_status begin_hash(struct scale *scale, struct wh_error *err)
{
	if (!scale->hash)
		WH_TRY(sha256_new(&scale->hash, err));
	return sha256_reset(scale->hash, err);
}

enum wh_status scale_begin(struct scale *scale, struct wh_tensor *tensor,
			   unsigned needs, struct wh_error *err)
{
	scale->tensor = tensor;
	scale->missing = needs & ~tensor->weighed;
	scale->has_crc32c = needs & WH_CRC32C;
	scale->has_statistics = (scale->missing & WH_STATISTICS) &&
				statistics_has(tensor->dtype);
	scale->n_bytes = 0;
	scale->chunk_bytes = 0;
	scale->crc32c = scale->crc32 = scale->chunk_crc32c = 0;
	statistics_begin(&scale->sum, tensor->dtype);
	return scale->missing & WH_SHA256 ? begin_hash(scale, err) : WH_OK;
}

static void end_chunk(struct scale *scale)
{
	size_t len = scale->chunk_bytes;

	statistics_end_chunk(&scale->sum);
	if (scale->n_bytes)
		scale->crc32c =
			crc32c_combine(scale->crc32c, scale->chunk_crc32c, len);
	else
		scale->crc32c = scale->chunk_crc32c;
	scale->n_bytes += len;
	scale->chunk_bytes = 0;
}

enum wh_status scale_add_piece(struct scale *scale, const uint8_t *piece,
			       size_t len, bool ends, struct wh_error *err)
{
	if (!scale->chunk_bytes)
		scale->chunk_crc32c = 0;
	if (scale->has_crc32c)
		scale->chunk_crc32c =
			crc32c_update(scale->chunk_crc32c, piece, len);
	if (scale->missing & WH_CRC32)
		scale->crc32 = crc32_update(scale->crc32, piece, len);
	if (scale->has_statistics)
		statistics_add(&scale->sum, piece, len);
	if (scale->missing & WH_SHA256)
		WH_TRY(sha256_update(scale->hash, piece, len, err));
	scale->chunk_bytes += len;
	if (ends)
		end_chunk(scale);
	return WH_OK;
}

enum wh_status scale_add(struct scale *scale, const uint8_t *bytes, size_t len,
			 struct wh_error *err)
{
	size_t at, some;

	for (at = 0; at < len; at += some) {
		some = len - at < PIECE ? len - at : PIECE;
		WH_TRY(scale_add_piece(scale, bytes + at, some,
				       at + some == len, err));
	}
	return WH_OK;
}

uint32_t scale_chunk_crc32c(const struct scale *scale)
{
	return scale->chunk_crc32c;
}

static enum wh_status check_expected(const struct scale *scale,
				     struct wh_error *err)
{
	const struct wh_tensor *tensor = scale->tensor;

	if (scale->has_crc32c && tensor->crc32c != scale->crc32c)
		return wh_fail(err, WH_EMISMATCH,
			       "tensor '%s' changed while it was read",
			       tensor->key);
	if (!(scale->missing & WH_CRC32C) || !tensor->has_expected_crc32c ||
	    tensor->crc32c == tensor->expected_crc32c)
		return WH_OK;
	return wh_fail(err, WH_ECORRUPT,
		       "tensor '%s': checksum does not match: stored %u vs. "
		       "calculated %u",
		       tensor->key, tensor->expected_crc32c, tensor->crc32c);
}

enum wh_status scale_finish(struct scale *scale, struct wh_error *err)
{
	struct wh_tensor *tensor = scale->tensor;

	if (scale->missing & WH_SHA256)
		WH_TRY(sha256_final(scale->hash, tensor->sha256, err));
	if (scale->missing & WH_CRC32C)
		tensor->crc32c = scale->crc32c;
	if (scale->missing & WH_CRC32)
		tensor->crc32 = scale->crc32;
	if (scale->missing & WH_STATISTICS) {
		tensor->has_statistics = scale->has_statistics;
		if (scale->has_statistics)
			statistics_finish(&scale->sum, &tensor->statistics);
	}
	tensor->weighed |= scale->missing;
	return check_expected(scale, err);
}
