/* Plain HTTP PUT, WebDAV, and artifact servers that take PUT: one table says
 * how they differ.
 *
 *	profile      checksum deploy   missing folders   exists      serial
 *	generic      -                 MKCOL on 409      -           -
 *	webdav       -                 MKCOL on 409/404  412         -
 *	artifactory  SHA-256           by itself         -           -
 *	nexus        -                 by itself         400         -
 *	gitlab       -                 by itself         400         yes
 *
 * generic, webdav: measured on nginx 1.22.1, Apache 2.4 mod_dav and lighttpd
 * 1.4.69. The others: by their own clients' sources and documentation, see
 * README.md; no such server was at hand.
 */
#include "publish/place.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/auto.h"
#include "base/text.h"
#include "publish/credentials.h"
#include "publish/ranged.h"

#define MIN_CHECKSUM_DEPLOY ((uint64_t)10 << 10) /* as JFrog's client */

struct profile {
	const char *name;
	bool checksum_deploy; /* empty PUT with digests, if it has the bytes */
	bool makes_folders;   /* by itself */
	bool mkcol_on_404;
	long exists; /* status that means: there already; 0: none */
	bool serial, honours_conditions;
	const char *marker; /* in the URL's path, to know it by; or NULL */
};

static const struct profile profiles[] = {
	{.name = "generic"},
	{.name = "webdav",
	 .mkcol_on_404 = true,
	 .exists = 412,
	 .honours_conditions = true},
	{.name = "artifactory",
	 .checksum_deploy = true,
	 .makes_folders = true,
	 .marker = "/artifactory/"},
	{.name = "nexus",
	 .makes_folders = true,
	 .exists = 400,
	 .marker = "/repository/"},
	{.name = "gitlab",
	 .makes_folders = true,
	 .exists = 400,
	 .serial = true,
	 .marker = "/packages/generic/"},
};
#define N_PROFILES (sizeof(profiles) / sizeof(profiles[0]))

struct http_place {
	struct place base; /* first: they are cast into each other */
	struct http *http;
	const struct profile *profile;
	struct credentials credentials;
	char *url; /* without a '/' at its end */
};

static enum wh_status authorize(void *arg, const struct http_request *request,
				const struct http_response *refused,
				struct http_headers *headers,
				struct wh_error *err)
{
	const struct http_place *place = arg;

	(void)request;
	(void)refused;
	return credentials_add(&place->credentials, headers, err);
}

static enum wh_status url_of(const struct http_place *place, const char *path,
			     char **url, struct wh_error *err)
{
	struct wh_buf text wh_buf_auto = {0};

	WH_TRY(place_check_path(path, err));
	WH_TRY(wh_buf_printf(&text, err, "%s/", place->url));
	WH_TRY(http_escape(&text, path, false, err));
	return wh_buf_take_text(&text, url, err);
}

static struct http_request request_of(struct http_place *place,
				      const char *method, const char *url)
{
	return (struct http_request){.method = method,
				     .url = url,
				     .idempotent = true,
				     .authorize = authorize,
				     .authorize_arg = place};
}

/* ---- What is there --------------------------------------------------------
 */

static void read_digest(const struct http_response *response,
			struct remote_file *file)
{
	char hex[65];

	if (http_header(response, "X-Checksum-Sha256", hex, sizeof(hex)))
		file->has_sha256 = text_unhex(hex, file->sha256, DIGEST_SIZE);
}

static enum wh_status stat_path(struct http_place *place, const char *path,
				struct remote_file *file, struct wh_error *err)
{
	struct http_response response;
	struct http_request request;
	char *url wh_free_auto = NULL;
	enum wh_status status = WH_OK;
	char length[32];

	memset(file, 0, sizeof(*file));
	WH_TRY(url_of(place, path, &url, err));
	request = request_of(place, "HEAD", url);
	WH_TRY(http_send(place->http, &request, &response, err));
	if (response.status == 200) {
		file->exists = true;
		if (http_header(&response, "Content-Length", length,
				sizeof(length)))
			file->has_size = text_to_u64(length, &file->size);
		http_header(&response, "ETag", file->etag, sizeof(file->etag));
		read_digest(&response, file);
	} else if (response.status != 404 && response.status != 410) {
		status = http_refused(&request, &response, err);
	}
	http_response_free(&response);
	return status;
}

