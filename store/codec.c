#include "codec.h"

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include <zstd.h>

#define LEVEL	      1	 /* level 3 gains under a point on weights */
#define SMALLEST      64 /* bytes: below it a frame's header eats the gain */
#define SAMPLE_PIECE  ((size_t)4 << 10)
#define SAMPLE_PIECES 4
#define SAMPLE_SIZE   (SAMPLE_PIECE * SAMPLE_PIECES)

struct codec_encoder {
	ZSTD_CCtx *context;
	struct wh_buf out;
	uint8_t sample[SAMPLE_SIZE];
};

void codec_encoder_free(struct codec_encoder *encoder)
{
	if (!encoder)
		return;
	ZSTD_freeCCtx(encoder->context);
	wh_buf_free(&encoder->out);
	free(encoder);
}

enum wh_status codec_encoder_new(struct codec_encoder **out,
				 struct wh_error *err)
{
	struct codec_encoder *encoder = calloc(1, sizeof(*encoder));

	if (!encoder)
		return wh_fail_memory(err);
	encoder->context = ZSTD_createCCtx();
	if (!encoder->context) {
		codec_encoder_free(encoder);
		return wh_fail_memory(err);
	}
	*out = encoder;
	return WH_OK;
}

static enum wh_status compress(struct codec_encoder *encoder, const void *bytes,
			       size_t len, size_t *out_len,
			       struct wh_error *err)
{
	size_t bound = ZSTD_compressBound(len), got;

	encoder->out.size = 0;
	WH_TRY(wh_buf_reserve(&encoder->out, bound, err));
	got = ZSTD_compressCCtx(encoder->context, encoder->out.data, bound,
				bytes, len, LEVEL);
	if (ZSTD_isError(got))
		return wh_fail(err, WH_ENOMEM, "zstd: %s",
			       ZSTD_getErrorName(got));
	*out_len = got;
	return WH_OK;
}

/* A tenth at least: lone float32 weights give up 7 to 8 %, and that is not
 * worth five times the time of storing and twice that of reading them. */
static bool gains(size_t coded, size_t raw)
{
	return coded <= raw - raw / 10;
}

/* Pieces from all over the chunk: a header or a run of zeros at the start of
 * a tensor says little about the rest. */
static enum wh_status sample_gains(struct codec_encoder *encoder,
				   const uint8_t *bytes, size_t len, bool *yes,
				   struct wh_error *err)
{
	size_t step = (len - SAMPLE_PIECE) / (SAMPLE_PIECES - 1), i;
	size_t coded = SAMPLE_SIZE;

	for (i = 0; i < SAMPLE_PIECES; i++)
		memcpy(encoder->sample + i * SAMPLE_PIECE, bytes + i * step,
		       SAMPLE_PIECE);
	WH_TRY(compress(encoder, encoder->sample, SAMPLE_SIZE, &coded, err));
	*yes = gains(coded, SAMPLE_SIZE);
	return WH_OK;
}

enum wh_status codec_encode(struct codec_encoder *encoder, const void *bytes,
			    size_t len, enum codec *codec, const void **out,
			    size_t *out_len, struct wh_error *err)
{
	bool worth = len >= SMALLEST;
	size_t coded = len;

	if (len > 2 * SAMPLE_SIZE)
		WH_TRY(sample_gains(encoder, bytes, len, &worth, err));
	if (worth)
		WH_TRY(compress(encoder, bytes, len, &coded, err));
	worth = worth && gains(coded, len);
	*codec = worth ? CODEC_ZSTD : CODEC_RAW;
	*out = worth ? encoder->out.data : bytes;
	*out_len = worth ? coded : len;
	return WH_OK;
}

enum wh_status codec_decode(int64_t codec, const void *bytes, size_t n_bytes,
			    void *out, size_t len, struct wh_error *err)
{
	size_t got;

	switch (codec) {
	case CODEC_RAW:
		if (n_bytes != len)
			return wh_fail(err, WH_ECORRUPT,
				       "a chunk of %zu bytes instead of %zu",
				       n_bytes, len);
		if (len)
			memcpy(out, bytes, len);
		return WH_OK;
	case CODEC_ZSTD:
		got = ZSTD_decompress(out, len, bytes, n_bytes);
		if (ZSTD_isError(got) || got != len)
			return wh_fail(err, WH_ECORRUPT,
				       "a chunk can't be decompressed");
		return WH_OK;
	default:
		return wh_fail(err, WH_EUNSUPPORTED,
			       "a chunk was written by a newer version of "
			       "weighhouse (codec %lld)",
			       (long long)codec);
	}
}
