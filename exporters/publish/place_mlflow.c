/* MLflow: mlflow://HOST/EXPERIMENT[/MODEL].
 *
 * The store's run becomes a run of the experiment, with params and metrics;
 * each published snapshot a folder of its artifacts, and a version of the
 * registered model. The alias moves last. `latest`, which MLflow keeps for
 * itself, is the newest version.
 *
 * Source: MLflow's REST API; measured on MLflow 3.17.2. Artifacts go through
 * the server's proxy, which gives no digest back.
 */
#include "publish/mlflow.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/auto.h"
#include "base/text.h"
#include "publish/publication.h"
#include "publish/ranged.h"

#define MAX_PAGES    1000 /* of 200 versions */
#define SNAPSHOT_TAG "weighhouse.snapshot"
#define MANIFEST_TAG "weighhouse.manifest" /* "PATH SHA-256" */

static const char *text_of(json_t *object, const char *key)
{
	return json_string_value(json_object_get(object, key));
}

static struct http_request request_of(struct mlflow_place *place,
				      const char *method, const char *url)
{
	return (struct http_request){.method = method,
				     .url = url,
				     .idempotent = true,
				     .authorize = mlflow_authorize,
				     .authorize_arg = place};
}

/* ---- Artifacts ------------------------------------------------------------
 */

static enum wh_status list_url(const struct mlflow_place *place,
			       const char *folder, struct wh_buf *path,
			       struct wh_error *err)
{
	WH_TRY(wh_buf_printf(path, err, "mlflow-artifacts/artifacts?path="));
	WH_TRY(http_escape(path, place->artifacts, true, err));
	WH_TRY(wh_buf_printf(path, err, "%%2F"));
	WH_TRY(http_escape(path, folder, true, err));
	return wh_buf_append(path, "", 1, err);
}

static void take_entry(json_t *files, const char *name,
		       struct remote_file *file)
{
	json_t *entry;
	size_t i;

	json_array_foreach(files, i, entry)
	{
		const char *path = text_of(entry, "path");
		json_t *size = json_object_get(entry, "file_size");

		if (!path || strcmp(path, name) != 0)
			continue;
		file->exists = true;
		file->has_size = json_is_integer(size) || json_is_string(size);
		file->size = json_is_integer(size)
				     ? (uint64_t)json_integer_value(size)
				     : 0;
		if (json_is_string(size))
			file->has_size = text_to_u64(json_string_value(size),
						     &file->size);
	}
}

/* By its folder's list: with artifacts in S3 a HEAD of what isn't there is a
 * 500. */
static enum wh_status stat_file(struct place *base,
				const struct content *content,
				struct remote_file *file, struct wh_error *err)
{
	struct mlflow_place *place = (struct mlflow_place *)base;
	const char *slash = strrchr(content->path, '/');
	struct wh_buf path wh_buf_auto = {0};
	char *folder wh_free_auto =
		strndup(content->path, (size_t)(slash - content->path));
	json_t *reply;

	memset(file, 0, sizeof(*file));
	if (!folder)
		return wh_fail_memory(err);
	WH_TRY(list_url(place, folder, &path, err));
	WH_TRY(mlflow_try(place, "GET", (const char *)path.data, NULL,
			  "RESOURCE_DOES_NOT_EXIST", &reply, err));
	take_entry(json_object_get(reply, "files"), slash + 1, file);
	json_decref(reply);
	return WH_OK;
}

static enum wh_status put_whole(struct mlflow_place *place,
				const struct content *content,
				struct wh_error *err)
{
	static const char *const headers[] = {
		"Content-Type: application/octet-stream", NULL};
	struct http_body body = content_body(content);
	struct http_response response;
	struct http_request request;
	char *url wh_free_auto = NULL;
	enum wh_status status = WH_OK;

	WH_TRY(mlflow_artifact_url(place, content->path, &url, err));
	request = request_of(place, "PUT", url);
	request.headers = headers;
	request.body = &body;
	WH_TRY(http_send(place->http, &request, &response, err));
	if (response.status != 200)
		status = http_refused(&request, &response, err);
	http_response_free(&response);
	return status;
}

