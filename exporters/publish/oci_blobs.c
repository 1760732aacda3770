/* Blobs of an OCI registry: looked for, sent, fetched (place_oci.c has the
 * calls). */
#include "publish/oci.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/auto.h"
#include "base/text.h"
#include "publish/ranged.h"

/* ---- Requests -------------------------------------------------------------
 */

struct http_request oci_request(struct oci_place *place, const char *method,
				const char *url)
{
	return (struct http_request){.method = method,
				     .url = url,
				     .idempotent = true,
				     .authorize = oci_authorize,
				     .authorize_arg = place};
}

enum wh_status oci_url(const struct oci_place *place, const char *kind,
		       const char *name, char **url, struct wh_error *err)
{
	if (asprintf(url, "%s/v2/%s/%s/%s", place->root, place->repository,
		     kind, name) < 0) {
		*url = NULL;
		return wh_fail_memory(err);
	}
	return WH_OK;
}

/* ---- Blobs ----------------------------------------------------------------
 */

enum wh_status oci_has_blob(struct oci_place *place,
			    const struct content *content,
			    struct remote_file *file, struct wh_error *err)
{
	struct http_response response;
	struct http_request request;
	char *url wh_free_auto = NULL;
	enum wh_status status = WH_OK;
	char digest[80], length[32];

	memset(file, 0, sizeof(*file));
	oci_digest_text(content->sha256, digest);
	WH_TRY(oci_url(place, "blobs", digest, &url, err));
	request = oci_request(place, "HEAD", url);
	WH_TRY(http_send(place->http, &request, &response, err));
	if (response.status == 200) {
		file->exists = file->has_sha256 = true;
		memcpy(file->sha256, content->sha256, DIGEST_SIZE);
		if (http_header(&response, "Content-Length", length,
				sizeof(length)))
			file->has_size = text_to_u64(length, &file->size);
		snprintf(file->etag, sizeof(file->etag), "\"%s\"", digest);
	} else if (response.status != 404) {
		status = http_refused(&request, &response, err);
	}
	http_response_free(&response);
	return status;
}

enum wh_status oci_stat(struct place *base, const struct content *content,
			struct remote_file *file, struct wh_error *err)
{
	struct oci_place *place = (struct oci_place *)base;
	char digest[80];

	WH_TRY(oci_has_blob(place, content, file, err));
	if (!file->exists)
		return WH_OK;
	oci_digest_text(content->sha256, digest);
	pthread_mutex_lock(&place->lock);
	json_object_set_new(place->layers, content->path, json_string(digest));
	pthread_mutex_unlock(&place->lock);
	return WH_OK;
}

struct arrival {
	struct oci_place *place;
	const struct content *content;
};

static enum wh_status has_arrived(void *arg, bool *yes, struct wh_error *err)
{
	const struct arrival *arrival = arg;
	struct remote_file file;

	WH_TRY(oci_has_blob(arrival->place, arrival->content, &file, err));
	*yes = file.exists;
	return WH_OK;
}

/* "mount=DIGEST&from=REPOSITORY" if another repository of this registry has the
 * blob, as far as is known; malloc'd. */
static char *mount_query(const struct oci_place *place,
			 const struct content *content)
{
	const char *host = strstr(place->root, "://") + strlen("://");
	char digest[80], repository[256] = "", *query = NULL;
	const char *url, *from;

	oci_digest_text(content->sha256, digest);
	url = json_string_value(
		json_object_get(place->elsewhere, digest + strlen("sha256:")));
	if (!url || !text_starts(url, "oci"))
		return NULL;
	from = strstr(url, "://") + strlen("://");
	if (!text_starts(from, host) || from[strlen(host)] != '/')
		return NULL;
	from += strlen(host) + 1;
	snprintf(repository, sizeof(repository), "%.*s",
		 (int)strcspn(from, ":"), from);
	if (strcmp(repository, place->repository) == 0 ||
	    asprintf(&query, "uploads/?mount=%s&from=%s", digest, repository) <
		    0)
		return NULL;
	return query;
}

/* The session's URL, which may be relative, on another host, or have a query
 * already. NULL: there is none, since the registry had the blob. */
static enum wh_status begin_upload(struct oci_place *place, const char *mount,
				   char **location, struct wh_error *err)
{
	struct http_response response;
	struct http_request request;
	char *url wh_free_auto = NULL;
	enum wh_status status;
	char header[4096];
	bool is_closed;

	*location = NULL;
	WH_TRY(oci_url(place, "blobs", mount ? mount : "uploads/", &url, err));
	request = oci_request(place, "POST", url);
	WH_TRY(http_send(place->http, &request, &response, err));
	is_closed = response.status == 401 || response.status == 403;
	if (response.status == 202 &&
	    http_header(&response, "Location", header, sizeof(header)))
		status = http_url_join(url, header, location, err);
	else if (response.status == 201 && mount)
		status = WH_OK;
	else if (is_closed && mount) /* we may not read there: send it */
		status = begin_upload(place, NULL, location, err);
	else
		status = http_refused(&request, &response, err);
	http_response_free(&response);
	return status;
}

