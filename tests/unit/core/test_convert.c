/* Conversions between dtypes: exact where they can be, else to nearest even. */
#include "support/assert.h"

#include <math.h>
#include <string.h>

#include "base/endian.h"
#include "core/convert.h"

static uint32_t to_float32(enum wh_dtype from, uint64_t bits)
{
	uint8_t in[8], out[4];

	put_le64(in, bits);
	convert_elements(from, in, WH_FLOAT32, out, 1);
	return get_le32(out);
}

static uint64_t from_float32(uint32_t bits, enum wh_dtype to)
{
	uint8_t in[4], out[8] = {0};

	put_le32(in, bits);
	convert_elements(WH_FLOAT32, in, to, out, 1);
	return get_le64(out);
}

/* Every pattern of 16 and 8 bits comes back through float32, NaN and -0 too. */
static void narrow_floats_come_back_through_wide_ones(void **state)
{
	static const enum wh_dtype kinds[] = {
		WH_FLOAT16,	      WH_BFLOAT16,	  WH_FLOAT8_E5M2,
		WH_FLOAT8_E4M3FN,     WH_FLOAT8_E4M3FNUZ, WH_FLOAT8_E5M2FNUZ,
		WH_FLOAT8_E4M3B11FNUZ};
	size_t i;
	uint32_t bits;

	(void)state;
	for (i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++) {
		uint32_t n = wh_dtype_size(kinds[i]) == 2 ? 65536 : 256;

		assert_int_equal(convert_loss(kinds[i], WH_FLOAT32),
				 CONVERT_EXACT);
		assert_int_equal(convert_loss(WH_FLOAT32, kinds[i]),
				 CONVERT_ROUNDS);
		for (bits = 0; bits < n; bits++)
			if (from_float32(to_float32(kinds[i], bits),
					 kinds[i]) != bits)
				fail_msg("%s %#x is lost",
					 wh_dtype_name(kinds[i]), bits);
	}
}

/* By ml_dtypes 0.6.0: np.float32(x).astype(...).view(...) */
static void rounding_is_that_of_ml_dtypes(void **state)
{
	static const struct {
		uint32_t bits;
		enum wh_dtype to;
		uint64_t expected;
	} known[] = {
		{0x3f808000, WH_BFLOAT16, 0x3f80}, /* tie to even */
		{0x3f818000, WH_BFLOAT16, 0x3f82},
		{0x7f7fffff, WH_BFLOAT16, 0x7f80}, /* rounds to infinity */
		{0x477fefff, WH_FLOAT16, 0x7bff},  /* 65519.996 */
		{0x477ff000, WH_FLOAT16, 0x7c00},  /* 65520 */
		{0x33000000, WH_FLOAT16, 0x0000},  /* 2^-25, tie to 0 */
		{0x33000001, WH_FLOAT16, 0x0001},
		{0x387fffff, WH_FLOAT16, 0x0400},     /* to the first normal */
		{0x43e00000, WH_FLOAT8_E4M3FN, 0x7e}, /* 448 */
		{0x43e80000, WH_FLOAT8_E4M3FN, 0x7e}, /* 464: tie to even */
		{0x43e80001, WH_FLOAT8_E4M3FN, 0x7f}, /* NaN */
		{0x7f800000, WH_FLOAT8_E4M3FN, 0x7f},
		{0xff800000, WH_FLOAT8_E4M3FN, 0xff},
		{0x7f800000, WH_FLOAT8_E5M2, 0x7c},
		{0x47600000, WH_FLOAT8_E5M2, 0x7b}, /* 57344 */
		{0x80000000, WH_FLOAT8_E4M3FNUZ, 0x00},
		{0x7fc00000, WH_FLOAT8_E4M3FNUZ, 0x80},
		{0x80000000, WH_FLOAT16, 0x8000},
		{0x7f800001, WH_BFLOAT16, 0x7fc0}, /* stays a NaN */
	};
	size_t i;

	(void)state;
	for (i = 0; i < sizeof(known) / sizeof(known[0]); i++)
		if (from_float32(known[i].bits, known[i].to) !=
		    known[i].expected)
			fail_msg("%#x as %s is %#llx", known[i].bits,
				 wh_dtype_name(known[i].to),
				 (unsigned long long)from_float32(known[i].bits,
								  known[i].to));
}

