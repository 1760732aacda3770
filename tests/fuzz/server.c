/* A server that answers as it likes: every call of each kind of place gets the
 * input's replies, one after the other, instead of http_send's. A reply is its
 * status and the lengths of headers and body, two bytes each, then these. */
#include "fuzz/fuzz.h"

#include "publish/http_internal.h"
#include "publish/manifest.h"
#include "publish/place.h"

#define MAX_CALLS 64u

/* The linker gives us the calls of http_send and http_add_header (--wrap). */
enum wh_status __wrap_http_send(struct http *http,
				const struct http_request *request,
				struct http_response *response,
				struct wh_error *err);
enum wh_status __wrap_http_add_header(struct http_headers *headers,
				      struct wh_error *err, const char *format,
				      ...);

static struct {
	const uint8_t *at, *end;
	unsigned calls;
} input;

static size_t take_number(void)
{
	size_t number;

	if (input.end - input.at < 2)
		return 0;
	number = (size_t)(input.at[0] | input.at[1] << 8);
	input.at += 2;
	return number;
}

static void take_bytes(struct wh_buf *out, size_t n)
{
	size_t left = (size_t)(input.end - input.at);

	n = n < left ? n : left;
	require(!wh_buf_append(out, input.at, n, NULL));
	input.at += n;
}

static void take_reply(struct http_response *response)
{
	size_t head, body;

	response->status = 200 + (long)(take_number() % 400);
	head = take_number();
	body = take_number();
	take_bytes(&response->headers, head);
	take_bytes(&response->body, body);
}

/* As http.c: once, with what was refused. */
static enum wh_status authorize_again(const struct http_request *request,
				      struct http_response *response,
				      struct wh_error *err)
{
	enum wh_status status = request->authorize(
		request->authorize_arg, request, response, NULL, err);

	http_response_free(response);
	return status;
}

enum wh_status __wrap_http_add_header(struct http_headers *headers,
				      struct wh_error *err, const char *format,
				      ...)
{
	(void)headers, (void)err, (void)format;
	return WH_OK;
}

enum wh_status __wrap_http_send(struct http *http,
				const struct http_request *request,
				struct http_response *response,
				struct wh_error *err)
{
	bool authorized = request->authorize && !request->foreign;
	struct http_url url = {0};

	(void)http;
	*response = (struct http_response){0};
	WH_TRY(http_url_parse(request->url, &url, err));
	http_url_free(&url);
	if (input.at == input.end || ++input.calls > MAX_CALLS)
		return wh_fail(err, WH_EREMOTE, "no reply");
	if (authorized)
		WH_TRY(request->authorize(request->authorize_arg, request, NULL,
					  NULL, err));
	take_reply(response);
	if (response->status == 401 && authorized) {
		WH_TRY(authorize_again(request, response, err));
		take_reply(response);
	}
	if (!request->sink || response->status >= 300)
		return WH_OK;
	return request->sink(request->sink_arg, 0, response->body.data,
			     response->body.size, err);
}

static enum wh_status pass_alias(void *arg, const char *alias,
				 struct wh_error *err)
{
	(void)arg, (void)err;
	require(alias);
	return WH_OK;
}

static enum wh_status pass_bytes(void *arg, uint64_t offset, const void *bytes,
				 size_t len, struct wh_error *err)
{
	(void)arg, (void)offset, (void)bytes, (void)len, (void)err;
	return WH_OK;
}

static void use_place(struct place *place)
{
	static const struct content content = {.path = "v/1/model.h5",
					       .size = 100};
	const struct remote_range range = {.etag = ""};
	struct remote_file file;
	struct pointer pointer;
	struct wh_error err;

	/* Files are asked for where the place knows what is meant. */
	if (!place_resolve(place, "latest", &pointer, &err)) {
		require(!place_check_path(pointer.manifest, &err));
		place->kind->stat(place, &content, &file, &err);
		place->kind->get(place, "v/1/model.h5", &range, pass_bytes,
				 NULL, &err);
		place->kind->remove(place, "v/1/model.h5", &err);
	}
	if (place->kind->aliases)
		place->kind->aliases(place, pass_alias, NULL, &err);
	if (place->kind->unpoint)
		place->kind->unpoint(place, "stable", &err);
	if (place->kind->erase)
		place->kind->erase(place, "1", &err);
}

/* The registry's, so that nobody looks for the user's own, nor asks the
 * program that keeps it. */
static void keep_login(void)
{
	static const char text[] = "{\"auths\": {\"localhost:1\": {\"auth\": "
				   "\"bWU6c2VjcmV0\", "
				   "\"identitytoken\": \"t\"}}}";

	if (!getenv("REGISTRY_AUTH_FILE"))
		setenv("REGISTRY_AUTH_FILE",
		       input_file("auth.json", (const uint8_t *)text,
				  strlen(text)),
		       1);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len)
{
	static const char *const urls[] = {
		"http://localhost:1/models",
		"s3://bucket/models",
		"oci://localhost:1/team/model:latest",
		"mlflow+http://localhost:1/models/digits",
	};
	struct place_settings settings = {.endpoint = "http://localhost:1"};
	struct place *place;
	struct wh_error err;

	if (!len)
		return 0;
	keep_login();
	input.at = bytes + 1;
	input.end = bytes + len;
	input.calls = 0;
	settings.url = urls[bytes[0] % 4];
	require(!place_open(&settings, &place, &err));
	use_place(place);
	place_close(place);
	return 0;
}
