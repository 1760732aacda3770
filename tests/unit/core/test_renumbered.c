#include "support/assert.h"

#include "core/renumbered.h"

static void only_keras_s_numbers_are_passed_over(void **state)
{
	static const struct {
		const char *a, *b;
		bool same;
	} cases[] = {
		{"dense", "dense", true},
		{"dense", "dense_1", true},
		{"dense_9/kernel:0", "dense_10/kernel:0", true},
		{"lstm_1/lstm_cell_4/bias", "lstm/lstm_cell/bias", true},
		{"adam_1/sequential_1_dense_2_kernel_momentum",
		 "adam/sequential_dense_kernel_momentum", true},
		{"dense_1.kernel", "dense_2.kernel", true},
		{"kernel_1:0", "kernel:0", true},
		{"dense", "conv", false},
		{"dense", "dense_x", false},
		{"dense", "dense1", false},
		{"dense", "dense_0", false},
		{"dense_1", "dense_01", false},
		{"dense_1x", "dense_2x", false},
		{"dense_9", "dense_9_b", false},
		{"conv2d_1", "conv3d_1", false},
		{"vars/1", "vars/2", false},
		{"_1", "_2", false},
		{"a/_1", "a/_2", false},
		{"dense_1/kernel", "dense_1/bias", false},
		{"dense", "dense/kernel", false},
		{"", "_1", false},
		{"", "", true},
	};
	size_t i;

	(void)state;
	for (i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
		if (renumbered_same(cases[i].a, cases[i].b) != cases[i].same ||
		    renumbered_same(cases[i].b, cases[i].a) != cases[i].same)
			fail_msg("%s, %s", cases[i].a, cases[i].b);
}

#define MAX_NAMES 8

/* NULL ends a list; `formers` is what each of `now` was, "" for none. */
static void names_are_paired_in_the_order_of_their_numbers(void **state)
{
	static const struct {
		const char *before[MAX_NAMES], *now[MAX_NAMES],
			*formers[MAX_NAMES];
	} cases[] = {
		{{"dense", "dense_1"},
		 {"dense_2", "dense_3"},
		 {"dense", "dense_1"}},
		/* As they are sorted by bytes. */
		{{"dense_8", "dense_9"},
		 {"dense_10", "dense_11"},
		 {"dense_8", "dense_9"}},
		{{"dense_10", "dense_8", "dense_9"},
		 {"dense_100", "dense_98", "dense_99"},
		 {"dense_10", "dense_8", "dense_9"}},
		/* A new process begins anew. */
		{{"dense_8", "dense_9"},
		 {"dense_1", "dense"},
		 {"dense_9", "dense_8"}},
		{{"a_1/b_2", "a_1/b_3", "a_2/b_1"},
		 {"a_4/b_9", "a_3/b_11", "a_3/b_10"},
		 {"a_2/b_1", "a_1/b_3", "a_1/b_2"}},
		{{"dense/kernel", "dense/bias", "conv/kernel", "out"},
		 {"exit", "conv_1/kernel", "dense_1/kernel", "dense_1/bias"},
		 {"", "conv/kernel", "dense/kernel", "dense/bias"}},
		/* One more, or one less. */
		{{"dense", "dense_1"}, {"dense_2"}, {""}},
		{{"dense"}, {"dense_1", "dense_2"}, {"", ""}},
		{{"conv", "dense"},
		 {"conv_1", "dense_1", "dense_2"},
		 {"conv", "", ""}},
		{{NULL}, {"dense"}, {""}},
		{{"dense"}, {NULL}, {NULL}},
	};
	struct wh_error err;
	size_t i;

	(void)state;
	for (i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		uint32_t pair[MAX_NAMES], n = 0, m = 0, k;

		while (cases[i].before[n])
			n++;
		while (cases[i].now[m])
			m++;
		assert_ok(renumbered_pair(cases[i].before, n, cases[i].now, m,
					  pair, &err),
			  &err);
		for (k = 0; k < m; k++)
			assert_string_equal(pair[k] == UINT32_MAX
						    ? ""
						    : cases[i].before[pair[k]],
					    cases[i].formers[k]);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(only_keras_s_numbers_are_passed_over),
		cmocka_unit_test(
			names_are_paired_in_the_order_of_their_numbers),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
