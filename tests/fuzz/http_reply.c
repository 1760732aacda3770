/* Headers, an empty line, a body: what is made of a server's reply. */
#include "fuzz/fuzz.h"

#include "publish/http_internal.h"

static void cut(const uint8_t *bytes, size_t len, struct http_response *reply)
{
	const uint8_t *gap = len ? memmem(bytes, len, "\r\n\r\n", 4) : NULL;
	size_t head = gap ? (size_t)(gap - bytes) + 4 : len;

	if (len < 2)
		return;
	reply->status = 200 + (bytes[0] << 8 | bytes[1]) % 400;
	require(!wh_buf_append(&reply->headers, bytes, head, NULL));
	require(!wh_buf_append(&reply->body, bytes + head, len - head, NULL));
}

static void follow(const char *location)
{
	static const char base[] = "https://registry.example:5000/v2/a/b?c=d";
	char shown[100], *joined = NULL;
	struct http_url url = {0};
	struct wh_buf escaped = {0};
	struct wh_error err;

	http_url_redact(location, shown, sizeof(shown));
	http_same_origin(base, location);
	http_escape(&escaped, location, true, &err);
	if (!http_url_join(base, location, &joined, &err) &&
	    !http_url_parse(joined, &url, &err))
		require(url.scheme && url.host && url.path);
	http_url_free(&url);
	wh_buf_free(&escaped);
	free(joined);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len)
{
	static const struct http_request request = {
		.method = "GET", .url = "https://user@host.example/a?key=b"};
	struct http_response reply = {0};
	char value[200], reason[200];
	struct wh_error err;

	cut(bytes, len, &reply);
	if (http_header(&reply, "location", value, sizeof(value)))
		follow(value);
	http_retry_after(&reply);
	http_is_passing(&reply);
	http_xml(&reply.body, "UploadId", value, sizeof(value));
	http_reason(&reply, reason, sizeof(reason));
	require(!strpbrk(reason, "\x1b\r\n\t"));
	require(http_refused(&request, &reply, &err) != WH_OK);
	http_response_free(&reply);
	return 0;
}