static unsigned half_of(double value, enum wh_dtype dtype)
{
	uint8_t in[8], out[2];
	uint64_t bits;

	memcpy(&bits, &value, sizeof(bits));
	put_le64(in, bits);
	convert_elements(WH_FLOAT64, in, dtype, out, 1);
	return get_le16(out);
}

/* Bits as numpy.float16 and ml_dtypes.bfloat16 print them. */
static void doubles_round_to_halves_as_numpy_does(void **state)
{
	(void)state;
	assert_int_equal(half_of(0.0, WH_FLOAT16), 0x0000);
	assert_int_equal(half_of(-0.0, WH_FLOAT16), 0x8000);
	assert_int_equal(half_of(1.0, WH_FLOAT16), 0x3c00);
	assert_int_equal(half_of(-2.0, WH_FLOAT16), 0xc000);
	assert_int_equal(half_of(65504.0, WH_FLOAT16), 0x7bff);
	assert_int_equal(half_of(65519.0, WH_FLOAT16), 0x7bff);
	assert_int_equal(half_of(65520.0, WH_FLOAT16), 0x7c00);
	assert_int_equal(half_of(ldexp(1, -14), WH_FLOAT16), 0x0400);
	assert_int_equal(half_of(ldexp(1, -24), WH_FLOAT16), 0x0001);
	assert_int_equal(half_of(ldexp(1, -25), WH_FLOAT16), 0x0000);
	assert_int_equal(half_of(ldexp(3, -25), WH_FLOAT16), 0x0002);
	assert_int_equal(half_of(1 + ldexp(1, -11), WH_FLOAT16), 0x3c00);
	assert_int_equal(half_of(1 + ldexp(3, -11), WH_FLOAT16), 0x3c02);
	assert_int_equal(half_of((double)INFINITY, WH_FLOAT16), 0x7c00);
	assert_int_equal(half_of(1.0, WH_BFLOAT16), 0x3f80);
	assert_int_equal(half_of(3.0e38, WH_BFLOAT16), 0x7f62);
	assert_int_equal(half_of(ldexp(1, -133), WH_BFLOAT16), 0x0001);
	assert_int_equal(half_of((double)NAN, WH_BFLOAT16) & 0x7fff, 0x7fc0);
}

static void payloads_of_nan_are_kept_by_wider_floats(void **state)
{
	uint8_t in[4], out[8];

	(void)state;
	assert_int_equal(to_float32(WH_BFLOAT16, 0xffa5), 0xffa50000);
	assert_int_equal(to_float32(WH_FLOAT16, 0x7c01), 0x7f802000);
	put_le32(in, 0xff812345);
	convert_elements(WH_FLOAT32, in, WH_FLOAT64, out, 1);
	assert_true(get_le64(out) == UINT64_C(0xfff02468a0000000));
}

static void integers_are_widened_by_value(void **state)
{
	static const uint8_t in[] = {0x07, 0x08, 0x0f};
	uint8_t out[3], halves[6];

	(void)state;
	convert_elements(WH_INT4, in, WH_INT8, out, 3);
	assert_int_equal((int8_t)out[0], 7);
	assert_int_equal((int8_t)out[1], -8);
	assert_int_equal((int8_t)out[2], -1);
	convert_elements(WH_UINT4, in, WH_UINT8, out, 3);
	assert_int_equal(out[2], 15);
	convert_elements(WH_INT4, in, WH_FLOAT16, halves, 3);
	assert_int_equal(get_le16(halves + 2), 0xc800); /* -8 */
}

