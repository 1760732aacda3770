#include "support/assert.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/endian.h"
#include "codec/codec.h"
#include "codec/delta.h"
#include "codec/streams_encode.h"
#include "support/checked.h"

#define MAX_SIZE ((size_t)1 << 20)

/* xorshift64*: the same bits on every machine. */
static uint64_t random_state;

static uint64_t next_random(void)
{
	random_state ^= random_state >> 12;
	random_state ^= random_state << 25;
	random_state ^= random_state >> 27;
	return random_state * UINT64_C(2685821657736338717);
}

static const enum wh_dtype dtypes[] = {
	WH_FLOAT32,
	WH_FLOAT64,
	WH_UINT8,
	WH_INT16,
	WH_BFLOAT16,
	WH_STRING,
	WH_INT32,
	WH_INT8,
	WH_COMPLEX64,
	WH_INT64,
	WH_BOOL,
	WH_UINT16,
	WH_COMPLEX128,
	WH_FLOAT16,
	WH_UINT32,
	WH_UINT64,
	WH_FLOAT8_E5M2,
	WH_FLOAT8_E4M3FN,
	WH_FLOAT8_E4M3FNUZ,
	WH_FLOAT8_E5M2FNUZ,
	WH_INT4,
};

#define N_DTYPES (sizeof(dtypes) / sizeof(dtypes[0]))
#define N_WAYS	 7u /* the first ones: each is coded in another way */

/* Where all is slow one dtype of each way is coded at length. */
static bool is_too_long(size_t dtype, size_t size)
{
	return dtype >= N_WAYS && size > 70000 && is_checked();
}

struct bench { /* what a test codes with, and for */
	struct codec_coder *coder;
	uint8_t *value, *base, *context, *back;
	struct wh_error err;
};

static int set_up(void **state)
{
	struct bench *b = calloc(1, sizeof(*b));

	random_state = 88172645463325252u;
	b->value = malloc(MAX_SIZE);
	b->base = malloc(MAX_SIZE);
	b->context = malloc(MAX_SIZE);
	b->back = malloc(MAX_SIZE);
	assert_ok(codec_coder_new(&b->coder, &b->err), &b->err);
	*state = b;
	return 0;
}

static int tear_down(void **state)
{
	struct bench *b = *state;

	element_kernels_limit(LEVEL_FASTEST);
	codec_coder_free(b->coder);
	free(b->value);
	free(b->base);
	free(b->context);
	free(b->back);
	free(b);
	return 0;
}

static void fill(uint8_t *bytes, size_t size)
{
	size_t i;

	for (i = 0; i < size; i++)
		bytes[i] = (uint8_t)(next_random() >> 56);
}

/* Near the other one: each byte's low bits, at a place of a width's multiple,
 * are others; `odds` of 16 elements are touched. */
static void nudge(uint8_t *bytes, const uint8_t *other, size_t size,
		  unsigned odds)
{
	size_t i;

	for (i = 0; i < size; i++) {
		bytes[i] = other[i];
		if (i % 4 < 2 && (next_random() >> 60) < odds)
			bytes[i] ^= (uint8_t)(next_random() >> 58);
	}
}

static struct codec_output encode(struct bench *b, enum wh_dtype dtype,
				  size_t size, unsigned links,
				  enum codec_effort effort)
{
	struct codec_input input = {
		.bytes = b->value,
		.size = size,
		.element = codec_element_of(dtype),
		.effort = effort,
	};
	struct codec_output output;

	if (links > 0) {
		input.reference.base = b->base;
		input.reference.base_size = size;
	}
	if (links > 1) {
		input.reference.context = b->context;
		input.reference.context_size = size;
	}
	assert_ok(codec_encode(b->coder, &input, &output, &b->err), &b->err);
	return output;
}

static enum wh_status decode(struct bench *b, enum codec codec,
			     const uint8_t *coded, size_t coded_size,
			     size_t size)
{
	struct codec_reference reference = {b->base, b->context, size, size};

	return codec_decode(b->coder, codec, coded, coded_size, &reference,
			    b->back, size, &b->err);
}

