/* codec/zstd_frame.h: Zstandard (RFC 8878), the one place that knows it. */
#ifndef WH_CODEC_ZSTD_FRAME_H
#define WH_CODEC_ZSTD_FRAME_H

#include <stdbool.h>

#include "base/buf.h"
#include "base/error.h"

struct zstd_coder;

enum wh_status zstd_coder_new(struct zstd_coder **coder, struct wh_error *err);
void zstd_coder_free(struct zstd_coder *coder);

enum zstd_way {
	ZSTD_FAST,  /* level 1: level 3 gains under a point on weights */
	ZSTD_SMALL, /* for texts and skeletons */
	/* Literals only, Huffman-coded: no match is searched, which in planes
	 * of weights there are none of. Ordinary frames to any decoder. */
	ZSTD_HUFFMAN,
};

/** Appends one frame to `out`. `prefix`, or NULL: bytes that stand before the
 *  frame's window, and that decoding needs too. */
enum wh_status zstd_encode(struct zstd_coder *coder, enum zstd_way way,
			   const void *bytes, size_t len, const void *prefix,
			   size_t prefix_len, struct wh_buf *out,
			   struct wh_error *err);

/** WH_ECORRUPT unless the frame gives exactly `len` bytes. */
enum wh_status zstd_decode(struct zstd_coder *coder, const void *frame,
			   size_t size, const void *prefix, size_t prefix_len,
			   void *out, size_t len, struct wh_error *err);

#endif
