/* run: a training run, from its start to its end, and two side by side. */
#include <inttypes.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include <weighhouse/run.h>

#include "base/error.h"
#include "base/json_put.h"
#include "base/text.h"
#include "cli.h"
#include "record.h"

#define MAX_PAIRS 256

/* Numbers and truths as such, the rest as text. */
json_t *param_json(const char *value)
{
	int64_t whole;
	double number;

	if (text_to_i64(value, &whole))
		return json_integer(whole);
	if (text_to_double(value, &number) && isfinite(number))
		return json_real(number);
	if (strcmp(value, "true") == 0 || strcmp(value, "True") == 0)
		return json_true();
	if (strcmp(value, "false") == 0 || strcmp(value, "False") == 0)
		return json_false();
	return json_text(value);
}

json_t *run_json(const struct wh_run *run)
{
	json_t *params = json_object(), *metrics = json_object();
	size_t i;

	for (i = 0; i < run->n_params; i++)
		json_object_set_new(params, run->params[i].key,
				    param_json(run->params[i].value));
	for (i = 0; i < run->n_metrics; i++)
		json_object_set_new(metrics, run->metrics[i].key,
				    number_json(run->metrics[i].last));
	return json_pack("{s:o,s:o,s:o,s:o,s:I,s:o,s:o}", "run",
			 json_text(run->name), "status", json_text(run->status),
			 "params", params, "metrics", metrics, "snapshots",
			 (json_int_t)run->n_snapshots, "started",
			 json_text(cli_time_utc(run->started)), "ended",
			 run->has_ended ? json_text(cli_time_utc(run->ended))
					: json_null());
}

struct pairs {
	struct wh_param params[MAX_PAIRS];
	char *keys[MAX_PAIRS];
	size_t n;
};

static void pairs_free(struct pairs *pairs)
{
	while (pairs->n)
		free(pairs->keys[--pairs->n]);
}

static int take_pair(struct cli *cli, struct pairs *pairs, const char *text)
{
	const char *equals = strchr(text, '=');

	if (!equals || equals == text)
		return cli_usage(cli, "'%s' is not of the form K=V", text);
	if (pairs->n == MAX_PAIRS)
		return cli_usage(cli, "there are more than %d values",
				 MAX_PAIRS);
	pairs->keys[pairs->n] = strndup(text, (size_t)(equals - text));
	if (!pairs->keys[pairs->n])
		return cli_no_memory(cli);
	pairs->params[pairs->n] =
		(struct wh_param){pairs->keys[pairs->n], equals + 1};
	pairs->n++;
	return EXIT_DONE;
}

int cli_run_begin(struct cli *cli, const char *name, const char *command)
{
	struct pairs pairs = {.n = 0};
	struct wh_run_request request = {.name = name, .params = pairs.params};
	const char *tags[MAX_PAIRS + 1] = {NULL}, *text;
	struct record record;
	size_t n_tags = 0;
	int code = EXIT_DONE, at = 0;

	while (!code && (text = cli_next(cli, "param", &at)))
		code = take_pair(cli, &pairs, text);
	for (at = 0; !code && (text = cli_next(cli, "tag", &at));)
		if (n_tags == MAX_PAIRS)
			code = cli_usage(cli, "more than %d times --tag",
					 MAX_PAIRS);
		else
			tags[n_tags++] = text;
	request.n_params = pairs.n;
	request.tags = tags;
	record_fill(&record, command);
	request.origin = record.origin;
	if (!code && wh_run_start(cli->store, &request, &cli->err))
		code = cli_fail(cli);
	pairs_free(&pairs);
	return code;
}

static int run_start(struct cli *cli, const char *name)
{
	char *command = record_own_command();
	int code = cli_open(cli, WH_OPEN_WRITE);

	if (!code)
		code = cli_run_begin(cli, name, command);
	free(command);
	if (code)
		return code;
	if (cli_json(cli))
		cli_print_json(json_pack("{s:o,s:s}", "run", json_text(name),
					 "status", "running"));
	cli_say(cli, "run %s started", cli_escape(name));
	return EXIT_DONE;
}

static int run_end(struct cli *cli, const char *name)
{
	const char *status = cli_text(cli, "status");
	int64_t exit_status = -1;
	int code = cli_open(cli, WH_OPEN_WRITE);

	if (code)
		return code;
	if (!status)
		status = "finished";
	cli_integer(cli, "exit-status", &exit_status);
	if (wh_run_end(cli->store, name, status, (int)exit_status, &cli->err))
		return cli_fail(cli);
	if (cli_json(cli))
		cli_print_json(json_pack("{s:o,s:s}", "run", json_text(name),
					 "status", status));
	cli_say(cli, "run %s %s", cli_escape(name), status);
	return EXIT_DONE;
}

