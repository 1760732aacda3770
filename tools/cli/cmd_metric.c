/* metric: values of a run, one by one or as a stream. They are those of its
 * snapshots at that step, too: what is measured after a commit can be what
 * best:METRIC goes by. */
#include <errno.h>
#include <math.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <unistd.h>

#include <weighhouse/run.h>

#include "base/text.h"
#include "cli.h"
#include "csv.h"

#define BUFFER_SIZE ((size_t)4 << 20)
#define MAX_POINTS  65536 /* a transaction */
#define MAX_COLUMNS 1024
#define MAX_STEP    9007199254740992.0 /* 2^53: a double holds it exactly */

/* Points of a batch, whose names live in the objects that were parsed. */
struct batch {
	struct wh_metric_point *points;
	size_t n;
	json_t **objects;
	size_t n_objects;
	const char *run; /* where a line names none */
	uint64_t n_lines, n_done;
};

static void let_go(struct batch *batch)
{
	while (batch->n_objects)
		json_decref(batch->objects[--batch->n_objects]);
	batch->n = 0;
}

static int flush_batch(struct cli *cli, struct batch *batch)
{
	int code = EXIT_DONE;

	if (batch->n &&
	    wh_metric_log(cli->store, batch->points, batch->n, &cli->err))
		code = cli_fail(cli);
	batch->n_done += code ? 0 : batch->n;
	let_go(batch);
	return code;
}

/* JSON has no NaN: writers put null, or a text. */
static bool read_value(const json_t *json, double *value)
{
	if (json_is_number(json)) {
		*value = json_number_value(json);
		return true;
	}
	if (json_is_null(json))
		return text_to_double("nan", value);
	return json_is_string(json) &&
	       text_to_double(json_string_value(json), value);
}

static int bad_line(struct cli *cli, const struct batch *batch,
		    const char *what)
{
	return cli_usage(cli, "line %llu: %s",
			 (unsigned long long)batch->n_lines, what);
}

static int take_metrics(struct cli *cli, struct batch *batch, json_t *metrics,
			const struct wh_metric_point *common)
{
	size_t before = batch->n; /* nothing of a bad line stays */
	const char *key;
	json_t *value;

	json_object_foreach(metrics, key, value)
	{
		struct wh_metric_point *point = &batch->points[batch->n];

		if (batch->n == MAX_POINTS)
			return bad_line(cli, batch, "too many metrics");
		*point = *common;
		point->key = key;
		if (!read_value(value, &point->value)) {
			batch->n = before;
			return bad_line(cli, batch, "a metric is no number");
		}
		batch->n++;
	}
	return EXIT_DONE;
}

static int take_line(struct cli *cli, struct batch *batch, const char *line,
		     size_t len)
{
	json_t *object, *metrics, *step, *time;
	struct wh_metric_point common = {.run = batch->run,
					 .of_snapshot = true};

	batch->n_lines++;
	if (len == 0)
		return EXIT_DONE;
	object = json_loadb(line, len, JSON_ALLOW_NUL, NULL);
	if (!object)
		return bad_line(cli, batch, "it is no JSON object");
	batch->objects[batch->n_objects++] = object;
	metrics = json_object_get(object, "metrics");
	step = json_object_get(object, "step");
	time = json_object_get(object, "time");
	if (json_is_string(json_object_get(object, "run")))
		common.run = json_string_value(json_object_get(object, "run"));
	if (!common.run || !json_is_integer(step) || !json_is_object(metrics) ||
	    (time && !json_is_number(time)))
		return bad_line(cli, batch,
				"it is not {\"run\", \"step\", \"metrics\": "
				"{...}}");
	common.step = json_integer_value(step);
	common.time = time ? (int64_t)json_number_value(time) : 0;
	return take_metrics(cli, batch, metrics, &common);
}

/* Every whole line of the buffer; what is left moves to its front. */
static int take_lines(struct cli *cli, struct batch *batch, char *buffer,
		      size_t *used)
{
	char *at = buffer, *end;
	int code = EXIT_DONE;

	while (!code &&
	       (end = memchr(at, '\n', *used - (size_t)(at - buffer)))) {
		code = take_line(cli, batch, at, (size_t)(end - at));
		at = end + 1;
		if (!code && (batch->n > MAX_POINTS / 2 ||
			      batch->n_objects == MAX_POINTS))
			code = flush_batch(cli, batch);
	}
	*used -= (size_t)(at - buffer);
	memmove(buffer, at, *used);
	return code;
}