/* Over its own context, as chains are decoded. */
static void assert_decodes_in_place(struct bench *b, enum codec codec,
				    const uint8_t *coded, size_t coded_size,
				    size_t size)
{
	struct codec_reference reference = {b->base, b->back, size, size};

	memcpy(b->back, b->context, size);
	assert_ok(codec_decode(b->coder, codec, coded, coded_size, &reference,
			       b->back, size, &b->err),
		  &b->err);
	assert_memory_equal(b->back, b->value, size);
}

/* A copy of just so many bytes, so that sanitizers see a read behind them. */
static uint8_t *copy_of(const uint8_t *bytes, size_t size)
{
	uint8_t *copy = malloc(size ? size : 1);

	if (size)
		memcpy(copy, bytes, size);
	return copy;
}

static enum codec round_trip(struct bench *b, enum wh_dtype dtype, size_t size,
			     unsigned links, enum codec_effort effort)
{
	struct codec_output output = encode(b, dtype, size, links, effort);
	uint8_t *coded = copy_of(output.bytes, output.size);

	assert_true(output.size <= size);
	memset(b->back, 0xa5, size);
	assert_ok(decode(b, output.codec, coded, output.size, size), &b->err);
	assert_memory_equal(b->back, b->value, size);
	assert_decodes_in_place(b, output.codec, coded, output.size, size);
	free(coded);
	return output.codec;
}

static const size_t sizes[] = {0,    1,	   7,	 63,	64,    65,    1000,
			       4095, 4099, 8192, 16400, 65544, 300008};

#define N_SIZES (sizeof(sizes) / sizeof(sizes[0]))

static void every_dtype_and_length_comes_back(void **state)
{
	struct bench *b = *state;
	size_t i, k;
	unsigned links;

	for (i = 0; i < N_DTYPES; i++)
		for (k = 0; k < N_SIZES; k++)
			for (links = 0; links < 3 && !is_too_long(i, sizes[k]);
			     links++) {
				fill(b->context, sizes[k]);
				nudge(b->base, b->context, sizes[k], 9);
				nudge(b->value, b->base, sizes[k], 5);
				round_trip(b, dtypes[i], sizes[k], links,
					   CODEC_FAST);
				round_trip(b, dtypes[i], sizes[k], links,
					   CODEC_DENSE);
			}
}

static void random_bits_come_back(void **state)
{
	struct bench *b = *state;
	size_t i;

	for (i = 0; i < N_DTYPES; i++) {
		fill(b->context, 100000);
		fill(b->base, 100000);
		fill(b->value, 100000);
		assert_int_equal(
			round_trip(b, WH_STRING, 100000, 0, CODEC_FAST),
			CODEC_RAW);
		round_trip(b, dtypes[i], 100000, 2, CODEC_FAST);
	}
}

/* Infinities, both zeros, denormals, and NaNs whose payloads differ. */
static void special_floats_come_back(void **state)
{
	static const uint32_t specials[] = {
		0x00000000, 0x80000000, 0x00000001, 0x80000001, 0x007fffff,
		0x7f800000, 0xff800000, 0x7f800001, 0xffc12345, 0x7fffffff,
		0xffffffff, 0x7f7fffff, 0x00800000, 0x3f800000, 0xbf800000};
	struct bench *b = *state;
	size_t i, n = 50000, size = 4 * n;

	for (i = 0; i < n; i++) {
		put_le32(b->base + 4 * i, specials[next_random() % 15]);
		put_le32(b->context + 4 * i, specials[next_random() % 15]);
		memcpy(b->value + 4 * i, b->base + 4 * i, 4);
		if (next_random() % 8 == 0)
			put_le32(b->value + 4 * i,
				 specials[next_random() % 15]);
	}
	assert_int_equal(round_trip(b, WH_FLOAT32, size, 2, CODEC_FAST),
			 CODEC_STREAMS);
	assert_int_equal(round_trip(b, WH_FLOAT32, 4000, 2, CODEC_FAST),
			 CODEC_DELTA);
	round_trip(b, WH_FLOAT16, size, 2, CODEC_FAST);
	round_trip(b, WH_BFLOAT16, size, 1, CODEC_FAST);
	round_trip(b, WH_FLOAT64, size, 2, CODEC_FAST);
	round_trip(b, WH_FLOAT32, size, 0, CODEC_FAST);
}

