/* diff: what changed between two snapshots or files, and by how much. */
#include <inttypes.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/error.h"
#include "base/text.h"
#include "cli.h"

#define BAR_WIDTH 24

struct shown {
	struct cli *cli;
	uint64_t n, of[WH_CHANGE_RENAMED + 1]; /* all, and by enum wh_change */
};

static bool is_named(const struct cli *cli, const char *layer, const char *name)
{
	int i;

	for (i = 0; i < cli->n_globs; i++)
		if (cli_glob_weight(cli->globs[i], layer, name))
			return true;
	return cli->n_globs == 0;
}

/* Whether the globs name anything that could differ. */
static bool has_named(const struct cli *cli, const struct wh_source *source)
{
	const struct wh_manifest *manifest = &source->manifest;
	uint32_t i, k;

	for (i = 0; i < manifest->n_layers; i++) {
		const struct wh_layer *layer = &manifest->layers[i];

		for (k = 0; k < layer->n_variables; k++)
			if (is_named(cli, layer->name,
				     layer->variables[k].name))
				return true;
	}
	return cli->n_globs == 0;
}

/* Null where there is no such number: tensors that only one side has. */
static void add_norm(json_t *row, const struct wh_difference *d,
		     const char *name, double value)
{
	json_object_set_new(row, name,
			    d->has_norms ? number_json(value) : json_null());
}

static void add_count(json_t *row, const struct wh_difference *d,
		      const char *name, uint64_t count)
{
	json_object_set_new(row, name,
			    d->has_norms ? json_integer((json_int_t)count)
					 : json_null());
}

static void print_json(const struct wh_difference *d)
{
	json_t *row = json_object();

	json_object_set_new(row, "layer", json_text(d->layer));
	json_object_set_new(row, "weight", json_text(d->weight));
	json_object_set_new(row, "name", json_text(d->name));
	json_object_set_new(row, "change",
			    json_text(wh_change_name(d->change)));
	json_object_set_new(row, "by", json_text(d->by));
	add_norm(row, d, "l2", d->l2);
	add_norm(row, d, "max_abs", d->max_abs);
	add_norm(row, d, "mean_abs", d->mean_abs);
	add_norm(row, d, "cosine", d->cosine);
	add_norm(row, d, "changed", d->changed);
	add_count(row, d, "nan", d->n_nan);
	add_count(row, d, "inf", d->n_inf);
	add_count(row, d, "new_nan", d->n_new_nan);
	add_count(row, d, "new_inf", d->n_new_inf);
	json_object_set_new(row, "former", json_text(d->former));
	cli_print_json(row);
}

static void end_line(const struct wh_difference *d)
{
	if (d->former)
		printf("  was %s", cli_escape(d->former));
	putchar('\n');
}

/* How far a tensor went, against its own size: a full bar at 1. */
static void print_bar(const struct wh_difference *d)
{
	double share = d->relative > 1 || isnan(d->relative) ? 1 : d->relative;
	int i, full = (int)(share * BAR_WIDTH + 0.5);

	printf("%-40s |", cli_escape(d->name));
	for (i = 0; i < BAR_WIDTH; i++)
		putchar(i < full ? '#' : ' ');
	printf("| %6.2f %%  l2 %.4g", d->relative * 100, d->l2);
	end_line(d);
}

static void print_line(const struct cli *cli, const struct wh_difference *d)
{
	if (cli_flag(cli, "stat") && d->has_norms) {
		print_bar(d);
		return;
	}
	printf("%-9s %-40s", wh_change_name(d->change), cli_escape(d->name));
	if (d->has_norms)
		printf(" l2 %.4g  max %.4g  cosine %.6f  %.1f %%", d->l2,
		       d->max_abs, d->cosine, d->changed * 100);
	if (d->n_nan || d->n_inf)
		printf("  %" PRIu64 " NaN, %" PRIu64 " Inf (%" PRIu64 " new)",
		       d->n_nan, d->n_inf, d->n_new_nan + d->n_new_inf);
	end_line(d);
}

static int show(void *arg, const struct wh_difference *d)
{
	struct shown *shown = arg;

	if (!is_named(shown->cli, d->layer, d->name))
		return 0;
	shown->n++;
	shown->of[d->change]++;
	if (cli_json(shown->cli))
		print_json(d);
	else
		print_line(shown->cli, d);
	return cli_interrupted();
}

static int take_tolerance(struct cli *cli, const char *name, double *value)
{
	const char *text = cli_text(cli, name);

	if (text && (!text_to_double(text, value) || !(*value >= 0)))
		return cli_usage(cli, "--%s: '%s' is no number", name, text);
	return EXIT_DONE;
}

/* "3 changed, 1 added" */
static void print_summary(const struct shown *shown)
{
	const char *comma = "";
	int i;

	for (i = 0; i <= WH_CHANGE_RENAMED; i++)
		if (shown->of[i]) {
			printf("%s%" PRIu64 " %s", comma, shown->of[i],
			       wh_change_name((enum wh_change)i));
			comma = ", ";
		}
	putchar('\n');
}

static int compare(struct cli *cli, struct wh_source *a, struct wh_source *b,
		   const struct wh_diff_options *options)
{
	struct shown shown = {.cli = cli};

	cli_page(cli);
	if (wh_diff(a, b, options, show, &shown, &cli->err))
		return cli_fail(cli);
	if (cli_interrupted())
		return EXIT_INTERRUPTED;
	if (!shown.n)
		cli_say(cli, "no tensor differs");
	else if (cli_flag(cli, "stat") && !cli_json(cli))
		print_summary(&shown);
	return shown.n && cli_flag(cli, "exit-code") ? EXIT_DIFFERS : EXIT_DONE;
}

/* Two arguments, or A..B as one. */
static int open_both(struct cli *cli, struct range *range, struct wh_source **a,
		     struct wh_source **b)
{
	const char *from = cli->args[0], *to;
	int code;

	if (cli->n_args == 1) {
		if (!range_cut(cli->args[0], range))
			return cli_no_memory(cli);
		if (!range->from)
			return cli_usage(cli, "it takes A B or A..B");
		from = range->from;
	}
	to = cli->n_args == 1 ? range->to : cli->args[1];
	code = cli_source(cli, from, a);
	return code ? code : cli_source(cli, to, b);
}

int cmd_diff(struct cli *cli)
{
	struct wh_diff_options options = {.progress = cli_progress, .arg = cli};
	struct wh_source *a = NULL, *b = NULL;
	struct range range = {0};
	int code = take_tolerance(cli, "atol", &options.atol);

	if (!code)
		code = take_tolerance(cli, "rtol", &options.rtol);
	if (!code)
		code = open_both(cli, &range, &a, &b);
	if (!code && !has_named(cli, a) && !has_named(cli, b))
		code = cli_no_tensor(cli, cli->globs[0]);
	if (!code)
		code = compare(cli, a, b, &options);
	wh_source_close(a);
	wh_source_close(b);
	free(range.text);
	return code;
}
