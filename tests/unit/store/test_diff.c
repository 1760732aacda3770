/* Two sources, tensor by tensor. */
#include "support/store.h"

#include <math.h>

#include <weighhouse/diff.h>

struct seen {
	struct wh_difference last, of[8];
	char names[8][64];
	int n;
};

static int note(void *arg, const struct wh_difference *difference)
{
	struct seen *seen = arg;

	seen->of[seen->n] = *difference;
	snprintf(seen->names[seen->n++], 64, "%s/%s %s", difference->layer,
		 difference->weight, wh_change_name(difference->change));
	return 0;
}

static struct wh_source *make(const struct wh_array *arrays, size_t n,
			      const char *layer)
{
	struct wh_builder *builder = NULL;
	struct wh_source *source = NULL;
	struct wh_error err;
	size_t i;

	assert_ok(wh_builder_new(&builder, &err), &err);
	assert_ok(wh_builder_layer(builder, layer, NULL, &err), &err);
	for (i = 0; i < n; i++)
		assert_ok(wh_builder_weight(builder, &arrays[i], &err), &err);
	assert_ok(wh_builder_finish(builder, &source, &err), &err);
	return source;
}

static const uint64_t four[] = {4}, square[] = {2, 2};
static const float x[4] = {1, 2, 3, 4}, y[4] = {1, 2, 3, 6},
		   wild[4] = {1, NAN, INFINITY, 4};

#define ARRAY(name_, dtype_, rank_, shape_, data_)                             \
	{                                                                      \
		.name = name_, .dtype = dtype_, .rank = rank_,                 \
		.shape = shape_, .data = data_                                 \
	}

static void every_kind_of_change_is_told(void **state)
{
	const struct wh_array before[] = {
		ARRAY("same", WH_FLOAT32, 1, four, x),
		ARRAY("changed", WH_FLOAT32, 1, four, x),
		ARRAY("reshaped", WH_FLOAT32, 1, four, x),
		ARRAY("retyped", WH_FLOAT32, 1, four, x),
		ARRAY("removed", WH_FLOAT32, 1, four, y),
		ARRAY("old", WH_FLOAT32, 2, square, y),
	};
	const struct wh_array after[] = {
		ARRAY("same", WH_FLOAT32, 1, four, x),
		ARRAY("changed", WH_FLOAT32, 1, four, y),
		ARRAY("reshaped", WH_FLOAT32, 2, square, x),
		ARRAY("retyped", WH_INT32, 1, four, x),
		ARRAY("added", WH_FLOAT32, 1, four, wild),
		ARRAY("new", WH_FLOAT32, 2, square, y),
	};
	struct wh_source *a = make(before, 6, "l"), *b = make(after, 6, "l");
	struct seen seen = {0};
	struct wh_error err;

	(void)state;
	assert_ok(wh_diff(a, b, NULL, note, &seen, &err), &err);
	assert_int_equal(seen.n, 6);
	assert_string_equal(seen.names[0], "l/changed changed");
	assert_string_equal(seen.names[1], "l/reshaped reshaped");
	assert_string_equal(seen.names[2], "l/retyped retyped");
	assert_string_equal(seen.names[3], "l/added added");
	assert_string_equal(seen.names[4], "l/new renamed");
	assert_string_equal(seen.names[5], "l/removed removed");
	assert_true(seen.of[0].has_norms);
	assert_true(fabs(seen.of[0].l2 - 2) < 1e-15);
	assert_true(fabs(seen.of[0].max_abs - 2) < 1e-15);
	assert_true(fabs(seen.of[0].mean_abs - 0.5) < 1e-15);
	assert_true(fabs(seen.of[0].changed - 0.25) < 1e-15);
	assert_true(fabs(seen.of[0].relative - 2 / sqrt(30)) < 1e-15);
	assert_true(fabs(seen.of[0].cosine - 38 / sqrt(30) / sqrt(50)) < 1e-15);
	assert_string_equal(seen.of[0].by, "key");
	assert_string_equal(seen.of[4].by, "sha256");
	wh_source_close(a);
	wh_source_close(b);
}

static const struct wh_source_ops *inner;
static int n_reads[2];

static enum wh_status counted_read(struct wh_source *source, uint32_t index,
				   uint64_t offset, void *buf, size_t len,
				   struct wh_error *err)
{
	n_reads[index]++;
	return inner->read(source, index, offset, buf, len, err);
}