static void what_is_equal_costs_nothing(void **state)
{
	struct bench *b = *state;
	struct codec_output output;

	fill(b->base, 5000);
	memcpy(b->value, b->base, 5000);
	output = encode(b, WH_FLOAT32, 5000, 1, CODEC_FAST);
	assert_int_equal(output.codec, CODEC_SAME);
	assert_int_equal(output.size, 0);
	assert_true(output.uses_base);
	round_trip(b, WH_FLOAT32, 5000, 1, CODEC_FAST);
}

static void the_effort_none_stores_raw(void **state)
{
	struct bench *b = *state;

	memset(b->value, 0, 5000);
	memset(b->base, 0, 5000);
	assert_int_equal(round_trip(b, WH_FLOAT32, 5000, 1, CODEC_NONE),
			 CODEC_RAW);
}

/* Weights near 0.05 that move a little, twice: the usual case. */
static void train(struct bench *b, size_t n)
{
	size_t i;

	for (i = 0; i < n; i++) {
		float at = 0.05f + 1e-9f * (float)(next_random() >> 40);
		float step = 1e-10f * (float)(next_random() >> 44);
		uint32_t raw;

		memcpy(&raw, &at, 4);
		put_le32(b->context + 4 * i, raw);
		at += step;
		memcpy(&raw, &at, 4);
		put_le32(b->base + 4 * i, raw);
		at += step * 0.9f;
		memcpy(&raw, &at, 4);
		put_le32(b->value + 4 * i, raw);
	}
}

/* Also where the last states are not all in use, and where some of the words
 * or bits are too few for a vector. */
static void all_kernels_give_the_same_bytes(void **state)
{
	static const size_t lengths[] = {800000, 65536 + 4, 65536 * 4 - 8,
					 4096};
	struct bench *b = *state;
	size_t i;

	for (i = 0; i < N_DTYPES * 8; i++) {
		size_t len = lengths[i / 2 % 4], size;
		unsigned links = 1 + i % 2, level;
		enum wh_dtype dtype = dtypes[i / 8];
		struct codec_output output;
		uint8_t *portable;

		if (is_too_long(i / 8, len))
			continue;
		train(b, 200000);
		assert_true(element_kernels_limit(LEVEL_PORTABLE));
		output = encode(b, dtype, len, links, CODEC_FAST);
		size = output.size;
		portable = copy_of(output.bytes, size);
		for (level = LEVEL_PORTABLE; level <= LEVEL_FASTEST; level++) {
			if (!element_kernels_limit(level))
				continue;
			output = encode(b, dtype, len, links, CODEC_FAST);
			assert_int_equal(output.size, size);
			assert_memory_equal(output.bytes, portable, size);
			memset(b->back, 0xa5, len);
			assert_ok(decode(b, output.codec, portable, size, len),
				  &b->err);
			assert_memory_equal(b->back, b->value, len);
			assert_decodes_in_place(b, output.codec, portable, size,
						len);
		}
		free(portable);
	}
}

/* What the kernels of this level write, portable ones write too. */
static void assert_same_bytes(struct bench *b, enum wh_dtype dtype, size_t size)
{
	const struct element_kernels *kernels = element_kernels();
	struct codec_output output = encode(b, dtype, size, 2, CODEC_FAST);
	uint8_t *coded = copy_of(output.bytes, output.size);
	size_t coded_size = output.size;

	assert_true(element_kernels_limit(LEVEL_PORTABLE));
	output = encode(b, dtype, size, 2, CODEC_FAST);
	assert_int_equal(output.size, coded_size);
	assert_memory_equal(output.bytes, coded, coded_size);
	assert_true(element_kernels_limit(kernels->level));
	free(coded);
}

