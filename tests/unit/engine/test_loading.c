/* Loading into a trainer's arrays, and saving them in the background. */
#include "support/assert.h"
#include "support/little.h"
#include "support/one_weight.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "config.h"
#include <weighhouse/weights.h>

static const uint64_t shape[] = {2, 3};

static struct wh_source *make_source(const float *kernel, uint64_t columns)
{
	const uint64_t own[] = {2, columns};
	struct wh_array array = {.name = "kernel",
				 .dtype = WH_FLOAT32,
				 .rank = 2,
				 .shape = own,
				 .data = kernel};

	return one_weight("fc", "Dense", &array);
}

static struct wh_target *make_target(const struct wh_destination *weight)
{
	struct wh_target *target;
	struct wh_error err;

	assert_ok(wh_target_new(&target, &err), &err);
	assert_ok(wh_target_layer(target, "fc", "Dense", &err), &err);
	assert_ok(wh_target_weight(target, weight, &err), &err);
	return target;
}

static const float values[2][3] = {{1, 2, 3}, {4, 5, 6}};

/* ---- Loading
 * ---------------------------------------------------------------- */

static void values_go_into_arrays_of_any_strides(void **state)
{
	double columns[3][2] = {{0}};
	const int64_t strides[] = {sizeof(double), 2 * sizeof(double)};
	struct wh_destination weight = {.name = "kernel",
					.dtype = WH_FLOAT64,
					.rank = 2,
					.shape = shape,
					.strides = strides,
					.data = columns};
	struct wh_target *target = make_target(&weight);
	struct wh_source *source = make_source(values[0], 3);
	struct wh_loaded loaded;
	struct wh_error err;
	int i, k;

	(void)state;
	assert_ok(wh_load_source(source, target, NULL, &loaded, &err), &err);
	for (i = 0; i < 2; i++)
		for (k = 0; k < 3; k++)
			assert_true(fabs(columns[k][i] - (double)values[i][k]) <
				    1e-9);
	assert_int_equal(loaded.matching, WH_MATCH_LAYERS);
	assert_int_equal(loaded.n_loaded, 1);
	assert_int_equal(loaded.n_kept + loaded.n_unused, 0);
	assert_int_equal(wh_target_weight(target, &weight, &err), WH_EINVAL);
	wh_source_close(source);
	wh_target_free(target);
}

static int take(void *arg, uint64_t offset, const void *bytes, size_t len)
{
	memcpy((char *)arg + offset, bytes, len);
	return 0;
}

static int refuse(void *arg, uint64_t offset, const void *bytes, size_t len)
{
	(void)arg, (void)offset, (void)bytes, (void)len;
	return 1;
}

static void values_go_to_callbacks(void **state)
{
	float found[2][3] = {{0}};
	struct wh_destination weight = {.name = "kernel",
					.dtype = WH_FLOAT32,
					.rank = 2,
					.shape = shape,
					.write = take,
					.arg = found};
	struct wh_target *target = make_target(&weight);
	struct wh_source *source = make_source(values[0], 3);
	struct wh_error err;

	(void)state;
	assert_ok(wh_load_source(source, target, NULL, NULL, &err), &err);
	make_little(found, sizeof(found), sizeof(found[0][0]));
	assert_memory_equal(found, values, sizeof(values));
	wh_target_free(target);
	weight.write = refuse;
	target = make_target(&weight);
	assert_int_equal(wh_load_source(source, target, NULL, NULL, &err),
			 WH_EIO);
	wh_target_free(target);
	wh_source_close(source);
}

static void what_does_not_fit_writes_nothing(void **state)
{
	float found[2][3] = {{7}};
	struct wh_destination weight = {.name = "kernel",
					.dtype = WH_FLOAT32,
					.rank = 2,
					.shape = shape,
					.data = found};
	struct wh_target *target = make_target(&weight);
	struct wh_source *source = make_source(values[0], 2);
	struct wh_error err;

	(void)state;
	assert_int_equal(wh_load_source(source, target, NULL, NULL, &err),
			 WH_EMISMATCH);
	assert_string_equal(err.message,
			    "Shape mismatch in layer #0 (named fc) for weight "
			    "fc/kernel. Weight expects shape (2, 3). Received "
			    "saved weight with shape (2, 2)");
	assert_int_equal((int)found[0][0], 7);
	wh_source_close(source);
	wh_target_free(target);
}