static enum wh_status put_file(struct place *base,
			       const struct content *content,
			       struct wh_error *err)
{
	struct mlflow_place *place = (struct mlflow_place *)base;
	bool done;

	WH_TRY(mlflow_upload(place, content, &done, err));
	return done ? WH_OK : put_whole(place, content, err);
}

/* The ETag of a HEAD is another than that of a GET: there is none to ask with.
 */
static enum wh_status get_file(struct place *base, const char *path,
			       const struct remote_range *range,
			       remote_sink_fn *sink, void *arg,
			       struct wh_error *err)
{
	struct mlflow_place *place = (struct mlflow_place *)base;
	char *url wh_free_auto = NULL;

	WH_TRY(mlflow_artifact_url(place, path, &url, err));
	return ranged_get(place->http, request_of(place, "GET", url), range,
			  RANGED_PLAIN, sink, arg, err);
}

static enum wh_status remove_file(struct place *base, const char *path,
				  struct wh_error *err)
{
	struct mlflow_place *place = (struct mlflow_place *)base;
	struct http_response response;
	struct http_request request;
	char *url wh_free_auto = NULL;
	enum wh_status status = WH_OK;

	WH_TRY(mlflow_artifact_url(place, path, &url, err));
	request = request_of(place, "DELETE", url);
	WH_TRY(http_send(place->http, &request, &response, err));
	if (response.status != 200 && response.status != 404)
		status = http_refused(&request, &response, err);
	http_response_free(&response);
	return status;
}

/* ---- Versions of the model ------------------------------------------------
 */

static const char *tag_of(json_t *version, const char *key)
{
	json_t *tags = json_object_get(version, "tags"), *one;
	size_t i;

	json_array_foreach(tags, i, one)
	{
		const char *name = text_of(one, "key");

		if (name && strcmp(name, key) == 0)
			return text_of(one, "value");
	}
	return NULL;
}

/* Whether `version` is the one that is looked for: of this snapshot, and with
 * this manifest where one is given. */
static bool is_wanted(json_t *version, const char *snapshot,
		      const char *manifest)
{
	const char *theirs = tag_of(version, SNAPSHOT_TAG);
	const char *listed = tag_of(version, MANIFEST_TAG);

	if (!theirs || (snapshot && strcmp(theirs, snapshot) != 0))
		return false;
	return !manifest || (listed && strcmp(listed, manifest) == 0);
}

/* The first that is wanted of a page of versions, borrowed, or NULL. */
static json_t *wanted_of(json_t *page, const char *snapshot,
			 const char *manifest)
{
	json_t *versions = json_object_get(page, "model_versions");
	size_t i;

	for (i = 0; i < json_array_size(versions); i++) {
		json_t *version = json_array_get(versions, i);

		if (is_wanted(version, snapshot, manifest))
			return version;
	}
	return NULL;
}

/* A page of versions, the newest first, to be freed. */
static enum wh_status read_page(struct mlflow_place *place, const char *token,
				json_t **page, struct wh_error *err)
{
	struct wh_buf path wh_buf_auto = {0};

	WH_TRY(wh_buf_printf(&path, err,
			     "mlflow/model-versions/search?max_results=200&"
			     "order_by=version_number%%20DESC&"
			     "filter=name%%3D%%27"));
	WH_TRY(http_escape(&path, place->model, true, err));
	WH_TRY(wh_buf_printf(&path, err, "%%27%s",
			     *token ? "&page_token=" : ""));
	WH_TRY(http_escape(&path, token, true, err));
	WH_TRY(wh_buf_append(&path, "", 1, err));
	return mlflow_call(place, "GET", (const char *)path.data, NULL, page,
			   err);
}

