/* A program that we are part of may have any locale. */
#include "support/assert.h"
#include "support/comma_locale.h"

#include <math.h>

#include "base/ascii.h"
#include "base/json_put.h"
#include "base/json_scan.h"
#include "base/text.h"

static int begin(void **state)
{
	static bool used;

	used = use_comma_locale();
	*state = &used;
	return 0;
}

static int end(void **state)
{
	(void)state;
	return setlocale(LC_ALL, "C") ? 0 : 1;
}

/* Else nothing would be tried. */
static void the_locale_has_a_comma(void **state)
{
	const bool *used = *state;
	char text[8];

	snprintf(text, sizeof(text), "%.1f", 1.5);
	assert_string_equal(text, *used ? "1,5" : "1.5");
}

static bool is_json(const char *text)
{
	struct scan scan;

	scan_begin(&scan, text, strlen(text));
	return scan_skip(&scan) && scan_end(&scan);
}

/* Two numbers are not one with a comma in it, and one is not its beginning. */
static void json_is_scanned_as_ever(void **state)
{
	(void)state;
	assert_true(is_json("[2,1e308]"));
	assert_false(is_json("[1.5e400]"));
	assert_false(is_json("[12345678901234567890.5e290]"));
}

static void json_is_read_and_printed_as_ever(void **state)
{
	json_t *value = json_of_text("[1.5,2]", 7, 0, NULL);
	char *text;

	(void)state;
	assert_non_null(value);
	assert_true(json_number_value(json_array_get(value, 0)) >= 1.5);
	text = json_to_text(value, JSON_COMPACT);
	assert_string_equal(text, "[1.5,2]");
	free(text);
	json_decref(value);
}

static void numbers_are_read_as_ever(void **state)
{
	double value;

	(void)state;
	assert_true(text_to_double("0.25", &value));
	assert_true(value >= 0.25 && value <= 0.25);
	assert_false(text_to_double("0,25", &value));
	assert_true(text_to_double("-inf", &value) && isinf(value));
}

/* It is ours again afterwards. */
static void the_program_keeps_its_locale(void **state)
{
	double value;

	assert_true(text_to_double("0.25", &value));
	assert_true(text_glob("a*", "ab"));
	the_locale_has_a_comma(state);
}

static void characters_are_of_the_same_kind_everywhere(void **state)
{
	(void)state;
	assert_true(ascii_same("OCI", "oci", 3));
	assert_true(ascii_same("OCI:x", "oci", 3));
	assert_false(ascii_same("oc", "oci", 3));
	assert_true(ascii_same("Lab.example", "lab.EXAMPLE", SIZE_MAX));
	assert_false(ascii_same("lab", "lab.example", SIZE_MAX));
	assert_true(ascii_is_alnum('Z') && ascii_is_alnum('0'));
	assert_false(ascii_is_alnum('\xe4') || ascii_is_alnum('_'));
	assert_true(ascii_is_space('\v') && !ascii_is_space('\xa0'));
	assert_true(ascii_is_control('\x7f') && !ascii_is_control('\x9b'));
	assert_true(ascii_is_printable('~') && !ascii_is_printable('\xe4'));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_locale_has_a_comma),
		cmocka_unit_test(json_is_scanned_as_ever),
		cmocka_unit_test(json_is_read_and_printed_as_ever),
		cmocka_unit_test(numbers_are_read_as_ever),
		cmocka_unit_test(the_program_keeps_its_locale),
		cmocka_unit_test(characters_are_of_the_same_kind_everywhere),
	};

	return cmocka_run_group_tests(tests, begin, end);
}