static void show_json(const struct wh_run *run)
{
	const struct wh_run_origin *o = &run->origin;
	json_t *object = run_json(run), *tags = json_array();
	json_t *summary = json_object();
	size_t i;

	for (i = 0; run->tags[i]; i++)
		json_array_append_new(tags, json_text(run->tags[i]));
	for (i = 0; i < run->n_metrics; i++)
		json_object_set_new(
			summary, run->metrics[i].key,
			json_pack("{s:I,s:I,s:o,s:o,s:o}", "n",
				  (json_int_t)run->metrics[i].n, "step",
				  (json_int_t)run->metrics[i].step, "last",
				  number_json(run->metrics[i].last), "min",
				  number_json(run->metrics[i].min), "max",
				  number_json(run->metrics[i].max)));
	json_object_set_new(object, "uuid", json_text(run->uuid));
	json_object_set_new(object, "tags", tags);
	json_object_set_new(object, "summary", summary);
	json_object_set_new(object, "host", json_text(o->host));
	json_object_set_new(object, "folder", json_text(o->folder));
	json_object_set_new(object, "command", json_text(o->command));
	json_object_set_new(object, "git_commit", json_text(o->git_commit));
	json_object_set_new(object, "git_dirty",
			    o->git_dirty < 0 ? json_null()
					     : json_boolean(o->git_dirty));
	json_object_set_new(object, "versions", json_text(o->versions));
	json_object_set_new(object, "exit_status",
			    run->exit_status < 0
				    ? json_null()
				    : json_integer(run->exit_status));
	cli_print_json(object);
}

static void show_text(const char *what, const char *text)
{
	if (text)
		printf("%-10s %s\n", what, cli_escape(text));
}

static int show(void *arg, const struct wh_run *run)
{
	const struct wh_run_origin *o = &run->origin;
	const struct cli *cli = arg;
	size_t i;

	if (cli_json(cli)) {
		show_json(run);
		return 0;
	}
	printf("%-10s %s\n%-10s %s\n%-10s %s\n", "run", cli_escape(run->name),
	       "status", run->status, "started", cli_time(run->started));
	if (run->has_ended)
		printf("%-10s %s\n", "ended", cli_time(run->ended));
	if (run->exit_status >= 0)
		printf("%-10s %d\n", "exit", run->exit_status);
	printf("%-10s %" PRIu64 "\n", "snapshots", run->n_snapshots);
	for (i = 0; run->tags[i]; i++)
		show_text("tag", run->tags[i]);
	show_text("host", o->host);
	show_text("folder", o->folder);
	show_text("command", o->command);
	if (o->git_commit)
		printf("%-10s %s%s\n", "git", o->git_commit,
		       o->git_dirty > 0 ? " (with changes)" : "");
	show_text("versions", o->versions);
	for (i = 0; i < run->n_params; i++)
		printf("%-10s %s = %s\n", "param",
		       cli_escape(run->params[i].key),
		       cli_escape(run->params[i].value));
	for (i = 0; i < run->n_metrics; i++)
		printf("%-10s %s = %.6g at step %" PRId64
		       " (min %.6g, max %.6g, %s)\n",
		       "metric", cli_escape(run->metrics[i].key),
		       run->metrics[i].last, run->metrics[i].step,
		       run->metrics[i].min, run->metrics[i].max,
		       cli_count(run->metrics[i].n, "value"));
	return 0;
}

static int run_show(struct cli *cli, const char *name)
{
	int code = cli_open(cli, WH_OPEN_READ);

	if (code)
		return code;
	if (wh_run_get(cli->store, name, show, cli, &cli->err))
		return cli_fail(cli);
	return EXIT_DONE;
}

/* {key: value} of params and metrics, of one run. */
static int gather(void *arg, const struct wh_run *run)
{
	json_t *values = arg;
	char key[4200];
	size_t i;

	for (i = 0; i < run->n_params; i++) {
		snprintf(key, sizeof(key), "params.%s", run->params[i].key);
		json_object_set_new(values, key,
				    param_json(run->params[i].value));
	}
	for (i = 0; i < run->n_metrics; i++) {
		snprintf(key, sizeof(key), "metrics.%s", run->metrics[i].key);
		json_object_set_new(values, key,
				    number_json(run->metrics[i].last));
	}
	return 0;
}

