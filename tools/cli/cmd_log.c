#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "base/text.h"
#include "cli.h"
#include "graph.h"
#include "where.h"

struct view {
	struct cli *cli;
	struct where where;
	struct graph graph;
	uint64_t left; /* rows to print, 0: all */
	uint64_t n_printed;
};

static void print_names(const char *const *names, const char *mark)
{
	for (; *names; names++)
		printf("%s%s", mark, cli_escape(*names));
}

static void print_metrics(const struct wh_snapshot *s, const char *only)
{
	size_t i;

	for (i = 0; i < s->n_metrics; i++)
		if (!only || strcmp(only, s->metrics[i].key) == 0)
			printf("  %s=%.6g", cli_escape(s->metrics[i].key),
			       s->metrics[i].value);
}

static void print_snapshot(const struct cli *cli, const struct wh_snapshot *s)
{
	printf("%s%.12s%s  %s", cli_bold(cli), s->id, cli_plain(cli),
	       cli_time(s->time));
	snapshot_put_step(s);
	print_metrics(s, cli_text(cli, "metric"));
	snapshot_put_message(s);
	print_names(s->branches, "  @");
	print_names(s->tags, "  #");
	putchar('\n');
}

static int print_row(void *arg, const struct wh_snapshot *s)
{
	struct view *view = arg;
	const struct cli *cli = view->cli;

	if (!where_holds(&view->where, s))
		return *view->where.error || cli_interrupted();
	view->n_printed++;
	if (cli_json(cli)) {
		cli_print_json(snapshot_json(s));
	} else {
		if (cli_flag(cli, "graph"))
			graph_row(&view->graph, stdout);
		print_snapshot(cli, s);
	}
	return (view->left && --view->left == 0) || cli_interrupted();
}

static int take_place(void *arg, const struct wh_log_place *place)
{
	struct view *view = arg;

	return !graph_next(&view->graph, place->node, place->parent, stdout);
}

/* A..B, A.., ..B, or one step alone. */
static int take_steps(struct cli *cli, struct wh_log_options *options)
{
	const char *text = cli_text(cli, "steps");
	char *copy = text ? strdup(text) : NULL, *dots, *last = copy;
	bool good = true;

	if (!copy)
		return text ? cli_no_memory(cli) : EXIT_DONE;
	dots = strstr(copy, "..");
	if (dots) {
		*dots = '\0';
		last = dots + 2;
	}
	options->has_min_step = *copy != '\0';
	options->has_max_step = *last != '\0';
	if (*copy)
		good = text_to_i64(copy, &options->min_step);
	if (*last)
		good = good && text_to_i64(last, &options->max_step);
	good = good && (*copy || *last);
	free(copy);
	return good ? EXIT_DONE
		    : cli_usage(cli, "--steps: '%s' is not of the form A..B",
				text);
}

/* An empty list alone would look as if there were no snapshots. */
static void warn_of_metric(struct cli *cli, const char *metric)
{
	char sentence[160];

	snprintf(sentence, sizeof(sentence),
		 "none of these snapshots has a metric '%.100s'", metric);
	cli_warn(cli, sentence);
}

static int list(struct cli *cli, const struct wh_log_options *options)
{
	struct view view = {.cli = cli,
			    .where = {.text = cli_text(cli, "where"),
				      .field = where_snapshot}};
	int64_t limit = 0;
	int code = cli_open(cli, WH_OPEN_READ);

	if (!code && cli_integer(cli, "number", &limit) && !limit)
		return EXIT_DONE;
	if (code)
		return code;
	view.left = (uint64_t)limit;
	cli_page(cli);
	if (wh_log(cli->store, options, print_row, &view, &cli->err))
		code = cli_fail(cli);
	graph_end(&view.graph, stdout);
	if (!code && where_complaint(&view.where))
		code = cli_usage(cli, "--where: %s",
				 where_complaint(&view.where));
	if (!code && !view.n_printed && options->metric)
		warn_of_metric(cli, options->metric);
	return code ? code : cli_interrupted() ? EXIT_INTERRUPTED : EXIT_DONE;
}

int cmd_log(struct cli *cli)
{
	struct wh_log_options options = {
		.metric = cli_text(cli, "metric"),
		.all = cli_flag(cli, "all"),
		.run = cli_text(cli, "run"),
		.globs = cli->n_globs ? cli->globs : NULL,
		.place = cli_flag(cli, "graph") ? take_place : NULL,
	};
	struct range range = {0};
	int code;

	if (options.all && cli->n_args)
		return cli_usage(cli, "--all lists every snapshot: it takes no "
				      "revision");
	code = take_steps(cli, &options);
	if (code)
		return code;
	if (cli->n_args && !range_cut(cli->args[0], &range))
		return cli_no_memory(cli);
	options.revision = range.to;
	options.exclude = range.from;
	code = list(cli, &options);
	free(range.text);
	return code;
}
