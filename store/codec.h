/* codec.h: how a chunk's bytes are coded.
 *
 * A codec is a number in the chunk's row. Numbers are never reused; one that
 * this build doesn't know was written by a newer version.
 */
#ifndef WH_STORE_CODEC_H
#define WH_STORE_CODEC_H

#include "base/buf.h"

enum codec {
	CODEC_RAW = 0,	/* the bytes themselves */
	CODEC_ZSTD = 1, /* one Zstandard frame (RFC 8878) */
};

struct codec_encoder;

/** One a thread; reused for all its chunks. */
enum wh_status codec_encoder_new(struct codec_encoder **encoder,
				 struct wh_error *err);
void codec_encoder_free(struct codec_encoder *encoder);

/** Codes `len` bytes by what a cheap sample says: zstd if it gains at least
 *  a tenth there, else raw. The result is in `*out`, `*out_len`: the input
 * itself for raw, else memory of the encoder, valid until its next call. */
enum wh_status codec_encode(struct codec_encoder *encoder, const void *bytes,
			    size_t len, enum codec *codec, const void **out,
			    size_t *out_len, struct wh_error *err);

/** Decodes into exactly `len` bytes. WH_ECORRUPT; WH_EUNSUPPORTED. */
enum wh_status codec_decode(int64_t codec, const void *bytes, size_t n_bytes,
			    void *out, size_t len, struct wh_error *err);

#endif
