/* What json_out writes is held against jansson, which wrote descriptions
 * before; what json_scan and json_python take against what is meant. */
#include "support/assert.h"

#include <jansson.h>
#include <stdlib.h>

#include "base/json_out.h"
#include "base/json_python.h"
#include "base/json_scan.h"

static void put_each_byte(struct json_out *out)
{
	char text[4] = "a?b";
	int c;

	json_out_open(out, '[');
	for (c = 1; c < 128; c++) {
		text[1] = (char)c;
		json_out_text(out, text, 3);
		json_out_text(out, text + 1, 1);
	}
	json_out_text(out, "d\xc3\xa9j\xc3\xa0 \xf0\x9f\x98\x80", 11);
	json_out_text(out, "", 0);
	json_out_close(out, ']');
}

static void put_all_kinds(struct json_out *out)
{
	json_out_open(out, '{');
	json_out_key(out, "empty");
	json_out_open(out, '[');
	json_out_close(out, ']');
	json_out_key(out, "numbers");
	json_out_open(out, '[');
	json_out_number(out, 0);
	json_out_number(out, -1);
	json_out_number(out, INT64_MIN);
	json_out_number(out, INT64_MAX);
	json_out_close(out, ']');
	json_out_text(out, "a \"key\"", 7);
	json_out_colon(out);
	json_out_open(out, '{');
	json_out_key(out, "yes");
	json_out_bool(out, true);
	json_out_key(out, "no");
	json_out_bool(out, false);
	json_out_close(out, '}');
	json_out_key(out, "bytes");
	put_each_byte(out);
	json_out_close(out, '}');
}

static void what_is_written_is_what_jansson_writes(void **state)
{
	struct wh_buf buf = {0};
	struct wh_error err;
	struct json_out out = {.buf = &buf, .err = &err, .upper = true};
	json_error_t what;
	json_t *tree;
	char *again;

	(void)state;
	put_all_kinds(&out);
	assert_ok(out.status, &err);
	assert_ok(wh_buf_append(&buf, "", 1, &err), &err);
	tree = json_loads((const char *)buf.data, JSON_REJECT_DUPLICATES,
			  &what);
	if (!tree)
		fail_msg("%s: %s", what.text, (const char *)buf.data);
	again = json_dumps(tree, JSON_COMPACT);
	assert_string_equal((const char *)buf.data, again);
	free(again);
	json_decref(tree);
	wh_buf_free(&buf);
}

static void lower_hex_is_for_those_who_want_it(void **state)
{
	struct wh_buf buf = {0};
	struct wh_error err;
	struct json_out out = {.buf = &buf, .err = &err};

	(void)state;
	json_out_text(&out, "\x1f\x7f", 2);
	json_out_unsigned(&out, UINT64_MAX);
	json_out_ready(&out, "[1]");
	assert_ok(out.status, &err);
	assert_ok(wh_buf_append(&buf, "", 1, &err), &err);
	assert_string_equal((const char *)buf.data,
			    "\"\\u001f\x7f\",18446744073709551615,[1]");
	wh_buf_free(&buf);
}

static struct scan scan_of(const char *text)
{
	struct scan scan;

	scan_begin(&scan, text, strlen(text));
	return scan;
}

static void signed_numbers_have_64_bits(void **state)
{
	static const char *const refused[] = {"9223372036854775808",
					      "-9223372036854775809",
					      "- 1",
					      "--1",
					      "1.0",
					      "1e2",
					      "01",
					      "\"1\"",
					      "-",
					      ""};
	struct scan scan = scan_of(" -9223372036854775808,9223372036854775807");
	int64_t number;
	size_t i;

	(void)state;
	assert_true(scan_signed(&scan, &number));
	assert_true(number == INT64_MIN);
	assert_true(scan_take(&scan, ','));
	assert_true(scan_signed(&scan, &number));
	assert_true(number == INT64_MAX);
	assert_true(scan_end(&scan));
	for (i = 0; i < sizeof(refused) / sizeof(refused[0]); i++) {
		scan = scan_of(refused[i]);
		if (scan_signed(&scan, &number) && scan_end(&scan))
			fail_msg("%s was taken", refused[i]);
	}
}

