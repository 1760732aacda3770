/* Many messages at once have the digests that OpenSSL gives each by itself. */
#include "support/assert.h"

#include <stdlib.h>
#include <string.h>

#include "base/sha256_lanes.h"

#define ROOM 5000

static uint8_t messages[SHA256_LANES][ROOM];

/* Bytes of xorshift64. */
static uint64_t next(void)
{
	static uint64_t x = 88172645463325252u;

	x ^= x << 13, x ^= x >> 7, x ^= x << 17;
	return x;
}

static int fill(void **state)
{
	unsigned lane, i;

	(void)state;
	for (lane = 0; lane < SHA256_LANES; lane++)
		for (i = 0; i < ROOM; i++)
			messages[lane][i] = (uint8_t)next();
	return 0;
}

static int as_before(void **state)
{
	(void)state;
	sha256_lanes_force(-1);
	return 0;
}

/* In two parts, of which the first ends at a block, as callers do. */
static void assert_digests(unsigned width, const uint64_t sizes[])
{
	uint8_t digests[SHA256_LANES][SHA256_SIZE], wanted[SHA256_SIZE];
	const uint8_t *at[SHA256_LANES];
	size_t n_first[SHA256_LANES], n_rest[SHA256_LANES];
	struct sha256_lanes lanes;
	struct wh_error err;
	unsigned lane;

	sha256_lanes_begin(&lanes);
	for (lane = 0; lane < width; lane++) {
		size_t n_blocks = (size_t)sizes[lane] / SHA256_BLOCK;

		at[lane] = messages[lane];
		n_first[lane] = n_blocks ? next() % (n_blocks + 1) : 0;
		n_rest[lane] = n_blocks - n_first[lane];
	}
	sha256_lanes_add(&lanes, width, at, n_first);
	for (lane = 0; lane < width; lane++)
		at[lane] += n_first[lane] * SHA256_BLOCK;
	sha256_lanes_add(&lanes, width, at, n_rest);
	for (lane = 0; lane < width; lane++)
		at[lane] += n_rest[lane] * SHA256_BLOCK;
	sha256_lanes_end(&lanes, width, at, sizes, digests);
	for (lane = 0; lane < width; lane++) {
		assert_ok(sha256_of(messages[lane], (size_t)sizes[lane], wanted,
				    &err),
			  &err);
		assert_memory_equal(digests[lane], wanted, SHA256_SIZE);
	}
}

static void assert_all(unsigned most)
{
	uint64_t sizes[SHA256_LANES];
	unsigned width, size, lane, i;

	sha256_lanes_force((int)most);
	if (sha256_lanes_width() != most)
		skip();
	/* Each length of a rest, and both numbers of blocks behind it. */
	for (size = 0; size < 3 * SHA256_BLOCK; size++) {
		for (lane = 0; lane < most; lane++)
			sizes[lane] = size;
		assert_digests(most, sizes);
	}
	for (i = 0; i < 200; i++) {
		width = 1 + (unsigned)(next() % most);
		for (lane = 0; lane < width; lane++)
			sizes[lane] = next() % (next() % 2 ? ROOM : 200);
		assert_digests(width, sizes);
	}
}

static void by_vectors_of_eight_words(void **state)
{
	(void)state;
	assert_all(8);
}

static void by_vectors_of_sixteen_words(void **state)
{
	(void)state;
	assert_all(16);
}

static void none_where_it_is_told_so(void **state)
{
	(void)state;
	sha256_lanes_force(0);
	assert_int_equal(sha256_lanes_width(), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(by_vectors_of_eight_words),
		cmocka_unit_test(by_vectors_of_sixteen_words),
		cmocka_unit_test(none_where_it_is_told_so),
	};

	return cmocka_run_group_tests(tests, fill, as_before);
}