/* By NumPy 2: np.int64(x).astype(np.float32).view(np.uint32), and so on. */
static void integers_are_rounded_once(void **state)
{
	static const struct {
		enum wh_dtype from;
		uint64_t value;
		uint32_t single;
		uint64_t wide;
	} known[] = {
		/* A little above a tie, which binary64 doesn't hold. */
		{WH_INT64, 0x40000040000001, 0x5a800001, 0x4350000010000000},
		{WH_INT64, 0x40000040000000, 0x5a800000, 0x4350000010000000},
		{WH_INT64, 0x400000c0000000, 0x5a800002, 0x4350000030000000},
		{WH_INT64, 0xffbfffffbfffffff, 0xda800001, 0xc350000010000000},
		{WH_INT64, 0x20000000000001, 0x5a000000, 0x4340000000000000},
		{WH_INT64, 0x8000000000000000, 0xdf000000, 0xc3e0000000000000},
		{WH_UINT64, 0xffffffffffffffff, 0x5f800000, 0x43f0000000000000},
		{WH_UINT64, 0x8000008000000001, 0x5f000001, 0x43e0000010000000},
		{WH_INT32, 0xfeffffff, 0xcb800000, 0xc170000010000000},
	};
	size_t i;

	(void)state;
	for (i = 0; i < sizeof(known) / sizeof(known[0]); i++) {
		uint8_t in[8], out[8];

		assert_int_equal(convert_loss(known[i].from, WH_FLOAT32),
				 CONVERT_ROUNDS);
		assert_int_equal(to_float32(known[i].from, known[i].value),
				 known[i].single);
		put_le64(in, known[i].value);
		convert_elements(known[i].from, in, WH_FLOAT64, out, 1);
		assert_true(get_le64(out) == known[i].wide);
	}
}

static void what_would_lose_much_is_no_cast(void **state)
{
	(void)state;
	assert_int_equal(convert_loss(WH_INT32, WH_INT8), CONVERT_NEVER);
	assert_int_equal(convert_loss(WH_FLOAT32, WH_INT32), CONVERT_NEVER);
	assert_int_equal(convert_loss(WH_INT8, WH_UINT8), CONVERT_NEVER);
	assert_int_equal(convert_loss(WH_INT64, WH_FLOAT64), CONVERT_ROUNDS);
	assert_int_equal(convert_loss(WH_UINT16, WH_FLOAT16), CONVERT_ROUNDS);
	assert_int_equal(convert_loss(WH_STRING, WH_FLOAT32), CONVERT_NEVER);
	assert_int_equal(convert_loss(WH_INT32, WH_FLOAT64), CONVERT_EXACT);
	assert_int_equal(convert_loss(WH_INT32, WH_FLOAT32), CONVERT_ROUNDS);
	assert_int_equal(convert_loss(WH_UINT8, WH_INT16), CONVERT_EXACT);
	assert_int_equal(convert_loss(WH_COMPLEX128, WH_COMPLEX64),
			 CONVERT_ROUNDS);
	assert_int_equal(convert_loss(WH_BFLOAT16, WH_FLOAT16), CONVERT_ROUNDS);
	assert_false(convert_is_kin(WH_INT64, WH_FLOAT32));
	assert_true(convert_is_kin(WH_FLOAT8_E5M2, WH_FLOAT32));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(narrow_floats_come_back_through_wide_ones),
		cmocka_unit_test(rounding_is_that_of_ml_dtypes),
		cmocka_unit_test(doubles_round_to_halves_as_numpy_does),
		cmocka_unit_test(payloads_of_nan_are_kept_by_wider_floats),
		cmocka_unit_test(integers_are_widened_by_value),
		cmocka_unit_test(integers_are_rounded_once),
		cmocka_unit_test(what_would_lose_much_is_no_cast),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