static void members_are_counted_before_they_are_read(void **state)
{
	struct scan scan = scan_of("[1, [2, \"\\u0022]\"], {}] ");
	bool value;

	(void)state;
	assert_int_equal(scan_count(&scan), 3);
	assert_true(scan_skip(&scan));
	assert_true(scan_end(&scan));
	scan = scan_of("[]");
	assert_int_equal(scan_count(&scan), 0);
	assert_null(scan.problem);
	scan = scan_of("{\"a\": 1}");
	assert_int_equal(scan_count(&scan), 0);
	assert_non_null(scan.problem);
	scan = scan_of("[1, 2, tru]");
	assert_int_equal(scan_count(&scan), 0);
	assert_non_null(scan.problem);
	assert_false(scan_bool(&scan, &value));
}

static void keys_may_be_escaped_and_long(void **state)
{
	struct scan scan = scan_of("\"\\u006e\\u0061me\" : true");
	char key[SCAN_KEY_SIZE], text[256];
	bool value;

	(void)state;
	assert_true(scan_key(&scan, key));
	assert_string_equal(key, "name");
	assert_true(scan_bool(&scan, &value));
	assert_true(value);
	snprintf(text, sizeof(text), "\"%0100d\":false", 7);
	scan = scan_of(text);
	assert_true(scan_key(&scan, key));
	assert_string_equal(key, "");
	assert_true(scan_bool(&scan, &value));
	assert_false(value);
	assert_true(scan_end(&scan));
}

/* Each beside what it is most like of what is taken. */
static void what_is_no_json_is_refused_for_a_reason(void **state)
{
	static const struct {
		const char *refused, *why, *taken;
	} texts[] = {
		{"\"\\u00e", "a string without an end", "\"\\u00e9\""},
		{"\"\\u00\"", "an escape ends early", "\"\\u00E9\""},
		{"\"\\u00g9\"", "an escape with other than hex digits",
		 "\"\\u00A9\""},
		{"\"\\ud83d\"", "a lone surrogate", "\"\\ud83d\\ude00\""},
		{"\"\\ud83d\\u0041\"", "a lone surrogate",
		 "\"\\uD83D\\uDE00\""},
		{"\"\\ud83d\\ude0", "a string without an end", "\"\\ue000\""},
		{"\"\\ud83d\\ude\"", "an escape ends early", "\"\\ud7ff\""},
		{"\"\\ude00\"", "a lone surrogate", "\"\\u00410\""},
		{"\"\\x41\"", "an unknown escape", "\"\\b\\f\\n\\r\\t\\/\""},
		{"\"\\", "a string without an end", "\"\\\\\""},
		{"\"a\nb\"", "a control character in a string", "\"a\x7f\""},
		{"1.", "a value was expected", "1.0"},
		{"1.e1", "a value was expected", "1.5e1"},
		{"1e", "a value was expected", "1E+3"},
		{"1e-", "a value was expected", "1e-3"},
		{"1e999", "a number is too large", "1e308"},
		{"-", "a value was expected", "-0"},
		{"01", "a value was expected", "10"},
		{"+1", "a value was expected", "1"},
		{"nul", "a value was expected", "null"},
		{"[1 2]", "another character was expected", "[1, 2]"},
		{"[1,]", "a comma before the end", "[]"},
		{"[1", "the text ends early", "[1]"},
		{"{\"a\" 1}", "another character was expected", "{\"a\":1}"},
		{"{1: 2}", "another character was expected", "{\"1\": 2}"},
		{"{\"\\q\": 2}", "an unknown escape", "{\"\\\"\": 2}"},
		{"[{\"a\": tru}]", "a value was expected", "[{\"a\":true}]"},
		{"1 1", "text after the end", " 1 "},
	};
	struct scan scan;
	size_t i;

	(void)state;
	for (i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
		scan = scan_of(texts[i].taken);
		assert_true(scan_skip(&scan));
		assert_true(scan_end(&scan));
		scan = scan_of(texts[i].refused);
		assert_false(scan_skip(&scan) && scan_end(&scan));
		assert_string_equal(scan.problem, texts[i].why);
		assert_false(scan_skip(&scan)); /* nor anything after it */
		assert_string_equal(scan.problem, texts[i].why);
	}
}

