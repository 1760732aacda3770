/* Calls of MLflow's REST API: JSON there and back. */
#include "publish/mlflow.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/auto.h"
#include "base/json_put.h"

enum wh_status mlflow_authorize(void *arg, const struct http_request *request,
				const struct http_response *refused,
				struct http_headers *headers,
				struct wh_error *err)
{
	const struct mlflow_place *place = arg;

	(void)request;
	(void)refused;
	return credentials_add(&place->credentials, headers, err);
}

static bool has_code(const struct http_response *response, const char *code)
{
	json_t *root = json_of_text((const char *)response->body.data,
				    response->body.size, 0, NULL);
	const char *found =
		json_string_value(json_object_get(root, "error_code"));
	bool same = found && strcmp(found, code) == 0;

	json_decref(root);
	return same;
}

static enum wh_status judge(const struct http_request *request,
			    const struct http_response *response,
			    const char *code, json_t **reply,
			    struct wh_error *err)
{
	enum wh_status status;

	*reply = NULL;
	if (response->status == 200) {
		*reply = json_of_text((const char *)response->body.data,
				      response->body.size, 0, NULL);
		if (*reply)
			return WH_OK;
		return wh_fail(err, WH_EREMOTE,
			       "%s %s: the reply is no JSON: is this an MLflow "
			       "server?",
			       request->method, request->url);
	}
	if (code && has_code(response, code))
		return WH_OK;
	status = http_refused(request, response, err);
	/* A path that MLflow doesn't know is not a thing that it lacks. */
	if (status == WH_ENOTFOUND &&
	    !has_code(response, "RESOURCE_DOES_NOT_EXIST")) {
		status = WH_EREMOTE;
		if (err)
			err->status = status;
	}
	return status;
}

struct call {
	const char *method, *path, *code;
	/* http_request's */
	enum wh_status (*arrived)(void *arg, bool *yes, struct wh_error *err);
	void *arg;
};

static enum wh_status send_call(struct mlflow_place *place,
				const struct call *call, json_t *body,
				json_t **reply, struct wh_error *err)
{
	static const char *const headers[] = {"Content-Type: application/json",
					      NULL};
	char *text wh_free_auto = json_to_text(body, JSON_COMPACT);
	bool lacks_text = !text && strcmp(call->method, "GET") != 0;
	char *url wh_free_auto = NULL;
	struct http_body sent = {.read = read_memory, .arg = text};
	struct http_request request = {.method = call->method,
				       .headers = headers,
				       .idempotent = true,
				       .authorize = mlflow_authorize,
				       .authorize_arg = place,
				       .arrived = call->arrived,
				       .arrived_arg = call->arg};
	struct http_response response;
	enum wh_status status = WH_OK;

	json_decref(body);
	*reply = NULL;
	if (asprintf(&url, "%s/api/2.0/%s", place->root, call->path) < 0)
		url = NULL;
	if (lacks_text || !url)
		return wh_fail_memory(err);
	request.url = url;
	if (text) {
		sent.size = strlen(text);
		request.body = &sent;
	}
	WH_TRY(http_send(place->http, &request, &response, err));
	if (!response.arrived)
		status = judge(&request, &response, call->code, reply, err);
	http_response_free(&response);
	return status;
}

enum wh_status mlflow_try(struct mlflow_place *place, const char *method,
			  const char *path, json_t *body, const char *code,
			  json_t **reply, struct wh_error *err)
{
	const struct call call = {method, path, code, NULL, NULL};

	return send_call(place, &call, body, reply, err);
}

enum wh_status mlflow_call(struct mlflow_place *place, const char *method,
			   const char *path, json_t *body, json_t **reply,
			   struct wh_error *err)
{
	return mlflow_try(place, method, path, body, NULL, reply, err);
}

enum wh_status mlflow_make(struct mlflow_place *place, const char *path,
			   json_t *body,
			   enum wh_status (*arrived)(void *arg, bool *yes,
						     struct wh_error *err),
			   void *arg, json_t **reply, struct wh_error *err)
{
	const struct call call = {"POST", path, NULL, arrived, arg};

	return send_call(place, &call, body, reply, err);
}

enum wh_status mlflow_artifact_url(const struct mlflow_place *place,
				   const char *path, char **url,
				   struct wh_error *err)
{
	struct wh_buf text wh_buf_auto = {0};

	WH_TRY(place_check_path(path, err));
	WH_TRY(wh_buf_printf(&text, err,
			     "%s/api/2.0/mlflow-artifacts/artifacts/",
			     place->root));
	WH_TRY(http_escape(&text, place->artifacts, false, err));
	WH_TRY(wh_buf_printf(&text, err, "/"));
	WH_TRY(http_escape(&text, path, false, err));
	return wh_buf_take_text(&text, url, err);
}
