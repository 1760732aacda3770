/* publish/mlflow.h: what the MLflow place's files share. */
#ifndef WH_PUBLISH_MLFLOW_H
#define WH_PUBLISH_MLFLOW_H

#include <jansson.h>

#include "publish/credentials.h"
#include "publish/place.h"

struct mlflow_place {
	struct place base; /* first: they are cast into each other */
	struct http *http;
	struct credentials credentials;
	char *root;	    /* "https://host:port" */
	char *experiment;   /* by name */
	char *model;	    /* the registered model's name */
	char *run_id;	    /* of the run that takes our artifacts */
	char *artifacts;    /* its folder: "1/RUN/artifacts" */
	_Atomic bool whole; /* the server has no multipart uploads */
};

/** A call of the REST API: `path` below /api/2.0/, `body` taken (NULL for GET).
 *  On success the reply, which the caller frees. WH_EREMOTE with MLflow's
 *  reason; WH_ENOTFOUND where it says RESOURCE_DOES_NOT_EXIST. */
enum wh_status mlflow_call(struct mlflow_place *place, const char *method,
			   const char *path, json_t *body, json_t **reply,
			   struct wh_error *err);
/** The same, where `code` is no failure: *reply is NULL then. */
enum wh_status mlflow_try(struct mlflow_place *place, const char *method,
			  const char *path, json_t *body, const char *code,
			  json_t **reply, struct wh_error *err);

/** A POST that makes something new each time: where its reply was lost
 *  `arrived` is asked before it goes again, and *reply is NULL if it was
 *  there. */
enum wh_status mlflow_make(struct mlflow_place *place, const char *path,
			   json_t *body,
			   enum wh_status (*arrived)(void *arg, bool *yes,
						     struct wh_error *err),
			   void *arg, json_t **reply, struct wh_error *err);

/** http_authorize_fn */
enum wh_status mlflow_authorize(void *place, const struct http_request *request,
				const struct http_response *refused,
				struct http_headers *headers,
				struct wh_error *err);

/** The URL of an artifact of the run, malloc'd. */
enum wh_status mlflow_artifact_url(const struct mlflow_place *place,
				   const char *path, char **url,
				   struct wh_error *err);

/* ---- mlflow_run.c: experiment and run, params and metrics -----------------
 */

/** The experiment and the run of a publication, made if need be. */
enum wh_status mlflow_begin(struct mlflow_place *place,
			    const struct publication *publication,
			    struct wh_error *err);
/** The run's params and metrics with their steps; safe to repeat. */
enum wh_status mlflow_log(struct mlflow_place *place,
			  const struct publication *publication,
			  struct wh_error *err);
/** A run by id, for its artifacts. */
enum wh_status mlflow_use_run(struct mlflow_place *place, const char *run_id,
			      struct wh_error *err);

/* ---- mlflow_upload.c: large artifacts, in parts ----------------------------
 */

/** `*done` false: this server takes artifacts whole. */
enum wh_status mlflow_upload(struct mlflow_place *place,
			     const struct content *content, bool *done,
			     struct wh_error *err);

#endif