static int cannot_read(struct cli *cli, const char *path)
{
	cli->err.status = errno == ENOENT ? WH_ENOTFOUND : WH_EIO;
	snprintf(cli->err.message, sizeof(cli->err.message), "'%.300s': %s",
		 cli_escape(path), strerror(errno));
	return cli_fail(cli);
}

static bool more_waits(void)
{
	struct pollfd in = {.fd = STDIN_FILENO, .events = POLLIN};

	return poll(&in, 1, 0) == 1 && in.revents & POLLIN;
}

/* A batch ends when nothing more waits: a slow writer's line is durable at
 * once, a fast one's share a transaction. */
static int read_stream(struct cli *cli, struct batch *batch, char *buffer)
{
	size_t used = 0;
	int code = EXIT_DONE;
	ssize_t got = 1;

	while (!code && got > 0 && !cli_interrupted()) {
		got = read(STDIN_FILENO, buffer + used, BUFFER_SIZE - used - 1);
		if (got < 0 && errno == EINTR)
			continue;
		if (got < 0)
			code = cannot_read(cli, "stdin");
		used += got > 0 ? (size_t)got : 0;
		if (got == 0 && used)
			buffer[used++] = '\n'; /* the last line lacks it */
		if (!code)
			code = take_lines(cli, batch, buffer, &used);
		if (!code && used == BUFFER_SIZE - 1)
			code = bad_line(cli, batch, "it is too long");
		if (!code && (got == 0 || !more_waits()))
			code = flush_batch(cli, batch);
	}
	/* What came before a bad line, or what can't be read, is kept. */
	if (code)
		flush_batch(cli, batch);
	return code ? code : cli_interrupted() ? EXIT_INTERRUPTED : EXIT_DONE;
}

static int run_stream(struct cli *cli, struct batch *batch)
{
	char *buffer = malloc(BUFFER_SIZE);
	int code;

	batch->objects = calloc(MAX_POINTS, sizeof(json_t *));
	code = buffer && batch->objects ? read_stream(cli, batch, buffer)
					: cli_no_memory(cli);
	let_go(batch);
	free(batch->objects);
	free(buffer);
	return code;
}

static int take_arguments(struct cli *cli, struct batch *batch, char **keys)
{
	struct wh_metric_point point = {.run = cli->args[0],
					.of_snapshot = true};
	int i;

	cli_integer(cli, "step", &point.step);
	for (i = 1; i < cli->n_args; i++) {
		const char *equals = strchr(cli->args[i], '=');

		if (!equals || equals == cli->args[i] ||
		    !text_to_double(equals + 1, &point.value))
			return cli_usage(cli,
					 "'%s' is not of the form K=NUMBER",
					 cli->args[i]);
		keys[i] =
			strndup(cli->args[i], (size_t)(equals - cli->args[i]));
		if (!keys[i])
			return cli_no_memory(cli);
		point.key = keys[i];
		batch->points[batch->n++] = point;
	}
	return EXIT_DONE;
}

static int run_arguments(struct cli *cli, struct batch *batch)
{
	char **keys = calloc((size_t)cli->n_args + 1, sizeof(*keys));
	int i, code = keys ? take_arguments(cli, batch, keys)
			   : cli_no_memory(cli);

	if (!code)
		code = flush_batch(cli, batch);
	for (i = 0; keys && i < cli->n_args; i++)
		free(keys[i]);
	free(keys);
	return code;
}

/* ---- CSV -------------------------------------------------------------------
 */

struct table {
	FILE *file;
	char *line;
	size_t room;
	char separator;
	char *names[MAX_COLUMNS]; /* owned */
	size_t n, step, time;	  /* time: n where there is none */
	bool has_shift;
	int64_t shift; /* a step minus its cell */
};

static void table_free(struct table *table)
{
	while (table->n)
		free(table->names[--table->n]);
	free(table->line);
	if (table->file && table->file != stdin)
		fclose(table->file);
}

/* The first of these names that a column has, n where none has. Keras's
 * CSVLogger writes "epoch", TensorBoard's download "Wall time" and "Step". */
static size_t find_column(const struct table *table, const char *const *names)
{
	size_t i;

	for (; *names; names++)
		for (i = 0; i < table->n; i++)
			if (strcasecmp(table->names[i], *names) == 0)
				return i;
	return table->n;
}

