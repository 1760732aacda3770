/* Weighing: the same bits on any number of threads, what files claim, and
 * what goes wrong. */
#include "support/assert.h"
#include "support/one_weight.h"

#include <math.h>
#include <stdlib.h>

#include <weighhouse/source.h>

#define N_TENSORS 5
#define N_LARGE	  ((5 << 20) / 4 + 3)

static float *values;

static struct wh_source *make_source(void)
{
	static const uint64_t sizes[N_TENSORS] = {N_LARGE, 3, 0, N_LARGE / 2,
						  262144};
	struct wh_builder *builder = NULL;
	struct wh_source *source = NULL;
	struct wh_error err;
	char name[8];
	int i;

	assert_ok(wh_builder_new(&builder, &err), &err);
	for (i = 0; i < N_TENSORS; i++) {
		struct wh_array array = {.name = name,
					 .dtype = WH_FLOAT32,
					 .rank = 1,
					 .shape = &sizes[i],
					 .data = values + i};

		snprintf(name, sizeof(name), "t%d", i);
		assert_ok(wh_builder_weight(builder, &array, &err), &err);
	}
	assert_ok(wh_builder_finish(builder, &source, &err), &err);
	return source;
}

static int fill_values(void **state)
{
	uint64_t x = 88172645463325252u;
	size_t i;

	(void)state;
	values = malloc((N_LARGE + N_TENSORS) * sizeof(*values));
	for (i = 0; i < N_LARGE + N_TENSORS; i++) {
		x ^= x << 13, x ^= x >> 7, x ^= x << 17;
		values[i] = (float)((double)(x >> 11) * 0x1p-53 - 0.25);
	}
	values[1000] = NAN;
	values[2000] = -INFINITY;
	values[3000] = -0.0f;
	return 0;
}

static int free_values(void **state)
{
	(void)state;
	free(values);
	return 0;
}

#define ALL (WH_SHA256 | WH_CRC32C | WH_CRC32 | WH_STATISTICS)

static void any_number_of_threads_gives_the_same_bits(void **state)
{
	static const unsigned threads[] = {2, 3, 8, 64, 0};
	struct wh_source *one = make_source();
	struct wh_error err;
	size_t i;
	int k;

	(void)state;
	assert_ok(wh_source_weigh(one, ALL, 1, NULL, NULL, &err), &err);
	for (i = 0; i < sizeof(threads) / sizeof(threads[0]); i++) {
		struct wh_source *many = make_source();

		assert_ok(wh_source_weigh(many, ALL, threads[i], NULL, NULL,
					  &err),
			  &err);
		for (k = 0; k < N_TENSORS; k++) {
			const struct wh_tensor *a = &one->manifest.tensors[k];
			const struct wh_tensor *b = &many->manifest.tensors[k];

			assert_memory_equal(a->sha256, b->sha256, 32);
			assert_int_equal(a->crc32c, b->crc32c);
			assert_int_equal(a->crc32, b->crc32);
			assert_memory_equal(&a->statistics, &b->statistics,
					    sizeof(a->statistics));
		}
		wh_source_close(many);
	}
	assert_int_equal(one->manifest.tensors[0].statistics.n_nan, 1);
	assert_int_equal(one->manifest.tensors[0].statistics.n_inf, 1);
	wh_source_close(one);
}

static void only_what_is_needed_is_weighed(void **state)
{
	struct wh_source *source = make_source();
	struct wh_error err;

	(void)state;
	assert_ok(wh_source_weigh(source, WH_CRC32, 1, NULL, NULL, &err), &err);
	assert_int_equal(source->manifest.tensors[0].weighed, WH_CRC32);
	assert_ok(wh_source_weigh(source, WH_SHA256, 2, NULL, NULL, &err),
		  &err);
	assert_int_equal(source->manifest.tensors[0].weighed,
			 WH_CRC32 | WH_SHA256);
	wh_source_close(source);
}

static void what_a_file_claims_is_held_against_the_payload(void **state)
{
	struct wh_source *source = make_source();
	struct wh_error err;

	(void)state;
	source->manifest.tensors[3].has_expected_crc32c = true;
	source->manifest.tensors[3].expected_crc32c = 1;
	assert_fails(wh_source_weigh(source, ALL, 4, NULL, NULL, &err), &err,
		     WH_ECORRUPT, "t3");
	wh_source_close(source);
}

static int fail_later(void *arg, uint64_t offset, void *buf, size_t len)
{
	(void)arg;
	memset(buf, 1, len);
	return offset > (8 << 20);
}

static bool cancel(void *arg, const char *what, uint64_t done, uint64_t total)
{
	(void)what, (void)done, (void)total;
	++*(int *)arg;
	return false;
}

static void reading_may_fail_and_be_cancelled(void **state)
{
	const uint64_t size = 32 << 20;
	struct wh_array array = {.name = "w",
				 .dtype = WH_INT8,
				 .rank = 1,
				 .shape = &size,
				 .read = fail_later};
	struct wh_source *source = NULL;
	struct wh_error err;
	int n_calls = 0;

	(void)state;
	source = one_weight(NULL, NULL, &array);
	assert_fails(wh_source_weigh(source, ALL, 2, NULL, NULL, &err), &err,
		     WH_EIO, "w");
	assert_fails(wh_source_weigh(source, ALL, 2, cancel, &n_calls, &err),
		     &err, WH_ECANCELLED, "cancelled");
	assert_int_equal(n_calls, 1);
	assert_int_equal(source->manifest.tensors[0].weighed, 0);
	wh_source_close(source);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(any_number_of_threads_gives_the_same_bits),
		cmocka_unit_test(only_what_is_needed_is_weighed),
		cmocka_unit_test(
			what_a_file_claims_is_held_against_the_payload),
		cmocka_unit_test(reading_may_fail_and_be_cancelled),
	};

	return cmocka_run_group_tests(tests, fill_values, free_values);
}