/* Moves of every length, up and down: symbols that hardly occur, and bits that
 * fill all of a vector's line. */
static void moves_of_every_length_come_back(void **state)
{
	static const enum wh_dtype narrow[] = {WH_INT32, WH_FLOAT32, WH_INT16,
					       WH_BFLOAT16, WH_INT8};
	struct bench *b = *state;
	size_t n = 70001, i, k;
	unsigned level;

	for (i = 0; i < n; i++) {
		uint32_t base = (uint32_t)(next_random() >> 32);
		/* In runs, so that a vector has long ones alone. */
		unsigned most = (unsigned)(i / 64 % 4 ? 4 : 33);
		uint32_t move = (uint32_t)((next_random() >> 31) >>
					   (33 - next_random() % most));

		put_le32(b->context + 4 * i, base - move / 2);
		put_le32(b->base + 4 * i, base);
		put_le32(b->value + 4 * i,
			 next_random() % 2 ? base + move : base - move);
	}
	for (k = 0; k < sizeof(narrow) / sizeof(narrow[0]); k++)
		for (level = LEVEL_PORTABLE; level <= LEVEL_FASTEST; level++)
			if (element_kernels_limit(level)) {
				round_trip(b, narrow[k], 4 * n, 2, CODEC_FAST);
				assert_same_bytes(b, narrow[k], 4 * n);
			}
	assert_int_equal(round_trip(b, WH_INT32, 4 * n, 2, CODEC_FAST),
			 CODEC_STREAMS);
}

/* Where a quotient changes, and the largest states: by every frequency that a
 * model can have. */
static void states_are_divided_exactly(void **state)
{
	struct streams_symbol symbols[STREAMS_SYMBOLS];
	uint32_t f, log, i;

	(void)state;
	for (log = 8; log <= ANS_LOG_MAX; log++)
		for (f = 1; f <= UINT32_C(1) << log; f++) {
			struct ans_model model = {.frequency = {(uint16_t)f}};
			uint32_t most = UINT32_C(1) << (32 - log);

			streams_symbols_make(symbols, &model, log);
			for (i = 0; i < 3000; i++) {
				uint32_t q =
					i < 1000 ? most - 1 - i
						 : (uint32_t)(next_random() %
							      most);

				assert_int_equal(streams_divide(symbols, q * f),
						 q);
				assert_int_equal(
					streams_divide(symbols, q * f + f - 1),
					q);
			}
		}
}

/* Whether what was coded is what `b->value` is decoded from. */
static enum wh_status prove(struct bench *b, struct delta_coder *coder,
			    const struct wh_buf *coded, size_t size)
{
	struct delta_reference reference = {b->base, b->context};

	return delta_prove(coder, &reference, coded->data, coded->size,
			   b->value, size, &b->err);
}

static void one_bit_spoils_a_proof(void **state)
{
	struct bench *b = *state;
	struct delta_reference reference = {b->base, b->context};
	size_t size = 4 * 70001, i;
	struct delta_coder *coder = NULL;
	struct wh_buf coded = {0};
	enum delta_result result;

	train(b, size / 4);
	assert_ok(delta_coder_new(&coder, &b->err), &b->err);
	assert_ok(delta_encode(coder, codec_element_of(WH_FLOAT32), &reference,
			       b->value, size, size, &coded, &result, &b->err),
		  &b->err);
	assert_int_equal(result, DELTA_STREAMS);
	assert_ok(prove(b, coder, &coded, size), &b->err);
	for (i = 0; i < 100; i++) {
		uint8_t *at = b->value + (size - 1) * i / 99;

		*at ^= 1;
		assert_int_equal(prove(b, coder, &coded, size), WH_ECORRUPT);
		*at ^= 1;
		at = coded.data + (coded.size - 1) * i / 99;
		*at ^= 1;
		assert_int_equal(prove(b, coder, &coded, size), WH_ECORRUPT);
		*at ^= 1;
	}
	assert_ok(prove(b, coder, &coded, size), &b->err);
	wh_buf_free(&coded);
	delta_coder_free(coder);
}