static void equal_digests_are_not_read(void **state)
{
	const struct wh_array before[] = {
		ARRAY("same", WH_FLOAT32, 1, four, x),
		ARRAY("changed", WH_FLOAT32, 1, four, x),
	};
	const struct wh_array after[] = {
		ARRAY("same", WH_FLOAT32, 1, four, x),
		ARRAY("changed", WH_FLOAT32, 1, four, y),
	};
	struct wh_source *sources[] = {make(before, 2, "l"),
				       make(after, 2, "l")};
	struct wh_source_ops counting = *sources[0]->ops;
	struct seen seen = {0};
	struct wh_error err;
	int i;

	(void)state;
	inner = sources[0]->ops;
	counting.read = counted_read;
	for (i = 0; i < 2; i++) {
		assert_ok(wh_source_weigh(sources[i], WH_SHA256, 1, NULL, NULL,
					  &err),
			  &err);
		sources[i]->ops = &counting;
	}
	assert_ok(wh_diff(sources[0], sources[1], NULL, note, &seen, &err),
		  &err);
	assert_int_equal(seen.n, 1);
	assert_int_equal(n_reads[0], 0);
	assert_int_equal(n_reads[1], 2);
	wh_source_close(sources[0]);
	wh_source_close(sources[1]);
}

static void infinities_are_counted_and_tolerances_heeded(void **state)
{
	const struct wh_array arrays[] = {ARRAY("w", WH_FLOAT32, 1, four, x),
					  ARRAY("w", WH_FLOAT32, 1, four, wild),
					  ARRAY("w", WH_FLOAT32, 1, four, y)};
	struct wh_diff_options options = {.atol = 1, .rtol = 0.3};
	struct wh_source *a = make(&arrays[0], 1, "l");
	struct wh_source *b = make(&arrays[1], 1, "l");
	struct wh_source *c = make(&arrays[2], 1, "l");
	struct seen seen = {0};
	struct wh_error err;

	(void)state;
	assert_ok(wh_diff(a, b, NULL, note, &seen, &err), &err);
	assert_int_equal(seen.of[0].n_nan, 1);
	assert_int_equal(seen.of[0].n_inf, 1);
	assert_true(fabs(seen.of[0].l2) < 1e-15);
	assert_true(fabs(seen.of[0].changed - 0.5) < 1e-15);
	assert_ok(wh_diff(a, c, &options, note, &seen, &err), &err);
	assert_int_equal(seen.n, 1); /* 6 is within 1 + 0.3 * 4 of 4 */
	wh_source_close(a);
	wh_source_close(b);
	wh_source_close(c);
}

static void paths_pair_where_keys_do_not(void **state)
{
	const struct wh_array one[] = {ARRAY("k", WH_FLOAT32, 1, four, x)};
	const struct wh_array two[] = {ARRAY("k", WH_FLOAT32, 1, four, y)};
	struct wh_source *a = make(one, 1, "l"), *b = make(two, 1, "l");
	struct seen seen = {0};
	struct wh_error err;

	(void)state;
	a->manifest.tensors[0].key = "other";
	assert_ok(wh_diff(a, b, NULL, note, &seen, &err), &err);
	assert_int_equal(seen.n, 1);
	assert_string_equal(seen.of[0].by, "path");
	wh_source_close(a);
	wh_source_close(b);
}

static bool cancel(void *arg, const char *what, uint64_t done, uint64_t total)
{
	(void)arg, (void)done, (void)total;
	return strcmp(what, "comparing") != 0;
}

static void a_comparison_is_cancelled(void **state)
{
	const struct wh_array one[] = {ARRAY("k", WH_FLOAT32, 1, four, x)};
	const struct wh_array two[] = {ARRAY("k", WH_FLOAT32, 1, four, y)};
	struct wh_source *a = make(one, 1, "l"), *b = make(two, 1, "l");
	struct wh_diff_options options = {.progress = cancel};
	struct seen seen = {0};
	struct wh_error err;

	(void)state;
	assert_fails(wh_diff(a, b, &options, note, &seen, &err), &err,
		     WH_ECANCELLED, "cancelled");
	assert_int_equal(seen.n, 0);
	wh_source_close(a);
	wh_source_close(b);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_kind_of_change_is_told),
		cmocka_unit_test(equal_digests_are_not_read),
		cmocka_unit_test(infinities_are_counted_and_tolerances_heeded),
		cmocka_unit_test(paths_pair_where_keys_do_not),
		cmocka_unit_test(a_comparison_is_cancelled),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
