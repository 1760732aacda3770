/* Tensors that are hashed side by side get what each gets by itself. */
#include "support/assert.h"

#include <stdlib.h>
#include <string.h>

#include <weighhouse/source.h>

#include "base/crc.h"
#include "base/sha256_lanes.h"
#include "core/weigh.h"
#include "support/checked.h"

#define N_TENSORS 70
#define HUGE_SIZE ((uint64_t)20 << 20)
#define MIB	  ((uint64_t)1 << 20)
#define ALL	  (WH_SHA256 | WH_CRC32C | WH_CRC32 | WH_STATISTICS)

static uint8_t *bytes;

/* What a test wants to know or to spoil about reading another source. */
struct watched {
	struct wh_source base; /* first: they are cast into each other */
	struct wh_source_ops ops;
	struct wh_source *inner;
	_Atomic size_t most; /* bytes of a read; exact by one thread */
	uint32_t broken;     /* the tensor that can't be read beyond a MiB */
};

static enum wh_status read_watched(struct wh_source *base, uint32_t index,
				   uint64_t offset, void *buf, size_t len,
				   struct wh_error *err)
{
	struct watched *watched = (struct watched *)base;

	if (len > watched->most)
		watched->most = len;
	if (index == watched->broken && offset >= MIB) {
		*err = (struct wh_error){.status = WH_EIO,
					 .message = "the disk is gone"};
		return WH_EIO;
	}
	return wh_source_read(watched->inner, index, offset, buf, len, err);
}

static void close_watched(struct wh_source *base)
{
	struct watched *watched = (struct watched *)base;

	wh_source_close(watched->inner);
	free(watched);
}

/* One that is far larger than all others, some of each size, and an odd one. */
static uint64_t size_of(int i)
{
	static const uint64_t sizes[] = {
		2 * MIB + 4, 2 * MIB + 4, 3 * MIB, 2 * MIB,  MIB,      MIB + 4,
		MIB - 4,     40000,	  32768,   32772,    65536,    12,
		0,	     4,		  60,	   64,	     300 * 4};

	return i == 7 ? HUGE_SIZE : sizes[i % 17];
}

static struct wh_source *make_source(void)
{
	struct wh_builder *builder = NULL;
	struct wh_source *source = NULL;
	struct wh_error err;
	char name[8];
	int i;

	assert_ok(wh_builder_new(&builder, &err), &err);
	for (i = 0; i < N_TENSORS; i++) {
		uint64_t n = size_of(i) / 4;
		struct wh_array array = {.name = name,
					 .dtype = i % 3 ? WH_FLOAT32 : WH_INT32,
					 .rank = 1,
					 .shape = &n,
					 .data = bytes + 4 * i};

		snprintf(name, sizeof(name), "t%d", i);
		assert_ok(wh_builder_weight(builder, &array, &err), &err);
	}
	assert_ok(wh_builder_finish(builder, &source, &err), &err);
	return source;
}

static struct watched *watch(bool scattered)
{
	struct watched *watched = calloc(1, sizeof(*watched));

	assert_non_null(watched);
	watched->inner = make_source();
	watched->base.manifest = watched->inner->manifest;
	watched->ops = (struct wh_source_ops){.read = read_watched,
					      .close = close_watched,
					      .concurrent = true,
					      .scattered = scattered};
	watched->base.ops = &watched->ops;
	watched->broken = UINT32_MAX;
	return watched;
}

static int fill(void **state)
{
	uint64_t x = 88172645463325252u;
	size_t i;

	(void)state;
	bytes = malloc(HUGE_SIZE + 4 * N_TENSORS);
	if (!bytes)
		return 1;
	for (i = 0; i < HUGE_SIZE + 4 * N_TENSORS; i++) {
		x ^= x << 13, x ^= x >> 7, x ^= x << 17;
		bytes[i] = (uint8_t)x;
	}
	return 0;
}

static int end(void **state)
{
	(void)state;
	free(bytes);
	sha256_lanes_force(-1);
	return 0;
}

static void assert_same(const struct wh_source *a, const struct wh_source *b)
{
	uint32_t i;

	for (i = 0; i < N_TENSORS; i++) {
		const struct wh_tensor *x = &a->manifest.tensors[i];
		const struct wh_tensor *y = &b->manifest.tensors[i];

		assert_int_equal(x->weighed, ALL);
		assert_int_equal(y->weighed, ALL);
		assert_memory_equal(x->sha256, y->sha256, sizeof(x->sha256));
		assert_int_equal(x->crc32c, y->crc32c);
		assert_int_equal(x->crc32, y->crc32);
		assert_int_equal(x->has_statistics, y->has_statistics);
		if (x->has_statistics)
			assert_memory_equal(&x->statistics, &y->statistics,
					    sizeof(x->statistics));
	}
}

static void weigh_as_one_by_one(unsigned width)
{
	static const unsigned threads[] = {1, 2, 5};
	struct wh_source *alone = make_source();
	struct wh_error err;
	size_t i;

	sha256_lanes_force(0);
	assert_ok(wh_source_weigh(alone, ALL, 1, NULL, NULL, &err), &err);
	sha256_lanes_force((int)width);
	if (sha256_lanes_width() != width) {
		wh_source_close(alone);
		skip();
	}
	/* Where all is slow, by the most alone. */
	for (i = is_checked() ? 2 : 0; i < sizeof(threads) / sizeof(threads[0]);
	     i++) {
		struct wh_source *many = make_source();

		assert_ok(wh_source_weigh(many, ALL, threads[i], NULL, NULL,
					  &err),
			  &err);
		assert_same(alone, many);
		wh_source_close(many);
	}
	wh_source_close(alone);
}