static enum wh_status stat_file(struct place *base,
				const struct content *content,
				struct remote_file *file, struct wh_error *err)
{
	return stat_path((struct http_place *)base, content->path, file, err);
}

/* ---- Folders --------------------------------------------------------------
 */

static bool is_folder_made(long status)
{
	return status == 201 || status == 405 || status == 409;
}

/* The slash at the end matters to nginx; what exists says 405. Apache says 403
 * where another makes the folder at that moment: asked again, 405. */
static enum wh_status make_folder(struct http_place *place, const char *url,
				  long *code, struct wh_error *err)
{
	struct http_response response;
	struct http_request request;
	char *with_slash wh_free_auto = NULL;
	enum wh_status status = WH_OK;

	if (asprintf(&with_slash, "%s/", url) < 0) {
		with_slash = NULL;
		return wh_fail_memory(err);
	}
	request = request_of(place, "MKCOL", with_slash);
	WH_TRY(http_send(place->http, &request, &response, err));
	if (!is_folder_made(response.status)) {
		http_response_free(&response);
		WH_TRY(http_send(place->http, &request, &response, err));
	}
	*code = response.status;
	if (!is_folder_made(response.status))
		status = http_refused(&request, &response, err);
	http_response_free(&response);
	return status;
}

/* Cuts the last part off; false where only the server's root is left. */
static bool go_up(char *url)
{
	const char *root = strchr(strstr(url, "://") + 3, '/');
	char *slash = strrchr(url, '/');

	if (!root || slash <= root)
		return false;
	*slash = '\0';
	return true;
}

/* The folders above `file`: up to the first that can be made, since not all
 * above it may be ours to make, and down again. */
static enum wh_status make_folders(struct http_place *place, const char *file,
				   struct wh_error *err)
{
	char *url wh_free_auto = strdup(file);
	size_t end = strlen(file), at;
	long code = 409;

	if (!url)
		return wh_fail_memory(err);
	while (code == 409 && go_up(url))
		WH_TRY(make_folder(place, url, &code, err));
	for (at = strlen(url) + 1; at < end; at++) {
		if (file[at] != '/')
			continue;
		memcpy(url, file, at);
		url[at] = '\0';
		WH_TRY(make_folder(place, url, &code, err));
	}
	return WH_OK;
}

/* ---- Putting --------------------------------------------------------------
 */

struct putting {
	struct http_place *place;
	const struct content *content;
	struct http_body body;
	char *url;
	const char *headers[6]; /* NULL-terminated */
	size_t n_headers;
	char condition[256], sha256[96], short_sha256[96];
};

static enum wh_status has_arrived(void *arg, bool *yes, struct wh_error *err)
{
	struct putting *putting = arg;
	struct remote_file file;

	WH_TRY(stat_path(putting->place, putting->content->path, &file, err));
	/* Without a digest the size alone proves nothing of a pointer that
	 * was there before. */
	*yes = remote_is_same(&file, putting->content) &&
	       (putting->content->immutable || file.has_sha256);
	return WH_OK;
}

static void add_header(struct putting *putting, const char *line)
{
	putting->headers[putting->n_headers++] = line;
}

static enum wh_status begin_put(struct putting *putting, struct wh_error *err)
{
	const struct content *content = putting->content;
	char hex[65];

	putting->body = content_body(content);
	add_header(putting, "Content-Type: application/octet-stream");
	if (putting->place->profile->checksum_deploy) {
		text_hex(content->sha256, DIGEST_SIZE, hex);
		snprintf(putting->sha256, sizeof(putting->sha256),
			 "X-Checksum-Sha256: %s", hex);
		snprintf(putting->short_sha256, sizeof(putting->short_sha256),
			 "X-Checksum: %s", hex);
		add_header(putting, putting->sha256);
		add_header(putting, putting->short_sha256);
	}
	return url_of(putting->place, content->path, &putting->url, err);
}

static struct http_request put_request(struct putting *putting)
{
	struct http_request request =
		request_of(putting->place, "PUT", putting->url);

	request.headers = putting->headers;
	request.body = &putting->body;
	request.arrived = has_arrived;
	request.arrived_arg = putting;
	return request;
}