static enum wh_status put_blob(struct oci_place *place, const char *location,
			       const struct content *content,
			       struct wh_error *err)
{
	static const char *const headers[] = {
		"Content-Type: application/octet-stream", NULL};
	struct http_body body = content_body(content);
	struct arrival arrival = {place, content};
	struct http_response response;
	struct http_request request;
	char *url wh_free_auto = NULL;
	enum wh_status status = WH_OK;
	char digest[80];

	oci_digest_text(content->sha256, digest);
	if (asprintf(&url, "%s%sdigest=%s", location,
		     strchr(location, '?') ? "&" : "?", digest) < 0) {
		url = NULL;
		return wh_fail_memory(err);
	}
	request = oci_request(place, "PUT", url);
	request.headers = headers;
	request.body = &body;
	/* An upload that was cut is lost on 2.8.2: a new session, not a new
	 * try. */
	request.idempotent = false;
	request.foreign = !http_same_origin(place->root, location);
	request.arrived = has_arrived;
	request.arrived_arg = &arrival;
	WH_TRY(http_send(place->http, &request, &response, err));
	if (!response.arrived && response.status != 201)
		status = http_refused(&request, &response, err);
	http_response_free(&response);
	return status;
}

/* What arrived would lie in the registry for days. */
static void cancel_upload(struct oci_place *place, const char *location)
{
	struct http_request request = oci_request(place, "DELETE", location);
	struct http_response response;

	request.idempotent = false;
	request.foreign = !http_same_origin(place->root, location);
	if (!http_send(place->http, &request, &response, NULL))
		http_response_free(&response);
}

/* A session may be lost. */
static bool is_final(int http_status)
{
	return http_is_final(http_status) && http_status != 404;
}

/* `*final`: no other session is worth a try. */
static enum wh_status put_in_session(struct oci_place *place,
				     const struct content *content, bool *final,
				     struct wh_error *err)
{
	char *mount wh_free_auto = mount_query(place, content);
	char *location wh_free_auto = NULL;
	enum wh_status status;

	*final = true;
	WH_TRY(begin_upload(place, mount, &location, err));
	if (!location)
		return WH_OK;
	status = put_blob(place, location, content, err);
	if (!status)
		return WH_OK;
	cancel_upload(place, location);
	*final = status != WH_EREMOTE || (err && is_final(err->http_status));
	return status;
}

#define SESSIONS 4 /* of a blob */

enum wh_status oci_put(struct place *base, const struct content *content,
		       struct wh_error *err)
{
	struct oci_place *place = (struct oci_place *)base;
	struct wh_error later;
	enum wh_status status;
	bool final;
	int i;

	/* The first reason is the one that tells: where the disk is full, later
	 * ones say "unknown error". */
	status = put_in_session(place, content, &final, err);
	for (i = 1; i < SESSIONS && status && !final; i++) {
		enum wh_status again =
			put_in_session(place, content, &final, &later);

		if (!again)
			return WH_OK;
		if (again == WH_ECANCELLED)
			return wh_fail(err, again, "%s", later.message);
	}
	return status;
}

/* ---- Getting --------------------------------------------------------------
 */

static enum wh_status get_blob(struct oci_place *place, const char *digest,
			       const struct remote_range *range,
			       remote_sink_fn *sink, void *arg,
			       struct wh_error *err)
{
	char *url wh_free_auto = NULL;

	WH_TRY(oci_url(place, "blobs", digest, &url, err));
	return ranged_get(place->http, oci_request(place, "GET", url), range,
			  RANGED_PLAIN, sink, arg, err);
}

enum wh_status oci_get(struct place *base, const char *path,
		       const struct remote_range *range, remote_sink_fn *sink,
		       void *arg, struct wh_error *err)
{
	struct oci_place *place = (struct oci_place *)base;
	char digest[80] = "";
	const char *found;

	pthread_mutex_lock(&place->lock);
	found = json_string_value(json_object_get(place->layers, path));
	if (found)
		snprintf(digest, sizeof(digest), "%s", found);
	pthread_mutex_unlock(&place->lock);
	if (!found)
		return wh_fail(err, WH_ENOTFOUND, "'%s' is not in the registry",
			       path);
	return get_blob(place, digest, range, sink, arg, err);
}
