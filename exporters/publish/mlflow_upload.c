/* Large artifacts in parts, where the server's store takes them: the parts go
 * straight to the storage, by URLs that MLflow signs.
 *
 *	POST mpu/create/DIR    {path, num_parts} -> {upload_id, credentials}
 *	PUT  each URL          -> ETag
 *	POST mpu/complete/DIR  {path, upload_id, parts}
 *
 * A server that keeps artifacts on its own disk answers 501: whole, then.
 */
#include "publish/mlflow.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/auto.h"
#include "base/json_put.h"
#include "publish/transfers.h"

#define SMALLEST  ((uint64_t)64 << 20) /* bytes: up to it one PUT does */
#define PART_SIZE ((uint64_t)16 << 20)
#define MAX_PARTS 10000u

struct upload {
	struct mlflow_place *place;
	const struct content *content;
	json_t *created; /* upload_id, which Azure has not; credentials */
	uint64_t part_size;
	size_t n;
	char (*etags)[128];
};

static const char *text_of(json_t *object, const char *key)
{
	return json_string_value(json_object_get(object, key));
}

/* "mpu/VERB/FOLDER", and the file's name apart, as the API wants it. */
static enum wh_status call(struct upload *upload, const char *verb,
			   json_t *body, const char *code, json_t **reply,
			   struct wh_error *err)
{
	const char *slash = strrchr(upload->content->path, '/');
	struct wh_buf path wh_buf_auto = {0};
	char *folder wh_free_auto = strndup(
		upload->content->path, (size_t)(slash - upload->content->path));
	enum wh_status status = folder && body ? WH_OK : wh_fail_memory(err);

	if (!status)
		status = wh_buf_printf(&path, err, "mlflow-artifacts/mpu/%s/",
				       verb);
	if (!status)
		status = http_escape(&path, upload->place->artifacts, false,
				     err);
	if (!status)
		status = wh_buf_printf(&path, err, "/");
	if (!status)
		status = http_escape(&path, folder, false, err);
	if (!status)
		status = wh_buf_append(&path, "", 1, err);
	if (status) {
		json_decref(body);
		return status;
	}
	json_put(&body, "path", json_string(slash + 1));
	return mlflow_try(upload->place, "POST", (const char *)path.data, body,
			  code, reply, err);
}

static enum wh_status put_part(void *arg, size_t index, struct wh_error *err)
{
	struct upload *upload = arg;
	json_t *credential = json_array_get(
		json_object_get(upload->created, "credentials"), index);
	uint64_t offset = index * upload->part_size;
	uint64_t left = upload->content->size - offset;
	struct http_body body = content_body(upload->content);
	struct http_request request = {.method = "PUT",
				       .url = text_of(credential, "url"),
				       .body = &body,
				       .idempotent = true,
				       .foreign = true};
	struct http_response response;
	enum wh_status status = WH_OK;

	body.offset = offset;
	body.size = left < upload->part_size ? left : upload->part_size;
	if (!request.url)
		return wh_fail(err, WH_EREMOTE,
			       "MLflow gives no URL for a part");
	WH_TRY(http_send(upload->place->http, &request, &response, err));
	/* Azure says 201, and knows a part by its URL alone. */
	if (response.status == 200 || response.status == 201)
		http_header(&response, "ETag", upload->etags[index],
			    sizeof(upload->etags[index]));
	else
		status = http_refused(&request, &response, err);
	http_response_free(&response);
	return status;
}

static json_t *with_id(const struct upload *upload)
{
	const char *id = text_of(upload->created, "upload_id");

	return id ? json_pack("{s:s}", "upload_id", id) : json_object();
}

static enum wh_status complete(struct upload *upload, struct wh_error *err)
{
	json_t *body = with_id(upload), *parts = json_array(), *reply;
	size_t i;

	for (i = 0; i < upload->n; i++) {
		json_t *credential = json_array_get(
			json_object_get(upload->created, "credentials"), i);

		json_add(&parts, json_pack("{s:i,s:s,s:s}", "part_number",
					   (int)i + 1, "etag", upload->etags[i],
					   "url", text_of(credential, "url")));
	}
	json_put(&body, "parts", parts);
	WH_TRY(call(upload, "complete", body, NULL, &reply, err));
	json_decref(reply);
	return WH_OK;
}

static void give_up(struct upload *upload)
{
	json_t *reply = NULL;

	call(upload, "abort", with_id(upload), NULL, &reply, NULL);
	json_decref(reply);
}

static enum wh_status run(struct upload *upload, struct wh_error *err)
{
	struct transfers transfers = {
		.n = upload->n,
		.parallel = upload->place->base.parallel,
		.transfer = put_part,
		.arg = upload,
		.meter = upload->place->base.meter,
	};
	enum wh_status status = WH_OK;

	upload->etags = calloc(upload->n, sizeof(*upload->etags));
	if (!upload->etags)
		status = wh_fail_memory(err);
	if (!status)
		status = transfers_run(&transfers, err);
	if (!status)
		status = complete(upload, err);
	if (status)
		give_up(upload);
	free(upload->etags);
	return status;
}

enum wh_status mlflow_upload(struct mlflow_place *place,
			     const struct content *content, bool *done,
			     struct wh_error *err)
{
	struct upload upload = {.place = place, .content = content};
	enum wh_status status;

	*done = false;
	if (content->size <= SMALLEST || atomic_load(&place->whole))
		return WH_OK;
	upload.part_size = content->size / MAX_PARTS + 1;
	if (upload.part_size < PART_SIZE)
		upload.part_size = PART_SIZE;
	upload.n = (size_t)((content->size + upload.part_size - 1) /
			    upload.part_size);
	WH_TRY(call(&upload, "create",
		    json_pack("{s:i}", "num_parts", (int)upload.n),
		    "NOT_IMPLEMENTED", &upload.created, err));
	if (!upload.created) {
		atomic_store(&place->whole, true);
		return WH_OK;
	}
	status = run(&upload, err);
	*done = status == WH_OK;
	json_decref(upload.created);
	return status;
}
