/* A run of the store as a run of MLflow: found by its UUID in a tag, so that
 * every snapshot of it lands in the same one, with the history of its metrics.
 */
#include "publish/mlflow.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/ascii.h"
#include "base/auto.h"
#include "base/json_put.h"
#include "publish/publication.h"

#define RUN_TAG	   "weighhouse.run"
#define MAX_BATCH  1000 /* metrics a call takes; params: 100 */
#define MAX_PARAMS 100
#define MAX_VALUE  6000 /* longer params are cut by MLflow without a word */

static const char *text_of(json_t *object, const char *key)
{
	return json_string_value(json_object_get(object, key));
}

/* ---- The experiment -------------------------------------------------------
 */

static enum wh_status find_experiment(struct mlflow_place *place, char **id,
				      struct wh_error *err)
{
	struct wh_buf path wh_buf_auto = {0};
	const char *found;
	json_t *reply;

	WH_TRY(wh_buf_printf(
		&path, err, "mlflow/experiments/get-by-name?experiment_name="));
	WH_TRY(http_escape(&path, place->experiment, true, err));
	WH_TRY(wh_buf_append(&path, "", 1, err));
	WH_TRY(mlflow_try(place, "GET", (const char *)path.data, NULL,
			  "RESOURCE_DOES_NOT_EXIST", &reply, err));
	found = text_of(json_object_get(reply, "experiment"), "experiment_id");
	*id = found ? strdup(found) : NULL;
	json_decref(reply);
	return WH_OK;
}

/* Another publisher may make it at the same time. */
static enum wh_status have_experiment(struct mlflow_place *place, char **id,
				      struct wh_error *err)
{
	json_t *reply;

	WH_TRY(find_experiment(place, id, err));
	if (*id)
		return WH_OK;
	WH_TRY(mlflow_try(place, "POST", "mlflow/experiments/create",
			  json_pack("{s:s}", "name", place->experiment),
			  "RESOURCE_ALREADY_EXISTS", &reply, err));
	json_decref(reply);
	WH_TRY(find_experiment(place, id, err));
	if (*id)
		return WH_OK;
	return wh_fail(err, WH_EREMOTE, "experiment '%s' can't be made",
		       place->experiment);
}

/* ---- The run --------------------------------------------------------------
 */

/* "mlflow-artifacts:/1/RUN/artifacts", perhaps with a host: what follows is
 * the path below the artifacts' own root. */
static enum wh_status take_run(struct mlflow_place *place, json_t *run,
			       struct wh_error *err)
{
	json_t *info = json_object_get(run, "info");
	const char *id = text_of(info, "run_id");
	const char *uri = text_of(info, "artifact_uri");
	const char *path = uri ? strstr(uri, ":/") : NULL;

	if (!id || !path || strncmp(uri, "mlflow-artifacts:", 17) != 0)
		return wh_fail(err, WH_EUNSUPPORTED,
			       "this MLflow server does not pass artifacts on "
			       "(its runs lie at '%s'): start it with "
			       "--serve-artifacts",
			       uri ? uri : "?");
	path += 2;
	if (*path == '/' && path[1] != '/') {
		path = strchr(path + 1, '/'); /* a host */
		path = path ? path : "";
	}
	while (*path == '/')
		path++;
	free(place->run_id);
	free(place->artifacts);
	place->run_id = strdup(id);
	place->artifacts = strdup(path);
	if (!place->run_id || !place->artifacts)
		return wh_fail_memory(err);
	return place_check_path(place->artifacts, err);
}

enum wh_status mlflow_use_run(struct mlflow_place *place, const char *run_id,
			      struct wh_error *err)
{
	struct wh_buf path wh_buf_auto = {0};
	enum wh_status status;
	json_t *reply;

	WH_TRY(wh_buf_printf(&path, err, "mlflow/runs/get?run_id="));
	WH_TRY(http_escape(&path, run_id, true, err));
	WH_TRY(wh_buf_append(&path, "", 1, err));
	WH_TRY(mlflow_call(place, "GET", (const char *)path.data, NULL, &reply,
			   err));
	status = take_run(place, json_object_get(reply, "run"), err);
	json_decref(reply);
	return status;
}

static enum wh_status find_run(struct mlflow_place *place,
			       const struct publication *publication,
			       const char *experiment, bool *found,
			       struct wh_error *err)
{
	enum wh_status status = WH_OK;
	char filter[128];
	json_t *reply, *run;

	snprintf(filter, sizeof(filter), "tags.`" RUN_TAG "` = '%.60s'",
		 publication->run_uuid);
	WH_TRY(mlflow_call(place, "POST", "mlflow/runs/search",
			   json_pack("{s:[s],s:s,s:i}", "experiment_ids",
				     experiment, "filter", filter,
				     "max_results", 1),
			   &reply, err));
	run = json_array_get(json_object_get(reply, "runs"), 0);
	*found = run != NULL;
	if (run)
		status = take_run(place, run, err);
	json_decref(reply);
	return status;
}

static json_t *tag(const char *key, const char *value)
{
	return json_pack("{s:s,s:s}", "key", key, "value", value);
}

struct making {
	struct mlflow_place *place;
	const struct publication *publication;
	const char *experiment;
};

static enum wh_status is_there(void *arg, bool *yes, struct wh_error *err)
{
	const struct making *making = arg;

	return find_run(making->place, making->publication, making->experiment,
			yes, err);
}

enum wh_status mlflow_begin(struct mlflow_place *place,
			    const struct publication *publication,
			    struct wh_error *err)
{
	char *experiment wh_free_auto = NULL;
	struct making making = {place, publication, NULL};
	enum wh_status status = WH_OK;
	json_t *reply;
	bool found;

