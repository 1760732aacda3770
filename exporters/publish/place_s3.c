/* S3 and what speaks its language: s3://BUCKET/PREFIX.
 *
 * Signed with the real SHA-256 of each body, which every store takes; a file's
 * own SHA-256 travels as metadata, so that it can be asked for.
 */
#include "publish/ranged.h"
#include "publish/s3.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/auto.h"
#include "base/c_locale.h"
#include "base/text.h"

#define EMPTY_HASH                                                             \
	"e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"
#define PART_SIZE ((uint64_t)16 << 20)

/* ---- Where it is ----------------------------------------------------------
 */

/* A store of one's own has paths; AWS has a host for each bucket, unless its
 * name has dots, which certificates don't cover. */
static bool is_in_host(const struct s3_place *place)
{
	const char *style = place->keys.style;

	if (style && strcmp(style, "virtual") == 0)
		return true;
	if (style && strcmp(style, "path") == 0)
		return false;
	return !place->keys.endpoint && !strchr(place->bucket, '.');
}

/* "https://host:port", without a '/' at its end; malloc'd. */
static char *endpoint_of(const struct s3_place *place, const char *region)
{
	char *endpoint = NULL;
	size_t end;

	if (place->keys.endpoint)
		endpoint = strdup(place->keys.endpoint);
	else if (asprintf(&endpoint, "https://s3.%s.amazonaws.com%s", region,
			  text_starts(region, "cn-") ? ".cn" : "") < 0)
		endpoint = NULL;
	end = endpoint ? strlen(endpoint) : 0;
	while (end && endpoint[end - 1] == '/')
		endpoint[--end] = '\0';
	return endpoint;
}

/* malloc'd */
static char *make_root(const struct s3_place *place, const char *region)
{
	char *endpoint wh_free_auto = endpoint_of(place, region);
	char *root = NULL;
	size_t scheme;
	int got;

	if (!endpoint)
		return NULL;
	scheme = strcspn(endpoint, "/");
	scheme += strspn(endpoint + scheme, "/");
	if (is_in_host(place))
		got = asprintf(&root, "%.*s%s.%s", (int)scheme, endpoint,
			       place->bucket, endpoint + scheme);
	else
		got = asprintf(&root, "%s/%s", endpoint, place->bucket);
	return got < 0 ? NULL : root;
}

/* Also the host, at AWS; false, and all as it was, without memory. */
static bool use_region(struct s3_place *place, const char *region)
{
	char *copy = strdup(region);
	char *root = copy ? make_root(place, copy) : NULL;

	if (!root) {
		free(copy);
		return false;
	}
	free(place->keys.region);
	free(place->root);
	place->keys.region = copy;
	place->root = root;
	return true;
}

/* ---- Signing and sending --------------------------------------------------
 */

#define REGION_SIZE 64

struct signer {
	struct s3_place *place;
	const struct s3_request *request;
	char region[REGION_SIZE]; /* the URL's */
};

static enum wh_status authorize(void *arg, const struct http_request *request,
				const struct http_response *refused,
				struct http_headers *headers,
				struct wh_error *err)
{
	struct signer *signer = arg;
	const struct s3_place *place = signer->place;
	struct s3_keys keys = {.access = place->keys.access,
			       .secret = place->keys.secret,
			       .token = place->keys.token,
			       .region = signer->region};
	struct s3_signing signing = {
		.keys = &keys,
		.method = request->method,
		.url = request->url,
		.headers = request->headers,
		.hash = signer->request->hash ? signer->request->hash
					      : EMPTY_HASH,
		/* At the time of each try: a signature ages. */
		.time = time(NULL) + atomic_load(&place->skew_s),
	};

	(void)refused;
	return s3_sign(&signing, headers, err);
}

/* The request's URL, and the region that it is signed for. */
static enum wh_status url_of(struct signer *signer, char **url,
			     struct wh_error *err)
{
	struct s3_place *place = signer->place;
	const struct s3_request *request = signer->request;
	struct wh_buf text wh_buf_auto = {0};
	enum wh_status status;

	pthread_mutex_lock(&place->lock);
	snprintf(signer->region, sizeof(signer->region), "%s",
		 place->keys.region);
	status = wh_buf_printf(&text, err, "%s/", place->root);
	pthread_mutex_unlock(&place->lock);
	WH_TRY(status);
	if (request->path) {
		WH_TRY(place_check_path(request->path, err));
		WH_TRY(http_escape(&text, place->prefix, false, err));
		WH_TRY(http_escape(&text, request->path, false, err));
	}
	if (request->query)
		WH_TRY(wh_buf_printf(&text, err, "?%s", request->query));
	return wh_buf_take_text(&text, url, err);
}

