#include "codec/planes.h"

#include <math.h>
#include <string.h>

#include "base/endian.h"
#include "codec/interleave.h"

#define HEAD_OF_PLANE 5u
#define SAMPLE_PIECE  ((size_t)4 << 10)
#define SAMPLE_PIECES 4u
/* Bits a byte: above it Huffman's gain is not worth its time. */
#define NOISE	    7.6
#define DENSE_NOISE 7.9
/* Bits a byte: above it nothing repeats. */
#define REPEATS_BELOW 4

enum how { AS_IT_IS = 0, FRAME = 1, ONE_BYTE = 2 };

double sampled_entropy(const uint8_t *bytes, size_t len)
{
	size_t piece = len < SAMPLE_PIECE * SAMPLE_PIECES ? len / SAMPLE_PIECES
							  : SAMPLE_PIECE;
	size_t step = len / SAMPLE_PIECES, i, k;
	uint32_t counts[256] = {0};
	double total = (double)(piece * SAMPLE_PIECES), bits = 0;

	for (i = 0; i < SAMPLE_PIECES; i++)
		for (k = 0; k < piece; k++)
			counts[bytes[i * step + k]]++;
	for (i = 0; i < 256; i++)
		if (counts[i])
			bits -= counts[i] * log2(counts[i] / total);
	return total > 0 ? bits / total : 8;
}

/* ---- Planes ---------------------------------------------------------------
 */

static bool is_one_byte(const uint8_t *plane, size_t n)
{
	return n > 1 && memcmp(plane, plane + 1, n - 1) == 0;
}

/* Whether a search for repeats gains something over the bytes' own entropy:
 * in planes of zeros, or of rows that come again. By a sample, or all of a
 * short plane. */
static enum wh_status has_repeats(struct zstd_coder *zstd, const uint8_t *plane,
				  size_t n, double entropy, struct wh_buf *out,
				  bool *yes, struct wh_error *err)
{
	size_t piece = n < SAMPLE_PIECE * SAMPLE_PIECES ? n / SAMPLE_PIECES
							: SAMPLE_PIECE;
	size_t step = n / SAMPLE_PIECES, before = out->size, i;
	uint8_t sample[SAMPLE_PIECE * SAMPLE_PIECES];
	double bits = entropy > 1 ? entropy : 1;

	for (i = 0; i < SAMPLE_PIECES; i++)
		memcpy(sample + i * piece, plane + i * step, piece);
	WH_TRY(zstd_encode(zstd, ZSTD_FAST, sample, piece * SAMPLE_PIECES, NULL,
			   0, out, err));
	*yes = (double)(out->size - before) * 8 <
	       bits * (double)(piece * SAMPLE_PIECES);
	out->size = before;
	return WH_OK;
}

/* The way that the sample speaks for; `dense`: the smaller of both. */
static enum wh_status encode_frame(struct zstd_coder *zstd,
				   const uint8_t *plane, size_t n, bool repeats,
				   bool dense, struct wh_buf *out,
				   struct wh_error *err)
{
	size_t before = out->size, first;

	WH_TRY(zstd_encode(zstd, repeats ? ZSTD_FAST : ZSTD_HUFFMAN, plane, n,
			   NULL, 0, out, err));
	if (!dense)
		return WH_OK;
	first = out->size - before;
	WH_TRY(zstd_encode(zstd, repeats ? ZSTD_HUFFMAN : ZSTD_FAST, plane, n,
			   NULL, 0, out, err));
	if (out->size - before - first < first) {
		memmove(out->data + before, out->data + before + first,
			out->size - before - first);
		out->size -= first;
	} else {
		out->size = before + first;
	}
	return WH_OK;
}

static enum wh_status encode_plane(struct zstd_coder *zstd,
				   const uint8_t *plane, size_t n, bool dense,
				   enum how *how, struct wh_buf *out,
				   struct wh_error *err)
{
	double entropy = sampled_entropy(plane, n);
	size_t before = out->size;
	bool repeats = false;

	if (is_one_byte(plane, n)) {
		*how = ONE_BYTE;
		return wh_buf_append(out, plane, 1, err);
	}
	*how = FRAME;
	if (entropy < REPEATS_BELOW)
		WH_TRY(has_repeats(zstd, plane, n, entropy, out, &repeats,
				   err));
	if (entropy < (dense ? DENSE_NOISE : NOISE))
		WH_TRY(encode_frame(zstd, plane, n, repeats,
				    dense && entropy < REPEATS_BELOW, out,
				    err));
	if (out->size > before && out->size - before < n)
		return WH_OK;
	*how = AS_IT_IS;
	out->size = before;
	return wh_buf_append(out, plane, n, err);
}

enum wh_status planes_encode(struct zstd_coder *zstd, unsigned width,
			     const uint8_t *bytes, size_t len, uint8_t *scratch,
			     bool dense, struct wh_buf *out,
			     struct wh_error *err)
{
	size_t n = len / width, head = out->size + 1;
	uint8_t first = (uint8_t)width;
	unsigned k;

	interleave_split(width, bytes, n, scratch);
	WH_TRY(wh_buf_append(out, &first, 1, err));
	WH_TRY(wh_buf_append_zeros(out, width * HEAD_OF_PLANE, err));
	for (k = 0; k < width; k++) {
		size_t before = out->size;
		enum how how = AS_IT_IS;
		uint8_t *at;

		WH_TRY(encode_plane(zstd, scratch + k * n, n, dense, &how, out,
				    err));
		at = out->data + head + k * HEAD_OF_PLANE;
		at[0] = (uint8_t)how;
		put_le32(at + 1, (uint32_t)(out->size - before));
	}
	return WH_OK;
}

static enum wh_status damaged(struct wh_error *err)
{
	return wh_fail(err, WH_ECORRUPT, "a chunk's planes are damaged");
}

/* `*plane` is room for `n` bytes; what lies there as it is is read there. */
static enum wh_status decode_plane(struct zstd_coder *zstd, uint8_t how,
				   const uint8_t *coded, size_t size,
				   uint8_t *room, size_t n,
				   const uint8_t **plane, struct wh_error *err)
{
	*plane = room;
	switch (how) {
	case AS_IT_IS:
		if (size != n)
			return damaged(err);
		*plane = coded;
		return WH_OK;
	case FRAME:
		return zstd_decode(zstd, coded, size, NULL, 0, room, n, err);
	case ONE_BYTE:
		if (size != 1)
			return damaged(err);
		memset(room, coded[0], n);
		return WH_OK;
	default:
		return damaged(err);
	}
}

enum wh_status planes_decode(struct zstd_coder *zstd, const uint8_t *coded,
			     size_t size, uint8_t *scratch, uint8_t *out,
			     size_t len, struct wh_error *err)
{
	unsigned width = size ? coded[0] : 0, k;
	size_t head = 1 + (size_t)width * HEAD_OF_PLANE, at = head, n;
	const uint8_t *planes[MAX_PLANES];

	if (width == 0 || width > MAX_PLANES || (width & (width - 1)) ||
	    len % width || size < head)
		return damaged(err);
	n = len / width;
	for (k = 0; k < width; k++) {
		const uint8_t *plane = coded + 1 + k * HEAD_OF_PLANE;
		size_t some = get_le32(plane + 1);

		if (some > size - at)
			return damaged(err);
		WH_TRY(decode_plane(zstd, plane[0], coded + at, some,
				    scratch + k * n, n, &planes[k], err));
		at += some;
	}
	if (at != size)
		return damaged(err);
	interleave_join(width, planes, n, out);
	return WH_OK;
}
