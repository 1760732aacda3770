#include "support/assert.h"

#include "base/checked.h"

static void sums_and_products_do_not_wrap(void **state)
{
	uint64_t out = 7;

	(void)state;
	assert_true(checked_add(UINT64_MAX - 1, 1, &out));
	assert_true(out == UINT64_MAX);
	assert_false(checked_add(UINT64_MAX, 1, &out));
	assert_true(checked_mul(UINT64_C(1) << 32, UINT32_MAX, &out));
	assert_false(checked_mul(UINT64_C(1) << 32, UINT64_C(1) << 32, &out));
}

static void ranges_fit_or_do_not(void **state)
{
	(void)state;
	assert_true(range_fits(0, 0, 0));
	assert_true(range_fits(10, 0, 10));
	assert_true(range_fits(3, 7, 10));
	assert_false(range_fits(3, 8, 10));
	assert_false(range_fits(11, 0, 10));
	assert_false(range_fits(UINT64_MAX, 2, 10));
	assert_false(range_fits(2, UINT64_MAX, 10));
}

static void shapes_have_their_number_of_elements(void **state)
{
	const uint64_t large[] = {UINT64_C(1) << 60, UINT64_C(1) << 60, 0};
	const uint64_t plain[] = {2, 3, 4};
	uint64_t n;

	(void)state;
	assert_true(checked_shape(NULL, 0, &n));
	assert_int_equal(n, 1);
	assert_true(checked_shape(plain, 3, &n));
	assert_int_equal(n, 24);
	assert_true(checked_shape(large, 3, &n));
	assert_int_equal(n, 0);
	assert_false(checked_shape(large, 2, &n));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(sums_and_products_do_not_wrap),
		cmocka_unit_test(ranges_fit_or_do_not),
		cmocka_unit_test(shapes_have_their_number_of_elements),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