static struct http_request http_of(const struct s3_request *request,
				   const char *url, struct signer *signer)
{
	return (struct http_request){
		.method = request->method,
		.url = url,
		.headers = request->headers,
		.body = request->body,
		.idempotent = true,
		.keeps_redirects = true,
		.authorize = authorize,
		.authorize_arg = signer,
		.arrived = request->arrived,
		.arrived_arg = request->arrived_arg,
		.sink = request->sink,
		.sink_arg = request->sink_arg,
		.again = request->again,
		.max_reply = request->max_reply,
	};
}

bool s3_is(const struct http_response *response, const char *code)
{
	char found[64];

	return http_xml(&response->body, "Code", found, sizeof(found)) &&
	       strcmp(found, code) == 0;
}

static bool learn_clock(struct s3_place *place,
			const struct http_response *response)
{
	USE_C_LOCALE;
	struct tm when = {0};
	char date[64];

	if (!s3_is(response, "RequestTimeTooSkewed") ||
	    !http_header(response, "Date", date, sizeof(date)) ||
	    !strptime(date, "%a, %d %b %Y %H:%M:%S", &when))
		return false;
	atomic_store(&place->skew_s, (long)difftime(timegm(&when), time(NULL)));
	return true;
}

/* It becomes a part of a host's name. */
static bool is_region(const char *text)
{
	return *text && !text[strspn(text, "abcdefghijklmnopqrstuvwxyz"
					   "0123456789-")];
}

/* A server that names another region than `used`, that of the request: other
 * requests may have learnt it meanwhile. */
static bool learn_region(struct s3_place *place, const char *used,
			 const struct http_response *response)
{
	char region[REGION_SIZE];
	bool learnt;

	if (!http_header(response, "x-amz-bucket-region", region,
			 sizeof(region)) &&
	    !http_xml(&response->body, "Region", region, sizeof(region)))
		return false;
	if (!is_region(region) || strcmp(region, used) == 0)
		return false;
	pthread_mutex_lock(&place->lock);
	learnt = strcmp(region, place->keys.region) == 0 ||
		 use_region(place, region);
	pthread_mutex_unlock(&place->lock);
	return learnt;
}

static bool is_mute(const struct http_request *http,
		    const struct http_response *response)
{
	return strcmp(http->method, "HEAD") == 0 && !response->body.size &&
	       (response->status == 400 || response->status == 403 ||
		response->status == 301);
}

/* A refused HEAD has no body: a GET of one byte says why. */
static enum wh_status ask_why(struct s3_place *place,
			      const struct http_request *head,
			      struct http_response *response,
			      struct wh_error *err)
{
	static const char *const headers[] = {"Range: bytes=0-0", NULL};
	struct http_request get = *head;

	get.method = "GET";
	get.headers = headers;
	http_response_free(response);
	return http_send(place->http, &get, response, err);
}

static enum wh_status send_once(struct s3_place *place,
				const struct http_request *request,
				struct http_response *response,
				struct wh_error *err)
{
	WH_TRY(http_send(place->http, request, response, err));
	return is_mute(request, response)
		       ? ask_why(place, request, response, err)
		       : WH_OK;
}

static enum wh_status send_signed(struct s3_place *place,
				  const struct s3_request *request,
				  char used[REGION_SIZE],
				  struct http_response *response,
				  struct wh_error *err)
{
	struct signer signer = {.place = place, .request = request};
	char *url wh_free_auto = NULL;
	struct http_request http;

	WH_TRY(url_of(&signer, &url, err));
	memcpy(used, signer.region, sizeof(signer.region));
	http = http_of(request, url, &signer);
	return send_once(place, &http, response, err);
}

enum wh_status s3_send(struct s3_place *place, const struct s3_request *request,
		       struct http_response *response, struct wh_error *err)
{
	char used[REGION_SIZE];

	WH_TRY(send_signed(place, request, used, response, err));
	if (response->status < 300 || (!learn_clock(place, response) &&
				       !learn_region(place, used, response)))
		return WH_OK;
	http_response_free(response);
	return send_signed(place, request, used, response, err);
}

enum wh_status s3_refused(struct s3_place *place,
			  const struct s3_request *request,
			  const struct http_response *response,
			  struct wh_error *err)
{
	struct signer signer = {.place = place, .request = request};
	char *url wh_free_auto = NULL;
	struct http_request http;
	enum wh_status status;

	WH_TRY(url_of(&signer, &url, err));
	http = http_of(request, url, &signer);
	status = http_refused(&http, response, err);
	/* versitygw's word for a key that it doesn't know is a 404. */
	if (s3_is(response, "XAdminUserNotFound") ||
	    s3_is(response, "NoSuchBucket"))
		status = WH_EREMOTE;
	if (err && status != err->status) {
		err->status = status;
		if (s3_is(response, "XAdminUserNotFound"))
			err->http_status = 403;
	}
	return status;
}