static void a_damaged_value_is_noticed(void **state)
{
	float kernel[2][3], found[2][3];
	struct wh_destination weight = {.name = "kernel",
					.dtype = WH_FLOAT32,
					.rank = 2,
					.shape = shape,
					.data = found};
	struct wh_target *target = make_target(&weight);
	struct wh_source *source;
	struct wh_error err;

	(void)state;
	memcpy(kernel, values, sizeof(kernel));
	source = make_source(kernel[0], 3);
	assert_ok(wh_source_weigh(source, WH_CRC32C, 1, NULL, NULL, &err),
		  &err);
	kernel[1][2] = 9;
	assert_int_equal(wh_load_source(source, target, NULL, NULL, &err),
			 WH_ECORRUPT);
	assert_non_null(strstr(err.message, "checksum does not match"));
	wh_source_close(source);
	wh_target_free(target);
}

/* ---- In the background
 * ------------------------------------------------------ */

#if HAVE_TF
static void check_saved(const char *path, const float *expected)
{
	float found[2][3];
	struct wh_destination weight = {.name = "kernel",
					.dtype = WH_FLOAT32,
					.rank = 2,
					.shape = shape,
					.data = found};
	struct wh_target *target = make_target(&weight);
	struct wh_load_weights_options options = {
		.assertion = WH_ASSERT_EXISTING_OBJECTS_MATCHED};
	struct wh_error err;

	assert_ok(wh_load_checkpoint(path, target, &options, NULL, &err), &err);
	assert_memory_equal(found, expected, sizeof(found));
	wh_target_free(target);
}

static void an_asynchronous_save_has_the_values_of_its_call(void **state)
{
	char folder[] = "/tmp/wh-async-XXXXXX", path[2][64];
	struct wh_pending_save *pending[2];
	struct wh_source *source;
	struct wh_saved saved;
	float kernel[2][3];
	struct wh_error err;
	int i;

	(void)state;
	assert_non_null(mkdtemp(folder));
	memcpy(kernel, values, sizeof(kernel));
	source = make_source(kernel[0], 3);
	for (i = 0; i < 2; i++) {
		snprintf(path[i], sizeof(path[i]), "%s/ckpt-%d", folder, i);
		assert_ok(wh_save_weights_async(source, path[i], NULL,
						&pending[i], &err),
			  &err);
		memset(kernel, 0, sizeof(kernel));
	}
	assert_ok(wh_save_wait(pending[1], NULL, &err), &err);
	assert_ok(wh_save_wait(pending[0], &saved, &err), &err);
	assert_string_equal(saved.format, "tf");
	assert_int_equal(saved.n_files, 2);
	wh_saved_free(&saved);
	check_saved(path[0], values[0]);
	check_saved(path[1], kernel[0]);
	wh_source_close(source);
}

static void its_error_waits(void **state)
{
	struct wh_source *source = make_source(values[0], 3);
	struct wh_pending_save *pending;
	struct wh_error err;

	(void)state;
	assert_ok(wh_save_weights_async(source, "/dev/null/ckpt", NULL,
					&pending, &err),
		  &err);
	assert_int_not_equal(wh_save_wait(pending, NULL, &err), WH_OK);
	assert_non_null(strstr(err.message, "/dev/null"));
	assert_ok(wh_save_wait(NULL, NULL, &err), &err);
	wh_source_close(source);
}
#endif

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(values_go_into_arrays_of_any_strides),
		cmocka_unit_test(values_go_to_callbacks),
		cmocka_unit_test(what_does_not_fit_writes_nothing),
		cmocka_unit_test(a_damaged_value_is_noticed),
#if HAVE_TF
		cmocka_unit_test(
			an_asynchronous_save_has_the_values_of_its_call),
		cmocka_unit_test(its_error_waits),
#endif
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