/* The newest version that is wanted, to be freed; NULL if there is none. */
static enum wh_status find_version(struct mlflow_place *place,
				   const char *snapshot, const char *manifest,
				   json_t **found, struct wh_error *err)
{
	char token[300] = "";
	unsigned n_pages;

	*found = NULL;
	for (n_pages = 0; n_pages < MAX_PAGES; n_pages++) {
		const char *next;
		json_t *page;

		WH_TRY(read_page(place, token, &page, err));
		*found = json_incref(wanted_of(page, snapshot, manifest));
		next = text_of(page, "next_page_token");
		snprintf(token, sizeof(token), "%s", next ? next : "");
		json_decref(page);
		if (*found || !*token)
			return WH_OK;
	}
	return wh_fail(err, WH_EREMOTE,
		       "MLflow's list of the versions of '%s' has no end",
		       place->model);
}

struct making {
	struct mlflow_place *place;
	const char *snapshot, *manifest;
	json_t *found;
};

static enum wh_status is_there(void *arg, bool *yes, struct wh_error *err)
{
	struct making *making = arg;

	WH_TRY(find_version(making->place, making->snapshot, making->manifest,
			    &making->found, err));
	*yes = making->found != NULL;
	return WH_OK;
}

/* Each call makes a version. */
static enum wh_status have_version(struct mlflow_place *place,
				   const struct publication *publication,
				   char version[32], struct wh_error *err)
{
	const struct publish_file *file = &publication->manifest;
	char manifest[700], hex[HEX_SIZE], source[300];
	struct making making = {place, publication->snapshot, manifest, NULL};
	const char *number;
	json_t *reply;
	bool found;

	text_hex(file->sha256, DIGEST_SIZE, hex);
	snprintf(manifest, sizeof(manifest), "%s %s", file->path, hex);
	WH_TRY(is_there(&making, &found, err));
	if (!found) {
		snprintf(source, sizeof(source), "runs:/%.100s/v/%s",
			 place->run_id, publication->snapshot);
		WH_TRY(mlflow_make(
			place, "mlflow/model-versions/create",
			json_pack("{s:s,s:s,s:s,s:[{s:s,s:s},{s:s,s:s}]}",
				  "name", place->model, "source", source,
				  "run_id", place->run_id, "tags", "key",
				  SNAPSHOT_TAG, "value", publication->snapshot,
				  "key", MANIFEST_TAG, "value", manifest),
			is_there, &making, &reply, err));
		if (reply)
			making.found = json_incref(
				json_object_get(reply, "model_version"));
		json_decref(reply);
	}
	number = text_of(making.found, "version");
	snprintf(version, 32, "%s", number ? number : "");
	json_decref(making.found);
	return *version ? WH_OK
			: wh_fail(err, WH_EREMOTE,
				  "MLflow makes no version of '%s'",
				  place->model);
}

static enum wh_status point(struct place *base,
			    const struct publication *publication,
			    const char *alias, struct wh_error *err)
{
	struct mlflow_place *place = (struct mlflow_place *)base;
	char version[32];
	json_t *reply;

	WH_TRY(mlflow_log(place, publication, err));
	WH_TRY(mlflow_try(place, "POST", "mlflow/registered-models/create",
			  json_pack("{s:s}", "name", place->model),
			  "RESOURCE_ALREADY_EXISTS", &reply, err));
	json_decref(reply);
	WH_TRY(have_version(place, publication, version, err));
	if (strcmp(alias, "latest") == 0)
		return WH_OK;
	WH_TRY(mlflow_call(place, "POST", "mlflow/registered-models/alias",
			   json_pack("{s:s,s:s,s:s}", "name", place->model,
				     "alias", alias, "version", version),
			   &reply, err));
	json_decref(reply);
	return WH_OK;
}

/* ---- Getting it back ------------------------------------------------------
 */

static enum wh_status find_alias(struct mlflow_place *place, const char *alias,
				 json_t **version, struct wh_error *err)
{
	struct wh_buf path wh_buf_auto = {0};
	json_t *reply;

	WH_TRY(wh_buf_printf(&path, err,
			     "mlflow/registered-models/alias?name="));
	WH_TRY(http_escape(&path, place->model, true, err));
	WH_TRY(wh_buf_printf(&path, err, "&alias="));
	WH_TRY(http_escape(&path, alias, true, err));
	WH_TRY(wh_buf_append(&path, "", 1, err));
	/* An alias that isn't there is a 400. */
	WH_TRY(mlflow_try(place, "GET", (const char *)path.data, NULL,
			  "INVALID_PARAMETER_VALUE", &reply, err));
	*version = json_incref(json_object_get(reply, "model_version"));
	json_decref(reply);
	return WH_OK;
}