/* ---- What is there --------------------------------------------------------
 */

void s3_digest_header(const struct content *content, char line[96])
{
	char hex[65];

	text_hex(content->sha256, DIGEST_SIZE, hex);
	snprintf(line, 96, "x-amz-meta-sha256: %s", hex);
}

enum wh_status s3_stat(struct s3_place *place, const struct content *content,
		       struct remote_file *file, struct wh_error *err)
{
	struct s3_request request = {.method = "HEAD", .path = content->path};
	struct http_response response;
	enum wh_status status = WH_OK;
	char value[100];

	memset(file, 0, sizeof(*file));
	WH_TRY(s3_send(place, &request, &response, err));
	if (response.status == 200) {
		file->exists = true;
		if (http_header(&response, "Content-Length", value,
				sizeof(value)))
			file->has_size = text_to_u64(value, &file->size);
		http_header(&response, "ETag", file->etag, sizeof(file->etag));
		if (http_header(&response, "x-amz-meta-sha256", value,
				sizeof(value)))
			file->has_sha256 =
				text_unhex(value, file->sha256, DIGEST_SIZE);
	} else if (response.status != 404) {
		status = s3_refused(place, &request, &response, err);
	}
	http_response_free(&response);
	return status;
}

static enum wh_status stat_file(struct place *base,
				const struct content *content,
				struct remote_file *file, struct wh_error *err)
{
	return s3_stat((struct s3_place *)base, content, file, err);
}

/* ---- Putting --------------------------------------------------------------
 */

enum wh_status s3_has_arrived(void *arg, bool *yes, struct wh_error *err)
{
	const struct s3_arrival *arrival = arg;
	struct remote_file file;

	WH_TRY(s3_stat(arrival->place, arrival->content, &file, err));
	*yes = file.exists && file.size == arrival->content->size &&
	       file.has_sha256 &&
	       memcmp(file.sha256, arrival->content->sha256, DIGEST_SIZE) == 0;
	return WH_OK;
}

static enum wh_status judge_put(struct s3_place *place,
				const struct s3_request *request,
				const struct http_response *response,
				bool conditional, struct wh_error *err)
{
	if (response->arrived || response->status == 200)
		return WH_OK;
	if (conditional && (response->status == 412 ||
			    response->status == 409 || response->status == 404))
		return wh_fail(err, WH_EMISMATCH,
			       "'%s' was changed by another publisher",
			       request->path);
	return s3_refused(place, request, response, err);
}

/* `condition`: a header, or NULL. A store that has no conditional requests
 * says 501: then the last one wins. */
static enum wh_status put_whole(struct s3_place *place,
				const struct content *content,
				const char *condition, struct wh_error *err)
{
	struct http_body body = content_body(content);
	struct s3_arrival arrival = {place, content};
	char digest[96], hash[S3_HASH_SIZE];
	const char *headers[] = {
		"Content-Type: application/octet-stream", digest,
		content->immutable
			? "Cache-Control: public, max-age=31536000, immutable"
			: "Cache-Control: no-cache",
		condition, NULL};
	struct s3_request request = {.method = "PUT",
				     .path = content->path,
				     .headers = headers,
				     .body = &body,
				     .hash = hash,
				     .arrived = s3_has_arrived,
				     .arrived_arg = &arrival};
	struct http_response response;
	enum wh_status status;

	s3_digest_header(content, digest);
	text_hex(content->sha256, DIGEST_SIZE, hash);
	WH_TRY(s3_send(place, &request, &response, err));
	if (condition && response.status == 501) {
		http_response_free(&response);
		return put_whole(place, content, NULL, err);
	}
	status = judge_put(place, &request, &response, condition != NULL, err);
	http_response_free(&response);
	return status;
}

static enum wh_status put_file(struct place *base,
			       const struct content *content,
			       struct wh_error *err)
{
	struct s3_place *place = (struct s3_place *)base;

	if (content->size > place->base.part_size)
		return s3_upload(place, content, err);
	return put_whole(place, content, NULL, err);
}

static enum wh_status replace_file(struct place *base,
				   const struct content *content,
				   const struct remote_file *expected,
				   struct wh_error *err)
{
	char condition[256] = "If-None-Match: *";

	if (expected->exists)
		snprintf(condition, sizeof(condition), "If-Match: %s",
			 expected->etag);
	return put_whole(
		(struct s3_place *)base, content,
		expected->exists && !*expected->etag ? NULL : condition, err);
}

/* ---- Getting --------------------------------------------------------------
 */