static void eight_at_once_get_what_each_gets_alone(void **state)
{
	(void)state;
	weigh_as_one_by_one(8);
}

static void sixteen_at_once_get_what_each_gets_alone(void **state)
{
	(void)state;
	weigh_as_one_by_one(16);
}

/* As wide as there is; the rest of the tests is skipped without. */
static void force_any(void)
{
	sha256_lanes_force(16);
	if (!sha256_lanes_width())
		skip();
}

/* All but the huge one is read in pieces; where that is dear, nothing is. */
static void only_sources_that_are_read_in_pieces_easily_are(void **state)
{
	struct weigh_probe probes[N_TENSORS] = {0};
	struct wh_error err;
	int scattered;

	(void)state;
	force_any();
	probes[7].skip = true;
	for (scattered = 0; scattered < 2; scattered++) {
		struct watched *watched = watch(scattered);

		assert_ok(weigh_unlike(&watched->base, ALL, 1, NULL, NULL,
				       probes, &err),
			  &err);
		if (scattered)
			assert_true(watched->most < MIB / 8);
		else
			assert_int_equal(watched->most, MIB);
		wh_source_close(&watched->base);
	}
}

static void a_tensor_that_is_larger_than_all_others_is_alone(void **state)
{
	struct weigh_probe probes[N_TENSORS] = {0};
	struct watched *watched;
	struct wh_error err;

	(void)state;
	force_any();
	watched = watch(true);
	assert_ok(weigh_mark_lanes(&watched->base, ALL, 1, probes, &err), &err);
	assert_false(probes[7].in_lanes);
	assert_true(probes[0].in_lanes);
	assert_true(probes[N_TENSORS - 1].in_lanes);
	assert_int_equal(watched->most, 0);
	wh_source_close(&watched->base);
}

static void none_is_marked_where_threads_are_sooner_done(void **state)
{
	struct weigh_probe probes[N_TENSORS] = {0};
	struct watched *watched;
	struct wh_error err;
	int i;

	(void)state;
	force_any();
	watched = watch(true);
	for (i = 12; i < N_TENSORS; i++)
		probes[i].skip = true;
	assert_ok(weigh_mark_lanes(&watched->base, ALL, 8, probes, &err), &err);
	for (i = 0; i < N_TENSORS; i++)
		assert_false(probes[i].in_lanes);
	wh_source_close(&watched->base);
}

static void first_chunks_say_what_is_found(void **state)
{
	struct weigh_probe probes[N_TENSORS] = {0};
	struct wh_source *source;
	struct wh_error err;
	int i;

	(void)state;
	force_any();
	source = make_source();
	for (i = 0; i < N_TENSORS; i++) {
		uint64_t size = size_of(i);

		probes[i].has_first = i % 2;
		probes[i].first_crc32c =
			crc32c_update(0, bytes + 4 * i,
				      (size_t)(size < MIB ? size : MIB)) ^
			(i % 4 == 1);
		probes[i].skips_unlike = i % 8 == 5;
	}
	assert_ok(weigh_unlike(source, ALL, 1, NULL, NULL, probes, &err), &err);
	for (i = 0; i < N_TENSORS; i++) {
		bool alike = i % 4 == 3 && size_of(i);
		bool skip = i % 8 == 5 && size_of(i);
		unsigned found = skip ? 0 : alike ? WEIGH_IDENTITY : ALL;

		assert_int_equal(probes[i].is_alike, alike);
		assert_int_equal(probes[i].skip, skip);
		assert_int_equal(source->manifest.tensors[i].weighed, found);
	}
	wh_source_close(source);
}

static void a_read_that_fails_is_told(void **state)
{
	static const unsigned threads[] = {1, 3};
	struct wh_error err;
	size_t i;

	(void)state;
	force_any();
	for (i = 0; i < 2; i++) {
		struct watched *watched = watch(true);

		watched->broken = 2;
		assert_int_equal(wh_source_weigh(&watched->base, ALL,
						 threads[i], NULL, NULL, &err),
				 WH_EIO);
		assert_string_equal(err.message, "the disk is gone");
		wh_source_close(&watched->base);
	}
}

static bool cancel(void *arg, const char *what, uint64_t done, uint64_t total)
{
	(void)what;
	assert_true(done && done <= total);
	++*(int *)arg;
	return false;
}

static void a_cancel_reads_no_further(void **state)
{
	struct wh_source *source;
	struct wh_error err;
	int asked = 0;

	(void)state;
	force_any();
	source = make_source();
	assert_int_equal(wh_source_weigh(source, ALL, 1, cancel, &asked, &err),
			 WH_ECANCELLED);
	assert_int_equal(asked, 1);
	assert_int_equal(source->manifest.tensors[N_TENSORS - 1].weighed, 0);
	wh_source_close(source);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(eight_at_once_get_what_each_gets_alone),
		cmocka_unit_test(sixteen_at_once_get_what_each_gets_alone),
		cmocka_unit_test(
			only_sources_that_are_read_in_pieces_easily_are),
		cmocka_unit_test(
			a_tensor_that_is_larger_than_all_others_is_alone),
		cmocka_unit_test(none_is_marked_where_threads_are_sooner_done),
		cmocka_unit_test(first_chunks_say_what_is_found),
		cmocka_unit_test(a_read_that_fails_is_told),
		cmocka_unit_test(a_cancel_reads_no_further),
	};

	return cmocka_run_group_tests(tests, fill, end);
}