static int read_head(struct cli *cli, struct table *table)
{
	static const char *const steps[] = {"step",	 "global_step", "epoch",
					    "iteration", "batch",	NULL};
	static const char *const times[] = {"time", "wall time", "timestamp",
					    NULL};
	char *cells[MAX_COLUMNS];
	size_t i, n;

	if (getline(&table->line, &table->room, table->file) < 0)
		return cli_usage(cli, "--csv: there is no line");
	table->separator = csv_separator(table->line);
	n = csv_cut(table->line, table->separator, cells, MAX_COLUMNS);
	for (i = 0; i < n; i++) {
		table->names[i] = strdup(cells[i]);
		if (!table->names[i])
			return cli_no_memory(cli);
		table->n = i + 1;
	}
	table->step = find_column(table, steps);
	table->time = find_column(table, times);
	return table->step < n ? EXIT_DONE
			       : cli_usage(cli, "--csv: there is no column "
						"'step' or 'epoch'");
}

/* What is no number is left out: CSVLogger writes NA, and lists as text. So is
 * a column without a name: pandas writes its index so. */
static int take_cells(struct cli *cli, struct batch *batch, struct table *table,
		      char **cells, size_t n)
{
	struct wh_metric_point point = {.run = batch->run, .of_snapshot = true};
	double step, time;
	size_t i;

	if (n != table->n)
		return bad_line(cli, batch,
				"it has not as many cells as its "
				"head");
	if (!text_to_double(cells[table->step], &step) ||
	    !(fabs(step) <= MAX_STEP))
		return bad_line(cli, batch, "its step is no number");
	if (table->has_shift) {
		table->shift -= (int64_t)step;
		table->has_shift = false;
	}
	point.step = (int64_t)step + table->shift;
	if (table->time < n && text_to_double(cells[table->time], &time) &&
	    fabs(time) <= MAX_STEP)
		point.time = (int64_t)time;
	for (i = 0; i < n; i++) {
		point.key = table->names[i];
		if (*point.key && i != table->step && i != table->time &&
		    text_to_double(cells[i], &point.value))
			batch->points[batch->n++] = point;
	}
	return EXIT_DONE;
}

static int read_table(struct cli *cli, struct batch *batch, const char *path,
		      bool keep)
{
	struct table table = {
		.file = strcmp(path, "-") == 0 ? stdin : fopen(path, "re")};
	char *cells[MAX_COLUMNS];
	int code;

	if (!table.file)
		return cannot_read(cli, path);
	table.has_shift = cli_integer(cli, "step", &table.shift);
	batch->n_lines = 1;
	code = read_head(cli, &table);
	while (!code && !cli_interrupted() &&
	       getline(&table.line, &table.room, table.file) >= 0) {
		batch->n_lines++;
		if (!table.line[strspn(table.line, "\r\n")])
			continue;
		code = take_cells(cli, batch, &table, cells,
				  csv_cut(table.line, table.separator, cells,
					  MAX_COLUMNS));
		if (!keep)
			batch->n = 0;
		else if (!code && batch->n > MAX_POINTS - MAX_COLUMNS)
			code = flush_batch(cli, batch);
	}
	if (!code && keep)
		code = flush_batch(cli, batch);
	table_free(&table);
	return code ? code : cli_interrupted() ? EXIT_INTERRUPTED : EXIT_DONE;
}

/* A file is read through first, so that a bad line leaves nothing behind. */
static int run_table(struct cli *cli, struct batch *batch, const char *path)
{
	int code = EXIT_DONE;

	cli->subject = path;
	if (strcmp(path, "-") != 0)
		code = read_table(cli, batch, path, false);
	return code ? code : read_table(cli, batch, path, true);
}

/* ---- The verb --------------------------------------------------------------
 */

int cmd_metric(struct cli *cli)
{
	struct batch batch = {.run = cli->n_args ? cli->args[0] : NULL};
	const char *csv = cli_text(cli, "csv");
	bool stream = cli_flag(cli, "stdin");
	int code;

	if (csv	     ? cli->n_args != 1 || stream
	    : stream ? cli->n_args > 1
		     : cli->n_args < 2)
		return cli_usage(cli, "it takes RUN K=V..., RUN --csv FILE, or "
				      "--stdin [RUN]");
	if (!csv && !stream && !cli_flag(cli, "step"))
		return cli_usage(cli, "--step says where the values belong");
	code = cli_open(cli, WH_OPEN_WRITE);
	if (code)
		return code;
	batch.points = calloc(MAX_POINTS, sizeof(*batch.points));
	if (!batch.points)
		return cli_no_memory(cli);
	code = csv	? run_table(cli, &batch, csv)
	       : stream ? run_stream(cli, &batch)
			: run_arguments(cli, &batch);
	free(batch.points);
	if (!code && cli_json(cli))
		cli_print_json(
			json_pack("{s:I}", "values", (json_int_t)batch.n_done));
	if (!code)
		cli_say(cli, "%s", cli_count(batch.n_done, "value"));
	return code;
}