static enum wh_status get_file(struct place *base, const char *path,
			       const struct remote_range *range,
			       remote_sink_fn *sink, void *arg,
			       struct wh_error *err)
{
	struct s3_place *place = (struct s3_place *)base;
	struct http_response response;
	struct ranged ranged = {
		.sink = sink, .arg = arg, .response = &response};
	struct s3_request request = {.method = "GET",
				     .path = path,
				     .headers = ranged.headers,
				     .sink = ranged_take,
				     .sink_arg = &ranged,
				     .again = ranged_again};
	enum wh_status status = WH_OK;

	ranged_begin(&ranged, range, RANGED_IF_MATCH);
	request.max_reply = ranged_most(&ranged);
	WH_TRY(s3_send(place, &request, &response, err));
	if (response.status == 412)
		status = wh_fail(err, WH_EMISMATCH, "'%s' changed there", path);
	else if (response.status != 200 && response.status != 206)
		status = s3_refused(place, &request, &response, err);
	http_response_free(&response);
	return status;
}

static enum wh_status remove_file(struct place *base, const char *path,
				  struct wh_error *err)
{
	struct s3_place *place = (struct s3_place *)base;
	struct s3_request request = {.method = "DELETE", .path = path};
	struct http_response response;
	enum wh_status status = WH_OK;

	WH_TRY(s3_send(place, &request, &response, err));
	if (response.status != 204 && response.status != 200 &&
	    response.status != 404)
		status = s3_refused(place, &request, &response, err);
	http_response_free(&response);
	return status;
}

/* ---- Opening --------------------------------------------------------------
 */

static void close_place(struct place *base)
{
	struct s3_place *place = (struct s3_place *)base;

	http_close(place->http);
	s3_keys_free(&place->keys);
	pthread_mutex_destroy(&place->lock);
	free(place->root);
	free(place->bucket);
	free(place->prefix);
	free(place);
}

static bool is_bucket(const char *name, size_t len)
{
	size_t i;

	for (i = 0; i < len; i++)
		if (!(name[i] >= 'a' && name[i] <= 'z') &&
		    !(name[i] >= '0' && name[i] <= '9') && name[i] != '-' &&
		    name[i] != '.' && name[i] != '_')
			return false;
	return len >= 3 && len <= 63;
}

static enum wh_status make_prefix(struct s3_place *place, const char *path,
				  struct wh_error *err)
{
	size_t len;

	while (*path == '/')
		path++;
	len = strlen(path);
	while (len && path[len - 1] == '/')
		len--;
	if (asprintf(&place->prefix, "%.*s%s", (int)len, path, len ? "/" : "") <
	    0) {
		place->prefix = NULL;
		return wh_fail_memory(err);
	}
	if (!len)
		return WH_OK;
	place->prefix[len] = '\0';
	WH_TRY(place_check_path(place->prefix, err));
	place->prefix[len] = '/';
	return WH_OK;
}

static enum wh_status fill_place(struct s3_place *place,
				 const struct place_settings *settings,
				 struct wh_error *err)
{
	const char *bucket = settings->url + strlen("s3://");
	size_t len;

	if (strncmp(settings->url, "s3://", 5) != 0)
		return wh_fail(err, WH_EINVAL, "'%s' is not s3://BUCKET/PREFIX",
			       settings->url);
	len = strcspn(bucket, "/");
	if (!is_bucket(bucket, len))
		return wh_fail(err, WH_EINVAL, "'%.*s' can't be a bucket",
			       (int)len, bucket);
	WH_TRY(s3_keys_find(&place->keys, err));
	if (settings->endpoint) {
		free(place->keys.endpoint);
		place->keys.endpoint = strdup(settings->endpoint);
		if (!place->keys.endpoint)
			return wh_fail_memory(err);
	}
	place->bucket = strndup(bucket, len);
	place->root =
		place->bucket ? make_root(place, place->keys.region) : NULL;
	if (!place->root)
		return wh_fail_memory(err);
	WH_TRY(make_prefix(place, bucket + len, err));
	WH_TRY(http_open(&settings->http, &place->http, err));
	place->base.meter = http_meter(place->http);
	place->base.part_size = PART_SIZE;
	return WH_OK;
}

static enum wh_status open_place(const struct place_settings *settings,
				 struct place **out, struct wh_error *err)
{
	struct s3_place *place = calloc(1, sizeof(*place));
	enum wh_status status;

	if (!place)
		return wh_fail_memory(err);
	pthread_mutex_init(&place->lock, NULL);
	status = fill_place(place, settings, err);
	if (status) {
		close_place(&place->base);
		return status;
	}
	*out = &place->base;
	return WH_OK;
}

static const char *const schemes[] = {"s3", NULL};

const struct place_kind s3_place = {
	.name = "s3",
	.schemes = schemes,
	.open = open_place,
	.stat = stat_file,
	.put = put_file,
	.replace = replace_file,
	.get = get_file,
	.remove = remove_file,
	.aliases = s3_aliases,
	.close = close_place,
};