static void tell_field(const struct cli *cli, const char *field,
		       const json_t *a, const json_t *b)
{
	const json_t *sides[2] = {a, b};
	json_t *row = json_pack("{s:o}", "field", json_text(field));
	int i;

	if (!cli_json(cli))
		printf("%-32s", cli_escape(field));
	for (i = 0; i < 2; i++) {
		json_t *value =
			sides[i] ? json_deep_copy(sides[i]) : json_null();
		char *text = json_to_text(
			value, JSON_ENCODE_ANY | JSON_REAL_PRECISION(8));

		if (!cli_json(cli))
			printf(" %16s", sides[i] && text ? text : "-");
		json_object_set_new(row, i ? "b" : "a", value);
		free(text);
	}
	if (cli_json(cli)) {
		cli_print_json(row);
		return;
	}
	json_decref(row);
	putchar('\n');
}

static void diff_fields(const struct cli *cli, json_t *a, json_t *b)
{
	const char *key;
	json_t *value;

	json_object_foreach(a, key, value)
	{
		const json_t *other = json_object_get(b, key);

		if (!other || !json_equal(value, other))
			tell_field(cli, key, value, other);
	}
	json_object_foreach(b, key, value)
	{
		if (!json_object_get(a, key))
			tell_field(cli, key, NULL, value);
	}
}

static int tell_weight(void *arg, const struct wh_difference *d)
{
	const struct cli *cli = arg;
	char *field = NULL;

	if (asprintf(&field, "weights.%s/%s", d->layer, d->weight) < 0)
		return 1;
	if (cli_json(cli))
		cli_print_json(json_pack(
			"{s:o,s:s,s:o,s:o,s:o}", "field", json_text(field),
			"change", wh_change_name(d->change), "l2",
			d->has_norms ? number_json(d->l2) : json_null(),
			"max_abs",
			d->has_norms ? number_json(d->max_abs) : json_null(),
			"cosine",
			d->has_norms ? number_json(d->cosine) : json_null()));
	else if (d->has_norms)
		printf("%-32s %16s  l2 %.6g  max %.6g  cosine %.6f\n",
		       cli_escape(field), wh_change_name(d->change), d->l2,
		       d->max_abs, d->cosine);
	else
		printf("%-32s %16s\n", cli_escape(field),
		       wh_change_name(d->change));
	free(field);
	return cli_interrupted();
}

/* The newest snapshots of both. */
static int open_weights(struct cli *cli, struct wh_source *sources[2])
{
	char *revision = NULL;
	int i, code = EXIT_DONE;

	for (i = 0; i < 2 && !code; i++) {
		if (asprintf(&revision, "%s:latest", cli->args[1 + i]) < 0)
			return cli_no_memory(cli);
		code = cli_source(cli, revision, &sources[i]);
		cli->subject = NULL;
		free(revision);
	}
	return code;
}

static int diff_weights(struct cli *cli, struct wh_source *sources[2])
{
	struct wh_diff_options options = {.progress = cli_progress, .arg = cli};

	if (wh_diff(sources[0], sources[1], &options, tell_weight, cli,
		    &cli->err))
		return cli_fail(cli);
	return cli_interrupted() ? EXIT_INTERRUPTED : EXIT_DONE;
}

static int run_diff(struct cli *cli)
{
	json_t *values[2] = {json_object(), json_object()};
	struct wh_source *sources[2] = {NULL, NULL};
	bool weights = cli_flag(cli, "weights");
	int i, code = cli->n_args == 3
			      ? cli_open(cli, WH_OPEN_READ)
			      : cli_usage(cli, "it takes diff RUN RUN");

	for (i = 0; i < 2 && !code; i++)
		if (wh_run_get(cli->store, cli->args[1 + i], gather, values[i],
			       &cli->err))
			code = cli_fail(cli);
	if (!code && weights)
		code = open_weights(cli, sources);
	if (!code)
		diff_fields(cli, values[0], values[1]);
	if (!code && weights)
		code = diff_weights(cli, sources);
	for (i = 0; i < 2; i++) {
		wh_source_close(sources[i]);
		json_decref(values[i]);
	}
	return code;
}

int cmd_run(struct cli *cli)
{
	const char *verb = cli->args[0];

	if (strcmp(verb, "diff") == 0)
		return run_diff(cli);
	if (cli->n_args != 2)
		return cli_usage(cli, "it takes start NAME, exec NAME, end "
				      "NAME, show NAME or diff A B");
	if (strcmp(verb, "exec") == 0)
		return cli_run_exec(cli, cli->args[1]);
	if (strcmp(verb, "start") == 0)
		return run_start(cli, cli->args[1]);
	if (strcmp(verb, "end") == 0)
		return run_end(cli, cli->args[1]);
	if (strcmp(verb, "show") == 0)
		return run_show(cli, cli->args[1]);
	return cli_usage(cli,
			 "run knows start, exec, end, show and diff, not '%s'",
			 verb);
}
