#include "support/assert.h"
#include "support/comma_locale.h"

#include "publish/http_internal.h"

static struct http_response reply(long status, const char *headers,
				  const char *body)
{
	struct http_response response = {.status = status};

	assert_ok(wh_buf_append(&response.headers, headers, strlen(headers),
				NULL),
		  &(struct wh_error){0});
	assert_ok(wh_buf_append(&response.body, body, strlen(body), NULL),
		  &(struct wh_error){0});
	return response;
}

static void headers_are_found_whatever_their_case(void **state)
{
	struct http_response response = reply(
		200, "HTTP/1.1 200 OK\r\nETag: \"x\"\r\nA: b\r\n\r\n", "");
	char value[32];

	(void)state;
	assert_true(http_header(&response, "etag", value, sizeof(value)));
	assert_string_equal(value, "\"x\"");
	assert_false(http_header(&response, "ETa", value, sizeof(value)));
	http_response_free(&response);
}

static void check_reason(const char *body, const char *expected)
{
	struct http_response response = reply(400, "", body);
	char reason[200];

	http_reason(&response, reason, sizeof(reason));
	assert_string_equal(reason, expected);
	http_response_free(&response);
}

static void the_servers_own_reason_is_found(void **state)
{
	(void)state;
	check_reason("{\"errors\":[{\"code\":\"DENIED\",\"message\":\"no\"}]}",
		     "DENIED: no");
	check_reason("{\"error_code\":\"BAD\",\"message\":\"x\"}", "BAD: x");
	check_reason("{\"message\":\"400 Bad\"}", "400 Bad");
	check_reason("<?xml?><Error><Code>SlowDown</Code><Message>a &lt; "
		     "&#34;b&#34;</Message></Error>",
		     "SlowDown: a < \"b\"");
	check_reason("<html>\r\n<body>Too <b>large</b></body>", "Too large");
	/* nginx's page: its title, without the number that is said already. */
	check_reason("<html>\r\n<head><title>400 Bad Request</title></head>\r\n"
		     "<body>\r\n<center><h1>400 Bad Request</h1></center>\r\n"
		     "<hr><center>nginx/1.22.1</center>\r\n</body></html>",
		     "Bad Request");
	check_reason("<TITLE>x</TITLE><title>Error response</title>",
		     "Error response");
	check_reason("evil\x1b[31m", "evil\\x1b[31m");
	check_reason("", "");
}

static void retry_after_is_seconds_or_a_date(void **state)
{
	struct http_response seconds = reply(503, "Retry-After: 7\r\n", "");
	struct http_response long_ = reply(503, "Retry-After: 99999\r\n", "");
	struct http_response past = reply(
		503, "Retry-After: Mon, 01 Jan 2001 00:00:00 GMT\r\n", "");
	struct http_response junk = reply(503, "Retry-After: soon\r\n", "");

	(void)state;
	assert_int_equal(http_retry_after(&seconds), 7);
	assert_int_equal(http_retry_after(&long_), 300);
	assert_int_equal(http_retry_after(&past), 0);
	assert_int_equal(http_retry_after(&junk), 0);
	http_response_free(&seconds);
	http_response_free(&long_);
	http_response_free(&past);
	http_response_free(&junk);
}

/* "Mo" is a Monday there, and "Oct" nothing. */
static void a_date_is_english_in_every_locale(void **state)
{
	struct http_response date = reply(
		503, "Retry-After: Mon, 04 Oct 2100 00:00:00 GMT\r\n", "");

	(void)state;
	assert_int_equal(http_retry_after(&date), 300);
	use_comma_locale();
	assert_int_equal(http_retry_after(&date), 300);
	setlocale(LC_ALL, "C");
	http_response_free(&date);
}

static void a_request_timeout_of_s3_passes(void **state)
{
	struct http_response timeout =
		reply(400, "", "<Error><Code>RequestTimeout</Code></Error>");
	struct http_response bad =
		reply(400, "", "<Error><Code>BadDigest</Code></Error>");

	(void)state;
	assert_true(http_is_passing(&timeout));
	assert_false(http_is_passing(&bad));
	http_response_free(&timeout);
	http_response_free(&bad);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(headers_are_found_whatever_their_case),
		cmocka_unit_test(the_servers_own_reason_is_found),
		cmocka_unit_test(retry_after_is_seconds_or_a_date),
		cmocka_unit_test(a_date_is_english_in_every_locale),
		cmocka_unit_test(a_request_timeout_of_s3_passes),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