/* The server may have these bytes already, under any name. */
static enum wh_status deploy_by_checksum(struct putting *putting, bool *done,
					 struct wh_error *err)
{
	struct http_body none = content_body(putting->content);
	struct http_request request = put_request(putting);
	struct http_response response;

	*done = false;
	if (!putting->place->profile->checksum_deploy ||
	    putting->content->size < MIN_CHECKSUM_DEPLOY)
		return WH_OK;
	none.size = 0;
	add_header(putting, "X-Checksum-Deploy: true");
	request.body = &none;
	request.arrived = NULL;
	WH_TRY(http_send(putting->place->http, &request, &response, err));
	putting->headers[--putting->n_headers] = NULL;
	*done = response.status == 200 || response.status == 201;
	http_response_free(&response);
	return WH_OK;
}

static bool wants_folders(const struct profile *profile, long status)
{
	if (profile->makes_folders)
		return false;
	return status == 409 || (status == 404 && profile->mkcol_on_404);
}

/* There already: right if it is the same. Without a digest the size alone
 * proves nothing of a pointer, which has the same size as the one before. */
static enum wh_status judge_existing(struct putting *putting,
				     const struct http_request *request,
				     const struct http_response *response,
				     struct wh_error *err)
{
	struct remote_file file;

	WH_TRY(stat_path(putting->place, putting->content->path, &file, err));
	if (remote_is_same(&file, putting->content) &&
	    (putting->content->immutable || file.has_sha256))
		return WH_OK;
	if (file.exists)
		return wh_fail(err, WH_EEXISTS,
			       "'%s' is there with other content",
			       putting->content->path);
	return http_refused(request, response, err);
}

static enum wh_status judge_put(struct putting *putting,
				const struct http_request *request,
				const struct http_response *response,
				struct wh_error *err)
{
	const struct profile *profile = putting->place->profile;

	if (response->arrived || response->status == 200 ||
	    response->status == 201 || response->status == 204)
		return WH_OK;
	if (response->status == 412 && *putting->condition)
		return wh_fail(err, WH_EMISMATCH,
			       "'%s' was changed by another publisher",
			       putting->content->path);
	if (profile->exists && response->status == profile->exists)
		return judge_existing(putting, request, response, err);
	return http_refused(request, response, err);
}

static enum wh_status put_body(struct putting *putting, struct wh_error *err)
{
	struct http_request request = put_request(putting);
	struct http_response response;
	enum wh_status status;

	WH_TRY(http_send(putting->place->http, &request, &response, err));
	if (wants_folders(putting->place->profile, response.status)) {
		http_response_free(&response);
		WH_TRY(make_folders(putting->place, putting->url, err));
		WH_TRY(http_send(putting->place->http, &request, &response,
				 err));
	}
	status = judge_put(putting, &request, &response, err);
	http_response_free(&response);
	return status;
}

static enum wh_status put_file(struct place *base,
			       const struct content *content,
			       struct wh_error *err)
{
	struct putting putting = {.place = (struct http_place *)base,
				  .content = content};
	enum wh_status status = begin_put(&putting, err);
	bool done = false;

	if (!status)
		status = deploy_by_checksum(&putting, &done, err);
	if (!status && !done)
		status = put_body(&putting, err);
	free(putting.url);
	return status;
}

/* A weak ETag never matches (Apache, for a second or two). */
static void add_condition(struct putting *putting,
			  const struct remote_file *expected)
{
	if (!putting->place->profile->honours_conditions || !expected)
		return;
	if (!expected->exists)
		strcpy(putting->condition, "If-None-Match: *");
	else if (expected->etag[0] == '"')
		snprintf(putting->condition, sizeof(putting->condition),
			 "If-Match: %s", expected->etag);
	else
		return;
	add_header(putting, putting->condition);
}

static enum wh_status replace_file(struct place *base,
				   const struct content *content,
				   const struct remote_file *expected,
				   struct wh_error *err)
{
	struct putting putting = {.place = (struct http_place *)base,
				  .content = content};
	enum wh_status status = begin_put(&putting, err);

	if (!status) {
		add_condition(&putting, expected);
		status = put_body(&putting, err);
	}
	free(putting.url);
	return status;
}