static enum wh_status use_version(struct mlflow_place *place, json_t *version,
				  struct pointer *pointer, struct wh_error *err)
{
	const char *snapshot = tag_of(version, SNAPSHOT_TAG);
	const char *manifest = tag_of(version, MANIFEST_TAG);
	const char *blank = manifest ? strchr(manifest, ' ') : NULL;
	const char *run_id = text_of(version, "run_id");

	if (!snapshot || strlen(snapshot) != HEX_SIZE - 1 || !blank ||
	    strlen(blank + 1) != HEX_SIZE - 1 || !run_id)
		return wh_fail(err, WH_ECORRUPT,
			       "this version of '%s' is no snapshot of "
			       "weighhouse",
			       place->model);
	strcpy(pointer->snapshot, snapshot);
	strcpy(pointer->sha256, blank + 1);
	snprintf(pointer->manifest, sizeof(pointer->manifest), "%.*s",
		 (int)(blank - manifest), manifest);
	return mlflow_use_run(place, run_id, err);
}

static enum wh_status resolve(struct place *base, const char *alias,
			      struct pointer *pointer, struct wh_error *err)
{
	struct mlflow_place *place = (struct mlflow_place *)base;
	uint8_t digest[DIGEST_SIZE];
	enum wh_status status;
	json_t *version;

	memset(pointer, 0, sizeof(*pointer));
	if (strcmp(alias, "latest") == 0)
		WH_TRY(find_version(place, NULL, NULL, &version, err));
	else if (text_unhex(alias, digest, sizeof(digest)))
		WH_TRY(find_version(place, alias, NULL, &version, err));
	else
		WH_TRY(find_alias(place, alias, &version, err));
	if (!version)
		return wh_fail(err, WH_ENOTFOUND, "model '%s' has none",
			       place->model);
	status = use_version(place, version, pointer, err);
	json_decref(version);
	return status;
}

/* ---- Removing -------------------------------------------------------------
 */

static enum wh_status unpoint(struct place *base, const char *alias,
			      struct wh_error *err)
{
	struct mlflow_place *place = (struct mlflow_place *)base;
	json_t *reply;

	if (strcmp(alias, "latest") == 0)
		return wh_fail(err, WH_EUNSUPPORTED,
			       "MLflow's 'latest' is the newest version of "
			       "'%s': unpublish its snapshot instead",
			       place->model);
	WH_TRY(mlflow_call(
		place, "DELETE", "mlflow/registered-models/alias",
		json_pack("{s:s,s:s}", "name", place->model, "alias", alias),
		&reply, err));
	json_decref(reply);
	return WH_OK;
}

/* All of a snapshot's versions: it may have been published in several formats.
 */
static enum wh_status erase(struct place *base, const char *snapshot,
			    struct wh_error *err)
{
	struct mlflow_place *place = (struct mlflow_place *)base;
	char last[32] = "";
	json_t *found, *reply;

	for (;;) {
		enum wh_status status;
		const char *version;

		WH_TRY(find_version(place, snapshot, NULL, &found, err));
		if (!found)
			return WH_OK;
		version = text_of(found, "version");
		if (!version || strcmp(version, last) == 0) {
			json_decref(found);
			return wh_fail(err, WH_EREMOTE,
				       "MLflow has version %s of '%s' still",
				       last, place->model);
		}
		snprintf(last, sizeof(last), "%s", version);
		status = mlflow_call(
			place, "DELETE", "mlflow/model-versions/delete",
			json_pack("{s:s,s:s}", "name", place->model, "version",
				  version),
			&reply, err);
		json_decref(found);
		if (status)
			return status;
		json_decref(reply);
	}
}

