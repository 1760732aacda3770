/* The settings for literals alone are of zstd's "experimental" part, which
 * stands in the header under this macro; the library has them either way. */
#define ZSTD_STATIC_LINKING_ONLY
#include "codec/zstd_frame.h"

#include <stdlib.h>

#include <zstd.h>

/* ZSTD_ps_enable, once named ZSTD_lcm_huffman: 1 in every version. */
#define ALWAYS 1

struct zstd_coder {
	ZSTD_CCtx *encoder;
	ZSTD_DCtx *decoder;
};

enum wh_status zstd_coder_new(struct zstd_coder **out, struct wh_error *err)
{
	*out = calloc(1, sizeof(**out));
	return *out ? WH_OK : wh_fail_memory(err);
}

void zstd_coder_free(struct zstd_coder *coder)
{
	if (!coder)
		return;
	ZSTD_freeCCtx(coder->encoder);
	ZSTD_freeDCtx(coder->decoder);
	free(coder);
}

/* The search for matches strides over a whole block: what a negative level
 * still finds in planes of weights costs more than it gains. */
static size_t literals_alone(ZSTD_CCtx *encoder)
{
	size_t code = ZSTD_CCtx_setParameter(
		encoder, ZSTD_c_literalCompressionMode, ALWAYS);

	if (ZSTD_isError(code))
		return code;
	code = ZSTD_CCtx_setParameter(encoder, ZSTD_c_hashLog,
				      ZSTD_HASHLOG_MIN);
	if (ZSTD_isError(code))
		return code;
	return ZSTD_CCtx_setParameter(encoder, ZSTD_c_targetLength,
				      ZSTD_TARGETLENGTH_MAX);
}

static bool choose_way(ZSTD_CCtx *encoder, enum zstd_way way)
{
	static const int levels[] = {
		[ZSTD_FAST] = 1, [ZSTD_SMALL] = 5, [ZSTD_HUFFMAN] = -100};
	size_t code;

	ZSTD_CCtx_reset(encoder, ZSTD_reset_session_and_parameters);
	code = ZSTD_CCtx_setParameter(encoder, ZSTD_c_compressionLevel,
				      levels[way]);
	if (!ZSTD_isError(code) && way == ZSTD_HUFFMAN)
		code = literals_alone(encoder);
	return !ZSTD_isError(code);
}

static enum wh_status failed(size_t code, struct wh_error *err)
{
	return wh_fail(err, WH_ENOMEM, "zstd: %s", ZSTD_getErrorName(code));
}

enum wh_status zstd_encode(struct zstd_coder *coder, enum zstd_way way,
			   const void *bytes, size_t len, const void *prefix,
			   size_t prefix_len, struct wh_buf *out,
			   struct wh_error *err)
{
	size_t bound = ZSTD_compressBound(len), got;

	if (!coder->encoder)
		coder->encoder = ZSTD_createCCtx();
	if (!coder->encoder || !choose_way(coder->encoder, way))
		return wh_fail_memory(err);
	if (prefix) {
		got = ZSTD_CCtx_refPrefix(coder->encoder, prefix, prefix_len);
		if (ZSTD_isError(got))
			return failed(got, err);
	}
	WH_TRY(wh_buf_reserve(out, bound, err));
	got = ZSTD_compress2(coder->encoder, out->data + out->size, bound,
			     bytes, len);
	if (ZSTD_isError(got))
		return failed(got, err);
	out->size += got;
	return WH_OK;
}

enum wh_status zstd_decode(struct zstd_coder *coder, const void *frame,
			   size_t size, const void *prefix, size_t prefix_len,
			   void *out, size_t len, struct wh_error *err)
{
	size_t got;

	if (!coder->decoder)
		coder->decoder = ZSTD_createDCtx();
	if (!coder->decoder)
		return wh_fail_memory(err);
	ZSTD_DCtx_reset(coder->decoder, ZSTD_reset_session_only);
	if (prefix) {
		got = ZSTD_DCtx_refPrefix(coder->decoder, prefix, prefix_len);
		if (ZSTD_isError(got))
			return failed(got, err);
	}
	got = ZSTD_decompressDCtx(coder->decoder, out, len, frame, size);
	if (ZSTD_isError(got) || got != len)
		return wh_fail(err, WH_ECORRUPT,
			       "a chunk can't be decompressed");
	return WH_OK;
}