static void values_are_nested_127_deep(void **state)
{
	char text[2 * 128 + 1];
	unsigned depth;

	(void)state;
	for (depth = 127; depth <= 128; depth++) {
		struct scan scan;

		memset(text, '[', depth);
		memset(text + depth, ']', depth);
		text[2 * (size_t)depth] = '\0';
		scan = scan_of(text);
		assert_int_equal(scan_skip(&scan), depth == 127);
		assert_int_equal(scan_end(&scan), depth == 127);
	}
}

static void numbers_of_64_bits_end_there(void **state)
{
	struct scan scan = scan_of("18446744073709551615");
	char key[SCAN_KEY_SIZE];
	uint64_t number;

	(void)state;
	assert_true(scan_unsigned(&scan, &number) && scan_end(&scan));
	assert_true(number == UINT64_MAX);
	scan = scan_of("18446744073709551616");
	assert_false(scan_unsigned(&scan, &number));
	assert_string_equal(scan.problem, "a number is too large");
	assert_false(scan_unsigned(&scan, &number));
	scan = scan_of("\"\\uzzzz\": 1");
	assert_false(scan_key(&scan, key));
}

static void strings_are_unescaped_or_refused(void **state)
{
	struct arena arena = {0};
	struct scan scan =
		scan_of("\"\\ud83d\\ude00 \\u00e9\\u20ac\\/\\u0000x\"");
	char *text = NULL;
	size_t len = 0;

	(void)state;
	assert_true(scan_string(&scan, &arena, &text, &len));
	assert_int_equal(len, 13);
	assert_memory_equal(text, "\xf0\x9f\x98\x80 \xc3\xa9\xe2\x82\xac/\0x",
			    14);
	text = NULL;
	scan = scan_of("\"\\udc00\"");
	assert_false(scan_string(&scan, &arena, &text, &len));
	assert_null(text);
	arena_free(&arena);
}

static json_t *from_python(const char *text)
{
	json_error_t why;

	return json_from_python(text, strlen(text), &why);
}

static void what_python_writes_beyond_json_is_read(void **state)
{
	json_auto_t *root = from_python(
		"{\"a\": [NaN, Infinity, -Infinity, 18446744073709551616],"
		" \"NaN \\\" Infinity\": \"NaN\\\\\", \"z\": \"0\\u0000\"}");
	const json_t *list = json_object_get(root, "a");
	size_t i;

	(void)state;
	assert_int_equal(json_array_size(list), 4);
	for (i = 0; i < 3; i++)
		assert_int_equal(json_number_value(json_array_get(list, i)), 0);
	assert_true(json_number_value(json_array_get(list, 3)) > 1e19);
	assert_string_equal(
		json_string_value(json_object_get(root, "NaN \" Infinity")),
		"NaN\\");
	assert_int_equal(json_string_length(json_object_get(root, "z")), 2);
	assert_null(from_python("[Nan]"));
	assert_null(from_python("[1, NaN"));
	assert_null(from_python("\"NaN\\"));
	assert_null(from_python("Infinit"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_is_written_is_what_jansson_writes),
		cmocka_unit_test(lower_hex_is_for_those_who_want_it),
		cmocka_unit_test(signed_numbers_have_64_bits),
		cmocka_unit_test(members_are_counted_before_they_are_read),
		cmocka_unit_test(keys_may_be_escaped_and_long),
		cmocka_unit_test(what_is_no_json_is_refused_for_a_reason),
		cmocka_unit_test(values_are_nested_127_deep),
		cmocka_unit_test(numbers_of_64_bits_end_there),
		cmocka_unit_test(strings_are_unescaped_or_refused),
		cmocka_unit_test(what_python_writes_beyond_json_is_read),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