static enum wh_status list_aliases(struct place *base, alias_fn *fn, void *arg,
				   struct wh_error *err)
{
	struct mlflow_place *place = (struct mlflow_place *)base;
	struct wh_buf path wh_buf_auto = {0};
	enum wh_status status = WH_OK;
	json_t *reply, *rows, *row;
	size_t i;

	WH_TRY(wh_buf_printf(&path, err, "mlflow/registered-models/get?name="));
	WH_TRY(http_escape(&path, place->model, true, err));
	WH_TRY(wh_buf_append(&path, "", 1, err));
	WH_TRY(mlflow_try(place, "GET", (const char *)path.data, NULL,
			  "RESOURCE_DOES_NOT_EXIST", &reply, err));
	rows = json_object_get(json_object_get(reply, "registered_model"),
			       "aliases");
	json_array_foreach(rows, i, row)
	{
		if (!status && text_of(row, "alias"))
			status = fn(arg, text_of(row, "alias"), err);
	}
	json_decref(reply);
	return status;
}

static enum wh_status begin(struct place *base,
			    const struct publication *publication,
			    struct wh_error *err)
{
	return mlflow_begin((struct mlflow_place *)base, publication, err);
}

/* ---- Opening --------------------------------------------------------------
 */

static void close_place(struct place *base)
{
	struct mlflow_place *place = (struct mlflow_place *)base;

	http_close(place->http);
	credentials_free(&place->credentials);
	free(place->root);
	free(place->experiment);
	free(place->model);
	free(place->run_id);
	free(place->artifacts);
	free(place);
}

static enum wh_status parse(struct mlflow_place *place, const char *url,
			    struct wh_error *err)
{
	bool plain = text_starts(url, "mlflow+http:");
	const char *host = strstr(url, "://"), *slash, *second;
	size_t len;

	host = host ? host + 3 : "";
	slash = strchr(host, '/');
	if (!slash || slash == host || !slash[1])
		return wh_fail(err, WH_EINVAL,
			       "'%s' is not mlflow://HOST/EXPERIMENT[/MODEL]",
			       url);
	WH_TRY(place_check_path(slash + 1, err));
	second = strchr(slash + 1, '/');
	len = second ? (size_t)(second - slash - 1) : strlen(slash + 1);
	place->experiment = strndup(slash + 1, len);
	place->model = strdup(second ? second + 1 : slash + 1);
	if (asprintf(&place->root, "%s://%.*s", plain ? "http" : "https",
		     (int)(slash - host), host) < 0)
		place->root = NULL;
	if (!place->experiment || !place->model || !place->root)
		return wh_fail_memory(err);
	if (strchr(place->model, '/') || strchr(place->model, '\''))
		return wh_fail(err, WH_EINVAL, "'%s' can't be a model's name",
			       place->model);
	return WH_OK;
}

static enum wh_status open_place(const struct place_settings *settings,
				 struct place **out, struct wh_error *err)
{
	struct mlflow_place *place = calloc(1, sizeof(*place));
	struct http_settings http = settings->http;
	enum wh_status status;

	if (!place)
		return wh_fail_memory(err);
	status = parse(place, settings->url, err);
	if (!status)
		status = credentials_of("mlflow", settings, &place->credentials,
					err);
	http.allow_http |= text_starts(settings->url, "mlflow+http:");
	if (!status)
		status = http_open(&http, &place->http, err);
	if (status) {
		close_place(&place->base);
		return status;
	}
	place->base.meter = http_meter(place->http);
	place->base.part_size = (uint64_t)64 << 20;
	place->base.hashes_late = true;
	*out = &place->base;
	return WH_OK;
}

static const char *const schemes[] = {"mlflow", "mlflow+http", NULL};

const struct place_kind mlflow_place = {
	.name = "mlflow",
	.schemes = schemes,
	.open = open_place,
	.begin = begin,
	.stat = stat_file,
	.put = put_file,
	.get = get_file,
	.remove = remove_file,
	.point = point,
	.resolve = resolve,
	.aliases = list_aliases,
	.unpoint = unpoint,
	.erase = erase,
	.keeps_latest = true,
	.close = close_place,
};
