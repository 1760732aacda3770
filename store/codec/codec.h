/* codec/codec.h: how a chunk's bytes are coded.
 *
 * A codec is a number in the chunk's row. Numbers are never reused; one that
 * this build doesn't know was written by a newer version. Each codec is a
 * line of the table in codec.c and a file of this folder.
 *
 *	raw	the bytes themselves
 *	zstd	one Zstandard frame (RFC 8878)
 *	planes	floats split into byte planes (planes.h)
 *	delta	numbers by their difference from a base (delta.h)
 *	patch	a Zstandard frame whose window begins with the base's chunk,
 *		for bytes that are no numbers: texts, skeletons of files
 *	same	the base's bytes; nothing is stored
 *	streams	as delta, many elements of up to 4 bytes at once (streams.h)
 */
#ifndef WH_STORE_CODEC_H
#define WH_STORE_CODEC_H

#include "base/buf.h"
#include "codec/element.h"

enum codec {
	CODEC_RAW = 0,
	CODEC_ZSTD = 1,
	CODEC_PLANES = 2,
	CODEC_DELTA = 3,
	CODEC_PATCH = 4,
	CODEC_SAME = 5,
	CODEC_STREAMS = 6,
};

/** How hard to try. */
enum codec_effort {
	CODEC_NONE = 0, /* all chunks raw */
	CODEC_FAST = 1, /* what gains little stays raw */
	CODEC_DENSE = 2,
};

/** The effort that "none", "fast" or "dense" names; false for another name. */
bool codec_effort_of(const char *name, enum codec_effort *effort);

/** What a chunk may be coded against: the same chunk of its base, if it has
 *  one, and of the base's own base, if that has one. */
struct codec_reference {
	const uint8_t *base, *context; /* or NULL */
	size_t base_size, context_size;
};

/** A chunk on its way into the store. */
struct codec_input {
	const uint8_t *bytes;
	size_t size;
	struct codec_element element;
	struct codec_reference reference;
	enum codec_effort effort;
};

/** `bytes` are the input's own, or memory of the coder that is valid until its
 *  next call. */
struct codec_output {
	enum codec codec;
	const uint8_t *bytes;
	size_t size;
	bool uses_base, uses_context; /* decoding needs them */
};

struct codec_coder; /* scratch memory; for one thread, and reused */

enum wh_status codec_coder_new(struct codec_coder **coder,
			       struct wh_error *err);
void codec_coder_free(struct codec_coder *coder);

/** The smallest of what a cheap sample finds worth a try. */
enum wh_status codec_encode(struct codec_coder *coder,
			    const struct codec_input *input,
			    struct codec_output *output, struct wh_error *err);

/** Gives the memory of the last output away, which is `bytes` if that isn't
 *  the input's own; the coder goes on with `other`'s, which may be none. */
void codec_take(struct codec_coder *coder, struct wh_buf *other);

/** Whether decoding such a chunk reads its base; WH_EUNSUPPORTED. */
enum wh_status codec_needs(int64_t codec, bool *base, struct wh_error *err);

/** Decodes into exactly `size` bytes, which may be the context's own: each
 *  element's is read before it is written. WH_ECORRUPT, also where `coded_size`
 *  is more than `size`, so that the time is bounded by the latter;
 *  WH_EUNSUPPORTED for what a newer version wrote. */
enum wh_status codec_decode(struct codec_coder *coder, int64_t codec,
			    const uint8_t *coded, size_t coded_size,
			    const struct codec_reference *reference,
			    uint8_t *out, size_t size, struct wh_error *err);

#endif
