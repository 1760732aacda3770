/* codec/streams_encode.h: the writer of what streams.h says. */
#ifndef WH_CODEC_STREAMS_ENCODE_H
#define WH_CODEC_STREAMS_ENCODE_H

#include "base/buf.h"
#include "base/error.h"
#include "codec/ans.h"
#include "codec/streams.h"

/** How a symbol moves a state; `reciprocal` is 2^(32 + log) over `frequency`,
 *  rounded up, which divides all states that occur without an error. */
struct streams_symbol {
	uint64_t reciprocal;
	uint32_t frequency, start;
};

/** Of one model: STREAMS_SYMBOLS of them. */
void streams_symbols_make(struct streams_symbol *symbols,
			  const struct ans_model *model, unsigned log);

/** A chunk's elements, and by class (CLASS_DOWN or not) its model's symbols. */
struct streams_input {
	const uint8_t *symbols, *classes;
	const uint32_t *magnitudes;
	size_t n;
	const struct streams_symbol *rows[256];
	unsigned log;
};

/** Bytes of scratch memory that coding takes. */
size_t streams_scratch(size_t n);

/** Appends the body to `out`. */
enum wh_status streams_encode(const struct streams_input *input,
			      uint8_t *scratch, struct wh_buf *out,
			      struct wh_error *err);

#endif
