/* A chunk as a store may hold it: any codec, any bytes, any bases. The first
 * four bytes: codec and dtype; sizes in units of what comes out (0xff: the
 * base's), of the base and of the context, whose bytes follow, then the
 * chunk's. The base is also coded against the context, and must come back. */
#include "fuzz/fuzz.h"

#include "codec/codec.h"

#define HEAD 4u
#define UNIT 32u

static struct codec_coder *coder;

/* Exactly `size` bytes, with zeros where the input ends. */
static uint8_t *take(const uint8_t **at, const uint8_t *end, size_t size)
{
	size_t left = (size_t)(end - *at), there = size < left ? size : left;
	uint8_t *copy = calloc(1, size ? size : 1);

	require(copy);
	memcpy(copy, *at, there);
	*at += there;
	return copy;
}

static void decode(uint8_t kind, const struct codec_reference *reference,
		   const uint8_t *coded, size_t coded_size, size_t size)
{
	uint8_t *out = calloc(1, size ? size : 1);
	struct wh_error err;

	require(out);
	if (codec_decode(coder, kind, coded, coded_size, reference, out, size,
			 &err))
		require(*err.message);
	free(out);
}

static void code(enum wh_dtype dtype, const struct codec_reference *reference)
{
	struct codec_input input = {
		.bytes = reference->base,
		.size = reference->base_size,
		.element = codec_element_of(dtype),
		.reference = {.base = reference->context,
			      .base_size = reference->context_size},
		.effort = CODEC_DENSE,
	};
	uint8_t *back = malloc(input.size + 1);
	struct codec_output output;
	struct wh_error err;

	require(back && !codec_encode(coder, &input, &output, &err));
	require(!codec_decode(coder, output.codec, output.bytes, output.size,
			      &input.reference, back, input.size, &err));
	require(memcmp(back, input.bytes, input.size) == 0);
	free(back);
}

static void free_coder(void)
{
	codec_coder_free(coder);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len)
{
	static const enum wh_dtype dtypes[] = {
		WH_FLOAT32, WH_FLOAT16, WH_BFLOAT16, WH_FLOAT64,
		WH_INT32,   WH_INT64,	WH_UINT8,    WH_STRING};
	const uint8_t *at = bytes + HEAD, *end = bytes + len;
	struct codec_reference reference = {0};
	uint8_t *base, *context, *coded;
	size_t size, coded_size;

	if (len < HEAD)
		return 0;
	if (!coder) {
		require(!codec_coder_new(&coder, NULL));
		atexit(free_coder);
	}
	reference.base_size = bytes[2] * UNIT;
	reference.context_size = bytes[3] * UNIT;
	reference.base = base = take(&at, end, reference.base_size);
	reference.context = context = take(&at, end, reference.context_size);
	coded_size = (size_t)(end - at);
	coded = take(&at, end, coded_size);
	size = bytes[1] == 0xff ? reference.base_size : bytes[1] * UNIT;
	decode(bytes[0] % 8, &reference, coded, coded_size, size);
	code(dtypes[bytes[0] / 8 % 8], &reference);
	free(base);
	free(context);
	free(coded);
	return 0;
}