/* What the first builds wrote of many narrow elements: four lanes, which
 * nothing writes any more. golden/README.md says how it was made. */
static void the_first_builds_chunks_decode(void **state)
{
	struct bench *b = *state;
	size_t size = 0, len = 4 * 4096;
	FILE *file = fopen(GOLDEN "/codec/lanes.chunk", "rb");
	uint8_t *coded = malloc(len);

	assert_non_null(file);
	size = fread(coded, 1, len, file);
	fclose(file);
	train(b, 4096);
	assert_int_equal(size, 6758);
	assert_ok(decode(b, CODEC_DELTA, coded, size, len), &b->err);
	assert_memory_equal(b->back, b->value, len);
	assert_int_equal(decode(b, CODEC_STREAMS, coded, size, len),
			 WH_ECORRUPT);
	free(coded);
}

static void a_small_step_takes_less_than_half(void **state)
{
	struct bench *b = *state;
	struct codec_output output;

	train(b, 100000);
	output = encode(b, WH_FLOAT32, 400000, 2, CODEC_FAST);
	assert_int_equal(output.codec, CODEC_STREAMS);
	assert_true(output.uses_base && output.uses_context);
	assert_true(output.size < 200000);
}

/* Planes by Huffman codes alone, or with a search for repeats. */
static void planes_are_coded_as_they_merit(void **state)
{
	struct bench *b = *state;
	struct codec_output output;
	size_t n = MAX_SIZE / 4, i;

	for (i = 0; i < n; i++) {
		uint64_t random = next_random();
		/* A normal distribution's exponents, about. */
		unsigned zeros = (unsigned)__builtin_ctzll(random | 1 << 20);

		put_le32(b->value + 4 * i,
			 (127 - zeros) << 23 | (uint32_t)(random >> 41));
	}
	output = encode(b, WH_FLOAT32, MAX_SIZE, 0, CODEC_FAST);
	assert_int_equal(output.codec, CODEC_PLANES);
	assert_true(output.size < MAX_SIZE / 100 * 84);
	/* The same row over and over: next to nothing. */
	for (i = 256; i < n; i++)
		memcpy(b->value + 4 * i, b->value + 4 * (i - 256), 4);
	output = encode(b, WH_FLOAT32, MAX_SIZE, 0, CODEC_DENSE);
	assert_true(output.size < MAX_SIZE / 100 * 80);
	/* A row in a hundred, the others zero. */
	memset(b->value + 1024, 0, MAX_SIZE - 1024);
	for (i = 25600; i < n; i += 25600)
		memcpy(b->value + 4 * i, b->value, 1024);
	output = encode(b, WH_FLOAT32, MAX_SIZE, 0, CODEC_FAST);
	assert_true(output.size < MAX_SIZE / 50);
	assert_ok(decode(b, output.codec, output.bytes, output.size, MAX_SIZE),
		  &b->err);
	assert_memory_equal(b->back, b->value, MAX_SIZE);
}

static void a_shifted_text_is_a_patch_of_its_base(void **state)
{
	struct bench *b = *state;
	struct codec_reference reference = {.base = b->base,
					    .base_size = 50000};
	struct codec_input input = {
		.bytes = b->value,
		.size = 50100,
		.element = codec_element_of(WH_UINT8),
		.reference = reference,
		.effort = CODEC_FAST,
	};
	struct codec_output output;

	fill(b->base, 50000);
	fill(b->value, 100);
	memcpy(b->value + 100, b->base, 50000);
	assert_ok(codec_encode(b->coder, &input, &output, &b->err), &b->err);
	assert_int_equal(output.codec, CODEC_PATCH);
	assert_true(output.size < 400);
	assert_ok(codec_decode(b->coder, output.codec, output.bytes,
			       output.size, &reference, b->back, 50100,
			       &b->err),
		  &b->err);
	assert_memory_equal(b->back, b->value, 50100);
}

static void a_codec_of_a_newer_version_is_named(void **state)
{
	struct bench *b = *state;

	assert_int_equal(decode(b, (enum codec)99, b->base, 10, 10),
			 WH_EUNSUPPORTED);
	assert_non_null(strstr(b->err.message, "newer version"));
}

