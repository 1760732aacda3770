/* Input: the codec, how the elements are to be coded again, then a chunk. It
 * is decoded against values that are always the same; every kernel must say
 * the same of it. What it gave is coded again, and must come back. */
#include "codec/codec.h"

#include "base/endian.h"
#include "fuzz/fuzz.h"

#define SIZE ((size_t)80008) /* bytes of the chunk */

static uint8_t base[SIZE], context[SIZE], first[SIZE], other[SIZE];

static const struct codec_reference reference = {base, context, SIZE, SIZE};

/* Floats of all exponents near 1 that moved by a little. */
static void make_values(void)
{
	uint32_t state = 1;
	size_t i;

	for (i = 0; i < SIZE; i += 4) {
		state = state * 1664525 + 1013904223;
		put_le32(context + i, 0x3c000000 + (state >> 6));
		put_le32(base + i,
			 0x3c000000 + (state >> 6) - (state & 0xffff) + 0x7000);
	}
}

static enum wh_status decode(struct codec_coder *coder, unsigned codec,
			     const uint8_t *bytes, size_t len, uint8_t *out)
{
	return codec_decode(coder, codec, bytes, len, &reference, out, SIZE,
			    NULL);
}

static void code_again(struct codec_coder *coder, unsigned how)
{
	struct codec_input input = {
		.bytes = first,
		.size = SIZE,
		.element = codec_element_of((enum wh_dtype)(how % 64)),
		.reference = reference,
		.effort = how & 128 ? CODEC_DENSE : CODEC_FAST,
	};
	struct codec_output output;

	if (how & 64)
		input.reference.context = NULL;
	require(!codec_encode(coder, &input, &output, NULL));
	require(!codec_decode(coder, output.codec, output.bytes, output.size,
			      &input.reference, other, SIZE, NULL));
	require(memcmp(first, other, SIZE) == 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len)
{
	struct codec_coder *coder;
	enum wh_status status, again;
	unsigned level;

	if (len < 2)
		return 0;
	require(!codec_coder_new(&coder, NULL));
	make_values();
	require(element_kernels_limit(LEVEL_PORTABLE));
	status = decode(coder, bytes[0], bytes + 2, len - 2, first);
	for (level = LEVEL_PORTABLE + 1; level <= LEVEL_FASTEST; level++) {
		if (!element_kernels_limit((enum element_level)level))
			continue;
		again = decode(coder, bytes[0], bytes + 2, len - 2, other);
		require(again == status);
		require(status || memcmp(first, other, SIZE) == 0);
	}
	if (!status)
		code_again(coder, bytes[1]);
	codec_coder_free(coder);
	return 0;
}
