#include "cli.h"

static json_t *list_json(const char *const *names)
{
	json_t *list = json_array();

	for (; *names; names++)
		json_array_append_new(list, json_text(*names));
	return list;
}

json_t *snapshot_json(const struct wh_snapshot *s)
{
	json_t *row = json_object(), *metrics = json_object();
	json_t *params = json_object();
	size_t i;

	for (i = 0; i < s->n_metrics; i++)
		json_object_set_new(metrics, s->metrics[i].key,
				    number_json(s->metrics[i].value));
	for (i = 0; i < s->n_params; i++)
		json_object_set_new(params, s->params[i].key,
				    json_text(s->params[i].value));
	json_object_set_new(row, "snapshot", json_text(s->id));
	json_object_set_new(row, "parent",
			    *s->parent ? json_text(s->parent) : json_null());
	json_object_set_new(row, "branches", list_json(s->branches));
	json_object_set_new(row, "tags", list_json(s->tags));
	json_object_set_new(row, "message", json_text(s->message));
	json_object_set_new(row, "time", json_text(cli_time_utc(s->time)));
	json_object_set_new(row, "run", json_text(s->run));
	json_object_set_new(row, "step",
			    s->has_step ? json_integer(s->step) : json_null());
	json_object_set_new(row, "epoch",
			    s->has_epoch ? json_integer(s->epoch)
					 : json_null());
	json_object_set_new(row, "metrics", metrics);
	json_object_set_new(row, "params", params);
	return row;
}

json_t *statistics_json(const struct wh_tensor *tensor)
{
	const struct wh_statistics *s = &tensor->statistics;
	json_t *row = json_object();

	json_object_set_new(row, "min", number_json(s->min));
	json_object_set_new(row, "max", number_json(s->max));
	json_object_set_new(row, "mean", number_json(s->mean));
	json_object_set_new(row, "std", number_json(s->std));
	json_object_set_new(row, "l2", number_json(s->l2));
	json_object_set_new(row, "zeros", json_integer((json_int_t)s->n_zero));
	json_object_set_new(row, "nan", json_integer((json_int_t)s->n_nan));
	json_object_set_new(row, "inf", json_integer((json_int_t)s->n_inf));
	return row;
}
