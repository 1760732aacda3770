#include "support/assert.h"

#include <stdlib.h>

#include "publish/http.h"

static void passwords_and_controls_are_refused(void **state)
{
	static const char *const bad[] = {"http://u:p@host/x",
					  "http://host/a b", "http://host/a\nb",
					  "nonsense", ""};
	struct http_url url;
	struct wh_error err;
	size_t i;

	(void)state;
	for (i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		if (!http_url_parse(bad[i], &url, &err))
			fail_msg("taken: %s", bad[i]);
	assert_null(strstr(err.message, ":p@"));
}

static void secrets_are_not_shown(void **state)
{
	char shown[100];

	(void)state;
	http_url_redact("https://user:secret@host:8/a?sig=secret#f", shown,
			sizeof(shown));
	assert_string_equal(shown, "https://host:8/a");
	http_url_redact("https://host/a@b", shown, sizeof(shown));
	assert_string_equal(shown, "https://host/a@b");
}

static void origins_are_scheme_host_and_port(void **state)
{
	(void)state;
	assert_true(http_same_origin("http://h/a", "http://H:80/b?c"));
	assert_false(http_same_origin("http://h/a", "https://h/a"));
	assert_false(http_same_origin("http://h/a", "http://h:81/a"));
	assert_false(http_same_origin("http://h/a", "http://h.evil/a"));
}

static void locations_are_relative_to_what_was_asked(void **state)
{
	char *joined = NULL;
	struct wh_error err;

	(void)state;
	assert_ok(http_url_join("http://h:5/v2/x/", "/v2/y?a=b", &joined, &err),
		  &err);
	assert_string_equal(joined, "http://h:5/v2/y?a=b");
	free(joined);
	assert_ok(
		http_url_join("http://h/a/b", "https://other/c", &joined, &err),
		&err);
	assert_string_equal(joined, "https://other/c");
	free(joined);
	assert_fails(http_url_join("http://h/a", "x\r\nHost: y", &joined, &err),
		     &err, WH_EREMOTE, "no URL");
}

static void all_but_unreserved_is_escaped(void **state)
{
	struct wh_buf out wh_buf_auto = {0};
	struct wh_error err;

	(void)state;
	assert_ok(http_escape(&out, "a b+c/d=\xc3\xa9~", false, &err), &err);
	assert_memory_equal(out.data, "a%20b%2Bc/d%3D%C3%A9~", out.size);
	out.size = 0;
	assert_ok(http_escape(&out, "a/b", true, &err), &err);
	assert_memory_equal(out.data, "a%2Fb", out.size);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(passwords_and_controls_are_refused),
		cmocka_unit_test(secrets_are_not_shown),
		cmocka_unit_test(origins_are_scheme_host_and_port),
		cmocka_unit_test(locations_are_relative_to_what_was_asked),
		cmocka_unit_test(all_but_unreserved_is_escaped),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
