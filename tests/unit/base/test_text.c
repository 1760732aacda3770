#include "support/assert.h"

#include "base/error.h"
#include "base/text.h"

static void control_characters_are_escaped(void **state)
{
	char out[64];

	(void)state;
	text_escape("a\n\x1b[2J", 6, out, sizeof(out));
	assert_string_equal(out, "a\\x0a\\x1b[2J");
	text_escape("\xe2\x80\xae", 3, out, sizeof(out)); /* RLO */
	assert_string_equal(out, "\\xe2\\x80\\xae");
	text_escape("d\xc3\xa9j\xc3\xa0", 6, out, sizeof(out));
	assert_string_equal(out, "d\xc3\xa9j\xc3\xa0");
}

static void escaping_never_cuts_a_character(void **state)
{
	char out[4];

	(void)state;
	text_escape("ab\xc3\xa9", 4, out, sizeof(out));
	assert_string_equal(out, "ab");
}

static void names_are_utf8_without_nul(void **state)
{
	size_t i;

	(void)state;
	assert_true(text_is_name("kernel:0", 8));
	assert_true(text_is_name("", 0));
	assert_false(text_is_name("a\0b", 3));
	assert_false(text_is_name("\xc0\x80", 2));
	assert_false(text_is_name("\xed\xa0\x80", 3));
	assert_false(text_is_name("\xff", 1));
	assert_true(text_is_name("a_layer_of_000001/kernel:0", 26));
	assert_true(text_is_name("\x01\x02\x7f\x03\x04\x05\x06\x07", 8));
	assert_true(text_is_name("seven_é_and_more_é", 20));
	for (i = 0; i < 24; i++) {
		char name[25] = "three times eight bytes!";

		name[i] = '\0';
		assert_false(text_is_name(name, 24));
		name[i] = '\x80';
		assert_false(text_is_name(name, 24));
	}
}

static void numbers_are_whole_strings(void **state)
{
	uint64_t u;
	int64_t i;
	double d;

	(void)state;
	assert_true(text_to_u64("18446744073709551615", &u));
	assert_true(u == UINT64_MAX);
	assert_false(text_to_u64("18446744073709551616", &u));
	assert_false(text_to_u64("1 ", &u));
	assert_true(text_to_i64("-9223372036854775808", &i));
	assert_true(i == INT64_MIN);
	assert_false(text_to_i64("9223372036854775808", &i));
	assert_true(text_to_double("1e-3", &d));
	assert_false(text_to_double("1e-3x", &d));
}

static void near_words_are_found(void **state)
{
	(void)state;
	assert_int_equal(text_distance("comit", "commit", 3), 1);
	assert_int_equal(text_distance("lgo", "log", 3), 1);
	assert_int_equal(text_distance("kernel", "ekrnle", 3), 2);
	assert_int_equal(text_distance("", "abc", 3), 3);
	assert_int_equal(text_distance("abc", "xyz", 2), 3);
}

static void a_message_grows_outwards(void **state)
{
	struct wh_error err;

	(void)state;
	assert_int_equal(wh_fail(&err, WH_ECORRUPT, "bad\nthing"), WH_ECORRUPT);
	wh_error_prefix(&err, "tensor '%s'", "w");
	assert_string_equal(err.message, "tensor 'w': bad\\x0athing");
}

static void decimals_are_those_of_printf(void **state)
{
	static const uint64_t values[] = {0,	 9,	     10,
					  65536, UINT32_MAX, UINT64_MAX};
	char out[TEXT_DECIMAL_SIZE], expected[32];
	size_t i;

	(void)state;
	for (i = 0; i < sizeof(values) / sizeof(values[0]); i++) {
		snprintf(expected, sizeof(expected), "%llu",
			 (unsigned long long)values[i]);
		assert_int_equal(text_decimal(values[i], out),
				 strlen(expected));
		assert_string_equal(out, expected);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(control_characters_are_escaped),
		cmocka_unit_test(escaping_never_cuts_a_character),
		cmocka_unit_test(names_are_utf8_without_nul),
		cmocka_unit_test(numbers_are_whole_strings),
		cmocka_unit_test(near_words_are_found),
		cmocka_unit_test(a_message_grows_outwards),
		cmocka_unit_test(decimals_are_those_of_printf),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
