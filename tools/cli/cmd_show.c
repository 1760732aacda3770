#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "cli.h"
#include "histogram.h"

/* What is shown, and with --stats the tensors of it. */
struct shown {
	struct cli *cli;
	struct wh_source *source;
};

static void print_list(const char *title, const char *const *names)
{
	if (!*names)
		return;
	printf("%-10s", title);
	for (; *names; names++)
		printf(" %s", cli_escape(*names));
	putchar('\n');
}

static void print_for_people(const struct cli *cli, const struct wh_snapshot *s)
{
	size_t i;

	printf("%ssnapshot%s   %s\n", cli_bold(cli), cli_plain(cli), s->id);
	printf("tree       %s\n", s->tree);
	if (*s->parent)
		printf("parent     %s\n", s->parent);
	printf("time       %s\n", cli_time(s->time));
	printf("run        %s\n", cli_escape(s->run));
	if (s->has_step)
		printf("step       %" PRId64 "\n", s->step);
	if (s->has_epoch)
		printf("epoch      %" PRId64 "\n", s->epoch);
	print_list("branches  ", s->branches);
	print_list("tags      ", s->tags);
	for (i = 0; i < s->n_metrics; i++)
		printf("metric     %s = %.6g\n", cli_escape(s->metrics[i].key),
		       s->metrics[i].value);
	for (i = 0; i < s->n_params; i++)
		printf("param      %s = %s\n", cli_escape(s->params[i].key),
		       cli_escape(s->params[i].value));
	if (s->origin_format)
		printf("origin     %s%s%s\n", s->origin_format,
		       s->origin_generator ? ", " : "",
		       s->origin_generator ? cli_escape(s->origin_generator)
					   : "");
	print_list("as it was ", s->templates);
	printf("weights    %s in %s, %s\n", cli_count(s->n_tensors, "tensor"),
	       cli_count(s->n_layers, "layer"), cli_size(cli, s->nbytes));
	if (*s->message) {
		putchar('\n');
		cli_print_lines(s->message);
	}
}

static json_t *origin_json(const struct wh_snapshot *s)
{
	json_t *origin = json_object();

	json_object_set_new(origin, "format", json_text(s->origin_format));
	json_object_set_new(origin, "generator",
			    json_text(s->origin_generator));
	return origin;
}

static json_t *all_statistics(const struct wh_manifest *manifest)
{
	json_t *list = json_array();
	uint32_t i;

	for (i = 0; i < manifest->n_tensors; i++) {
		const struct wh_tensor *tensor = &manifest->tensors[i];
		json_t *row;

		if (!tensor->has_statistics)
			continue;
		row = statistics_json(tensor);
		json_object_set_new(row, "name", json_text(tensor->key));
		json_array_append_new(list, row);
	}
	return list;
}

static void print_for_scripts(const struct wh_snapshot *s,
			      const struct wh_source *source)
{
	json_t *row = snapshot_json(s), *templates = json_array();
	const char *const *at;

	json_object_set_new(row, "tree", json_text(s->tree));
	json_object_set_new(row, "tensors",
			    json_integer((json_int_t)s->n_tensors));
	json_object_set_new(row, "layers",
			    json_integer((json_int_t)s->n_layers));
	json_object_set_new(row, "nbytes", json_integer((json_int_t)s->nbytes));
	json_object_set_new(row, "origin", origin_json(s));
	for (at = s->templates; *at; at++)
		json_array_append_new(templates, json_text(*at));
	json_object_set_new(row, "reproducible", templates);
	if (source)
		json_object_set_new(row, "stats",
				    all_statistics(&source->manifest));
	cli_print_json(row);
}

static int print_snapshot(void *arg, const struct wh_snapshot *s)
{
	const struct shown *shown = arg;
	const struct cli *cli = shown->cli;

	if (cli_json(cli))
		print_for_scripts(s, shown->source);
	else
		print_for_people(cli, s);
	return 0;
}

static int print_manifest(struct cli *cli, const char *revision)
{
	char *text;
	size_t size;

	if (wh_snapshot_text(cli->store, revision, &text, &size, &cli->err))
		return cli_fail(cli);
	fwrite(text, 1, size, stdout);
	free(text);
	return EXIT_DONE;
}

static void print_statistics(const struct wh_manifest *manifest)
{
	uint32_t i;

	printf("\n%-44s %12s %12s %12s %12s\n", "tensor", "min", "max", "mean",
	       "std");
	for (i = 0; i < manifest->n_tensors; i++) {
		const struct wh_tensor *t = &manifest->tensors[i];

		if (t->has_statistics)
			printf("%-44s %12.5g %12.5g %12.5g %12.5g\n",
			       cli_escape(t->key), t->statistics.min,
			       t->statistics.max, t->statistics.mean,
			       t->statistics.std);
	}
}

static int show(struct cli *cli, const char *revision)
{
	struct shown shown = {.cli = cli};
	int code = EXIT_DONE;

	if (cli_flag(cli, "stats"))
		code = cli_source(cli, revision, &shown.source);
	if (code)
		return code;
	cli_page(cli);
	if (wh_snapshot_get(cli->store, revision, print_snapshot, &shown,
			    &cli->err))
		code = cli_fail(cli);
	else if (shown.source && !cli_json(cli))
		print_statistics(&shown.source->manifest);
	wh_source_close(shown.source);
	return code;
}

int cmd_show(struct cli *cli)
{
	const char *revision = cli->n_args ? cli->args[0] : "HEAD";
	int code = cli_open(cli, WH_OPEN_READ);

	if (code)
		return code;
	if (cli_flag(cli, "histogram"))
		return cli_show_histograms(cli, revision);
	return cli_flag(cli, "manifest") ? print_manifest(cli, revision)
					 : show(cli, revision);
}