	WH_TRY(have_experiment(place, &experiment, err));
	WH_TRY(find_run(place, publication, experiment, &found, err));
	if (found)
		return WH_OK;
	making.experiment = experiment;
	WH_TRY(mlflow_make(
		place, "mlflow/runs/create",
		json_pack("{s:s,s:s,s:I,s:[o,o]}", "experiment_id", experiment,
			  "run_name", publication->run_name, "start_time",
			  (json_int_t)publication->run_started * 1000, "tags",
			  tag("mlflow.source.name", "weighhouse"),
			  tag(RUN_TAG, publication->run_uuid)),
		is_there, &making, &reply, err));
	if (reply)
		status = take_run(place, json_object_get(reply, "run"), err);
	json_decref(reply);
	return status;
}

/* ---- Params and metrics ---------------------------------------------------
 */

/* Letters, digits, _ - . space : / : what else there is becomes '_'. */
static void clean_key(const char *key, char *clean, size_t size)
{
	size_t i;

	for (i = 0; key[i] && i + 1 < size; i++)
		clean[i] = ascii_is_alnum(key[i]) || strchr("_-. :/", key[i])
				   ? key[i]
				   : '_';
	clean[i] = '\0';
}

static json_t *metric_json(const struct publish_metric *metric)
{
	json_t *value = isnan(metric->value)	       ? json_string("NaN")
			: metric->value > HUGE_VAL / 2 ? json_string("Infinity")
			: metric->value < -HUGE_VAL / 2
				? json_string("-Infinity")
				: json_real(metric->value);
	char key[250];

	clean_key(metric->key, key, sizeof(key));
	return json_pack("{s:s,s:o,s:I,s:I}", "key", key, "value", value,
			 "timestamp", (json_int_t)metric->time * 1000, "step",
			 (json_int_t)metric->step);
}

/* Takes the lists. */
static enum wh_status log_batch(struct mlflow_place *place, json_t *metrics,
				json_t *params, struct wh_error *err)
{
	json_t *reply;

	WH_TRY(mlflow_call(place, "POST", "mlflow/runs/log-batch",
			   json_pack("{s:s,s:o,s:o}", "run_id", place->run_id,
				     "metrics", metrics, "params", params),
			   &reply, err));
	json_decref(reply);
	return WH_OK;
}

static enum wh_status log_metrics(struct mlflow_place *place,
				  const struct publication *publication,
				  struct wh_error *err)
{
	size_t i, at;

	for (at = 0; at < publication->n_metrics; at += MAX_BATCH) {
		json_t *batch = json_array();

		for (i = at; i < publication->n_metrics && i < at + MAX_BATCH;
		     i++)
			json_add(&batch, metric_json(&publication->metrics[i]));
		WH_TRY(log_batch(place, batch, json_array(), err));
	}
	return WH_OK;
}

/* What the run has already: another value for a param would be refused. */
static enum wh_status known_params(struct mlflow_place *place, json_t **known,
				   struct wh_error *err)
{
	json_t *reply, *params, *param;
	char path[200];
	size_t i;

	snprintf(path, sizeof(path), "mlflow/runs/get?run_id=%.100s",
		 place->run_id);
	WH_TRY(mlflow_call(place, "GET", path, NULL, &reply, err));
	*known = json_object();
	params = json_object_get(
		json_object_get(json_object_get(reply, "run"), "data"),
		"params");
	json_array_foreach(params, i, param)
	{
		const char *key = text_of(param, "key");

		if (key)
			json_object_set_new(*known, key, json_true());
	}
	json_decref(reply);
	return WH_OK;
}

/* Cut on a whole character: JSON has no halves. */
static void cut_value(const char *value, char *cut, size_t size)
{
	size_t len = strnlen(value, size - 1);

	while (len && ((unsigned char)value[len] & 0xc0) == 0x80)
		len--;
	memcpy(cut, value, len);
	cut[len] = '\0';
}

/* Of names that become one the first is logged: MLflow refuses a second. */
static enum wh_status log_params(struct mlflow_place *place,
				 const struct publication *publication,
				 struct wh_error *err)
{
	enum wh_status status = WH_OK;
	json_t *known, *batch;
	size_t i;

	WH_TRY(known_params(place, &known, err));
	batch = json_array();
	for (i = 0; i < publication->n_params && !status; i++) {
		const struct publish_param *param = &publication->params[i];
		char key[250], value[MAX_VALUE + 1];

		clean_key(param->key, key, sizeof(key));
		cut_value(param->value, value, sizeof(value));
		if (json_object_get(known, key))
			continue;
		json_put(&known, key, json_true());
		json_add(&batch, tag(key, value));
		if (json_array_size(batch) == MAX_PARAMS) {
			status = log_batch(place, json_array(), batch, err);
			batch = json_array();
		}
	}
	if (!status && (!known || !batch))
		status = wh_fail_memory(err);
	json_decref(known);
	if (!status && json_array_size(batch))
		return log_batch(place, json_array(), batch, err);
	json_decref(batch);
	return status;
}

enum wh_status mlflow_log(struct mlflow_place *place,
			  const struct publication *publication,
			  struct wh_error *err)
{
	json_t *reply;

	WH_TRY(log_metrics(place, publication, err));
	WH_TRY(log_params(place, publication, err));
	WH_TRY(mlflow_call(
		place, "POST", "mlflow/runs/update",
		json_pack("{s:s,s:s,s:I}", "run_id", place->run_id, "status",
			  "FINISHED", "end_time",
			  (json_int_t)publication->snapshot_time * 1000),
		&reply, err));
	json_decref(reply);
	return WH_OK;
}