/* Else megabytes of frames, each with tables and none with a byte, would be
 * read for one small value. */
static void what_is_longer_than_its_value_is_refused(void **state)
{
	static const uint8_t skipped[] = {0x50, 0x2a, 0x4d, 0x18, 0, 0, 0, 0};
	struct bench *b = *state;
	struct codec_output output;
	uint8_t *coded = malloc(2000);
	size_t n = 0;

	memset(b->value, 'a', 1000);
	output = encode(b, WH_STRING, 1000, 0, CODEC_FAST);
	assert_int_equal(output.codec, CODEC_ZSTD);
	for (; n + sizeof(skipped) + output.size <= 1000; n += sizeof(skipped))
		memcpy(coded + n, skipped, sizeof(skipped));
	memcpy(coded + n, output.bytes, output.size);
	assert_ok(decode(b, CODEC_ZSTD, coded, n + output.size, 1000), &b->err);
	memmove(coded + sizeof(skipped), coded, n + output.size);
	memcpy(coded, skipped, sizeof(skipped));
	assert_int_equal(decode(b, CODEC_ZSTD, coded,
				n + sizeof(skipped) + output.size, 1000),
			 WH_ECORRUPT);
	assert_non_null(strstr(b->err.message, "for a value of 1000"));
	free(coded);
}

/* Whatever is in a chunk: a status, never a crash, a hang, a byte written
 * outside; the CRC in the row finds what decodes to something else. */
static void damage(struct bench *b, const struct codec_output *output,
		   size_t size, unsigned rounds)
{
	uint8_t *coded = copy_of(output->bytes, output->size);
	enum codec codec = output->codec;
	size_t coded_size = output->size;

	if (is_checked())
		rounds /= 4;
	while (rounds--) {
		size_t cut = next_random() % 4
				     ? coded_size
				     : (size_t)(next_random() % coded_size);
		uint8_t *bad = copy_of(coded, cut);
		unsigned flips = (unsigned)(next_random() % 4);

		while (cut && flips--)
			bad[next_random() % (flips	 ? cut
					     : cut < 400 ? cut
							 : 400)] ^=
				(uint8_t)(1u << next_random() % 8);
		(void)decode(b, codec, bad, cut, size);
		free(bad);
	}
	free(coded);
}

static void damaged_chunks_are_survived(void **state)
{
	struct bench *b = *state;
	struct codec_output output;
	size_t i;

	for (i = 0; i < N_DTYPES; i++) {
		train(b, 6000);
		output = encode(b, dtypes[i], 24000, 2, CODEC_FAST);
		damage(b, &output, 24000, 300);
		output = encode(b, dtypes[i], 24000, 0, CODEC_DENSE);
		damage(b, &output, 24000, 100);
		output = encode(b, dtypes[i], 4000, 1, CODEC_FAST);
		damage(b, &output, 4000, 300);
		train(b, 20000);
		output = encode(b, dtypes[i], 80000, 2, CODEC_FAST);
		damage(b, &output, 80000, 100);
	}
}

#define with_bench(test)                                                       \
	cmocka_unit_test_setup_teardown(test, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		with_bench(every_dtype_and_length_comes_back),
		with_bench(random_bits_come_back),
		with_bench(special_floats_come_back),
		with_bench(what_is_equal_costs_nothing),
		with_bench(the_effort_none_stores_raw),
		with_bench(all_kernels_give_the_same_bytes),
		with_bench(moves_of_every_length_come_back),
		with_bench(states_are_divided_exactly),
		with_bench(one_bit_spoils_a_proof),
		with_bench(the_first_builds_chunks_decode),
		with_bench(a_small_step_takes_less_than_half),
		with_bench(planes_are_coded_as_they_merit),
		with_bench(a_shifted_text_is_a_patch_of_its_base),
		with_bench(a_codec_of_a_newer_version_is_named),
		with_bench(what_is_longer_than_its_value_is_refused),
		with_bench(damaged_chunks_are_survived),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