/* ---- Getting --------------------------------------------------------------
 */

static enum wh_status get_file(struct place *base, const char *path,
			       const struct remote_range *range,
			       remote_sink_fn *sink, void *arg,
			       struct wh_error *err)
{
	struct http_place *place = (struct http_place *)base;
	char *url wh_free_auto = NULL;

	WH_TRY(url_of(place, path, &url, err));
	return ranged_get(place->http, request_of(place, "GET", url), range,
			  RANGED_IF_RANGE, sink, arg, err);
}

static enum wh_status remove_file(struct place *base, const char *path,
				  struct wh_error *err)
{
	struct http_place *place = (struct http_place *)base;
	struct http_response response;
	struct http_request request;
	char *url wh_free_auto = NULL;
	enum wh_status status = WH_OK;

	WH_TRY(url_of(place, path, &url, err));
	request = request_of(place, "DELETE", url);
	WH_TRY(http_send(place->http, &request, &response, err));
	if ((response.status < 200 || response.status > 299) &&
	    response.status != 404 && response.status != 410)
		status = http_refused(&request, &response, err);
	http_response_free(&response);
	return status;
}

/* ---- Opening --------------------------------------------------------------
 */

static void close_place(struct place *base)
{
	struct http_place *place = (struct http_place *)base;

	http_close(place->http);
	credentials_free(&place->credentials);
	free(place->url);
	free(place);
}

static const struct profile *guess_profile(const char *url)
{
	size_t i;

	for (i = 0; i < N_PROFILES; i++)
		if (profiles[i].marker && strstr(url, profiles[i].marker))
			return &profiles[i];
	return &profiles[0];
}

static enum wh_status find_profile(const struct place_settings *settings,
				   const struct profile **profile,
				   struct wh_error *err)
{
	size_t i;

	*profile = guess_profile(settings->url);
	if (!settings->profile)
		return WH_OK;
	for (i = 0; i < N_PROFILES; i++)
		if (strcmp(settings->profile, profiles[i].name) == 0) {
			*profile = &profiles[i];
			return WH_OK;
		}
	return wh_fail(err, WH_EINVAL,
		       "there is no profile '%s': generic, webdav, "
		       "artifactory, nexus and gitlab are",
		       settings->profile);
}

static enum wh_status check_base(const char *text, struct wh_error *err)
{
	struct http_url url;
	bool extra;

	WH_TRY(http_url_parse(text, &url, err));
	extra = url.query || strchr(text, '#');
	http_url_free(&url);
	if (extra)
		return wh_fail(err, WH_EINVAL,
			       "a place's URL has no query and no fragment");
	return WH_OK;
}

static enum wh_status fill_place(struct http_place *place,
				 const struct place_settings *settings,
				 struct wh_error *err)
{
	size_t len;

	WH_TRY(check_base(settings->url, err));
	WH_TRY(find_profile(settings, &place->profile, err));
	WH_TRY(credentials_of(place->profile->name, settings,
			      &place->credentials, err));
	place->base.serial = place->profile->serial;
	/* Those that give digests get them first, or say what is there. */
	place->base.hashes_late = !place->profile->makes_folders;
	place->url = strdup(settings->url);
	if (!place->url)
		return wh_fail_memory(err);
	len = strlen(place->url);
	while (len && place->url[len - 1] == '/')
		place->url[--len] = '\0';
	WH_TRY(http_open(&settings->http, &place->http, err));
	place->base.meter = http_meter(place->http);
	return WH_OK;
}

static enum wh_status open_place(const struct place_settings *settings,
				 struct place **out, struct wh_error *err)
{
	struct http_place *place = calloc(1, sizeof(*place));
	enum wh_status status;

	if (!place)
		return wh_fail_memory(err);
	status = fill_place(place, settings, err);
	if (status) {
		close_place(&place->base);
		return status;
	}
	*out = &place->base;
	return WH_OK;
}

static const char *const schemes[] = {"http", "https", NULL};

const struct place_kind http_place = {
	.name = "http",
	.schemes = schemes,
	.open = open_place,
	.stat = stat_file,
	.put = put_file,
	.replace = replace_file,
	.get = get_file,
	.remove = remove_file,
	.close = close_place,
};
