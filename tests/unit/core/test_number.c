#include "support/assert.h"

#include <math.h>

#include "core/number.h"

static double widen(enum wh_dtype dtype, uint64_t bits)
{
	uint8_t bytes[9];
	double value;
	int i;

	for (i = 0; i < 8; i++)
		bytes[1 + i] = (uint8_t)(bits >> 8 * i);
	number_to_double(dtype, bytes + 1, 1, &value); /* not aligned */
	return value;
}

static void every_dtype_is_widened(void **state)
{
	static const struct {
		enum wh_dtype dtype;
		uint64_t bits;
		double value;
	} cases[] = {
		{WH_FLOAT64, UINT64_C(0xbff8000000000000), -1.5},
		{WH_FLOAT64, 1, 0x1p-1074},
		{WH_FLOAT32, 0x00000001, 0x1p-149},
		{WH_FLOAT32, 0xff800000, -(double)INFINITY},
		{WH_BFLOAT16, 0x3fc0, 1.5},
		{WH_BFLOAT16, 0x0001, 0x1p-133},
		{WH_FLOAT16, 0x3e00, 1.5},
		{WH_FLOAT16, 0x8001, -0x1p-24},
		{WH_FLOAT16, 0xfc00, -(double)INFINITY},
		{WH_FLOAT8_E5M2, 0x3e, 1.5},
		{WH_FLOAT8_E5M2, 0x01, 0x1p-16},
		{WH_FLOAT8_E5M2, 0xfc, -(double)INFINITY},
		{WH_FLOAT8_E5M2, 0x7b, 57344},
		{WH_FLOAT8_E4M3FN, 0x7e, 448},
		{WH_FLOAT8_E4M3FN, 0x81, -0x1p-9},
		{WH_FLOAT8_E4M3FNUZ, 0x7f, 240},
		{WH_FLOAT8_E4M3B11FNUZ, 0x7f, 30},
		{WH_FLOAT8_E5M2FNUZ, 0x7f, 57344},
		{WH_INT8, 0x80, -128},
		{WH_UINT8, 0x80, 128},
		{WH_INT16, 0x8000, -32768},
		{WH_UINT16, 0x8000, 32768},
		{WH_INT32, 0x80000000, -2147483648.0},
		{WH_UINT32, 0x80000000, 2147483648.0},
		{WH_INT64, UINT64_C(1) << 63, -0x1p63},
		{WH_UINT64, UINT64_C(1) << 63, 0x1p63},
		{WH_BOOL, 1, 1},
	};
	size_t i;

	(void)state;
	for (i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		double got = widen(cases[i].dtype, cases[i].bits);

		assert_true(number_is_real(cases[i].dtype));
		if (memcmp(&got, &cases[i].value, sizeof(got)) != 0)
			fail_msg("%s: %g instead of %g",
				 wh_dtype_name(cases[i].dtype), got,
				 cases[i].value);
	}
}

static void what_is_no_number_is_nan(void **state)
{
	static const struct {
		enum wh_dtype dtype;
		uint64_t bits;
	} cases[] = {
		{WH_FLOAT64, UINT64_C(0x7ff0000000000001)},
		{WH_FLOAT32, 0x7f800001},
		{WH_BFLOAT16, 0xff81},
		{WH_FLOAT16, 0x7c01},
		{WH_FLOAT8_E5M2, 0x7d},
		{WH_FLOAT8_E5M2, 0xff},
		{WH_FLOAT8_E4M3FN, 0x7f},
		{WH_FLOAT8_E4M3FN, 0xff},
		{WH_FLOAT8_E4M3FNUZ, 0x80},
		{WH_FLOAT8_E4M3B11FNUZ, 0x80},
		{WH_FLOAT8_E5M2FNUZ, 0x80},
	};
	size_t i;

	(void)state;
	for (i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
		assert_true(isnan(widen(cases[i].dtype, cases[i].bits)));
}

static void others_are_not_real(void **state)
{
	(void)state;
	assert_false(number_is_real(WH_STRING));
	assert_false(number_is_real(WH_COMPLEX64));
	assert_false(number_is_real(WH_QINT8));
	assert_false(number_is_real(WH_INT4));
	assert_false(number_is_real(WH_DTYPE_NONE));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_dtype_is_widened),
		cmocka_unit_test(what_is_no_number_is_nan),
		cmocka_unit_test(others_are_not_real),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
