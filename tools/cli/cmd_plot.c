/* plot: metrics of runs, norms of weights. */
#include <errno.h>
#include <inttypes.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include <weighhouse/history.h>
#include <weighhouse/run.h>

#include "base/temporary.h"
#include "base/text.h"
#include "cli.h"
#include "plot.h"

#define MAX_CURVES 64
#define MAX_WIDTH  1000
#define HEIGHT	   20

struct gathering {
	struct cli *cli;
	struct plot plot;
	struct series *current;
	bool failed;
};

/* ---- Metrics ---------------------------------------------------------------
 */

static bool is_asked(const struct cli *cli, const char *run)
{
	const char *name;
	bool any = false;
	int at = 0;

	while ((name = cli_next(cli, "run", &at))) {
		any = true;
		if (text_glob(name, run))
			return true;
	}
	return !any;
}

/* Whether it is the first pattern that the metric fits: it is one curve. */
static bool is_first_fit(const struct cli *cli, int pattern, const char *key)
{
	int i;

	for (i = 0; i < pattern; i++)
		if (text_glob(cli->args[i], key))
			return false;
	return text_glob(cli->args[pattern], key);
}

/* Which runs have which of the metrics; their values come afterwards. */
static int find_curves(void *arg, const struct wh_run *run)
{
	struct gathering *g = arg;
	size_t k;
	int i;

	if (!is_asked(g->cli, run->name))
		return 0;
	for (i = 0; i < g->cli->n_args; i++)
		for (k = 0; k < run->n_metrics; k++) {
			if (!is_first_fit(g->cli, i, run->metrics[k].key) ||
			    g->plot.n == MAX_CURVES)
				continue;
			if (!plot_add(&g->plot, run->name,
				      run->metrics[k].key)) {
				g->failed = true;
				return 1;
			}
		}
	return 0;
}

static int add_value(void *arg, int64_t step, int64_t time, double value)
{
	struct gathering *g = arg;

	(void)time;
	g->failed = !series_add(g->current, (double)step, value);
	return g->failed || cli_interrupted();
}

static int gather_metrics(struct gathering *g)
{
	struct cli *cli = g->cli;
	size_t i;

	if (wh_run_list(cli->store, find_curves, g, &cli->err))
		return cli_fail(cli);
	for (i = 0; i < g->plot.n && !g->failed; i++) {
		g->current = &g->plot.series[i];
		if (wh_metric_series(cli->store, g->current->owner,
				     g->current->subject, add_value, g,
				     &cli->err))
			return cli_fail(cli);
	}
	if (g->failed)
		return cli_no_memory(cli);
	if (g->plot.n)
		return EXIT_DONE;
	cli->err.status = WH_ENOTFOUND;
	snprintf(cli->err.message, sizeof(cli->err.message),
		 "no run has the metric '%.100s'", cli_escape(cli->args[0]));
	return cli_fail(cli);
}

/* ---- Weights ---------------------------------------------------------------
 */

static double figure_of(const struct cli *cli, const struct wh_weight_change *c)
{
	if (cli_is(cli, "of", "change"))
		return fabs(c->l2 - c->l2_before);
	if (cli_is(cli, "of", "nan"))
		return (double)(c->n_nan + c->n_inf);
	return c->l2;
}

/* Newest first, so x is counted down; without a step it is the place. */
static int add_change(void *arg, const struct wh_weight_change *c)
{
	struct gathering *g = arg;
	struct series *s = g->current;
	double x;

	if (!s || strcmp(s->owner, c->layer) != 0 ||
	    strcmp(s->subject, c->weight) != 0) {
		if (g->plot.n == MAX_CURVES)
			return 1;
		s = g->current = plot_add(&g->plot, c->layer, c->weight);
	}
	if (!s || cli_interrupted()) {
		g->failed = !s;
		return 1;
	}
	x = c->has_step	   ? (double)c->step
	    : c->has_epoch ? (double)c->epoch
			   : (double)NAN;
	g->failed = !c->removed && !series_add(s, x, figure_of(g->cli, c));
	return g->failed;
}

static void turn_round(struct series *s)
{
	size_t i, k;

	for (i = 0, k = s->n; i + 1 < k; i++) {
		double x = s->x[i], y = s->y[i];

		k--;
		s->x[i] = s->x[k];
		s->y[i] = s->y[k];
		s->x[k] = x;
		s->y[k] = y;
	}
	for (i = 0; i < s->n && !isnan(s->x[i]); i++)
		;
	for (k = 0; i < s->n && k < s->n; k++)
		s->x[k] = (double)k;
}

static int gather_weights(struct gathering *g)
{
	const char *globs[MAX_CURVES + 1] = {NULL}, *glob;
	struct wh_history_options options = {
		.revision = cli_text(g->cli, "rev"), .globs = globs};
	struct cli *cli = g->cli;
	int at = 0, n = 0;
	size_t i;

	while (n < MAX_CURVES && (glob = cli_next(cli, "tensor", &at)))
		globs[n++] = glob;
	cli->subject = globs[0];
	if (wh_history(cli->store, &options, add_change, g, &cli->err))
		return cli_fail(cli);
	if (g->failed)
		return cli_no_memory(cli);
	for (i = 0; i < g->plot.n; i++)
		turn_round(&g->plot.series[i]);
	g->plot.what = cli_text(cli, "of") ? cli_text(cli, "of") : "norm";
	return EXIT_DONE;
}

/* ---- Output ----------------------------------------------------------------
 */

/* What all curves have in common is left out. */
static bool label_curves(struct plot *plot)
{
	bool owners = false, subjects = false;
	size_t i;

	for (i = 1; i < plot->n; i++) {
		owners |= strcmp(plot->series[i].owner,
				 plot->series[0].owner) != 0;
		subjects |= strcmp(plot->series[i].subject,
				   plot->series[0].subject) != 0;
	}
	for (i = 0; i < plot->n; i++) {
		struct series *s = &plot->series[i];
		int made;

		if (plot->what || owners == subjects)
			made = asprintf(&s->label, "%s%s%s", s->owner,
					plot->what ? "/" : " ", s->subject);
		else
			made = asprintf(&s->label, "%s",
					owners ? s->owner : s->subject);
		if (made < 0) {
			s->label = NULL;
			return false;
		}
	}
	return true;
}

static void print_json(const struct plot *plot)
{
	size_t i, k;

	for (i = 0; i < plot->n; i++) {
		const struct series *s = &plot->series[i];
		json_t *points = json_array();

		for (k = 0; k < s->n; k++)
			json_array_append_new(
				points, json_pack("[o,o]", number_json(s->x[k]),
						  number_json(s->y[k])));
		cli_print_json(json_pack(
			"{s:o,s:o,s:o}", plot->what ? "layer" : "run",
			json_text(s->owner), plot->what ? "weight" : "metric",
			json_text(s->subject), "points", points));
	}
}

static void print_cell(const char *text)
{
	if (!strpbrk(text, ",\"\r\n")) {
		fputs(text, stdout);
		return;
	}
	putchar('"');
	for (; *text; text++)
		printf(*text == '"' ? "\"%c" : "%c", *text);
	putchar('"');
}

static void print_csv(const struct plot *plot)
{
	size_t i, k;

	printf("%s,step,%s\n", plot->what ? "layer,weight" : "run,metric",
	       plot->what ? plot->what : "value");
	for (i = 0; i < plot->n; i++) {
		const struct series *s = &plot->series[i];

		for (k = 0; k < s->n; k++) {
			print_cell(s->owner);
			putchar(',');
			print_cell(s->subject);
			printf(",%.17g,%.17g\n", s->x[k], s->y[k]);
		}
	}
}

static bool knows_unicode(void)
{
	static const char *const names[] = {"LC_ALL", "LC_CTYPE", "LANG"};
	const char *value = NULL;
	int i;

	for (i = 0; i < 3 && (!value || !*value); i++)
		value = getenv(names[i]);
	return value &&
	       (strcasestr(value, "utf-8") || strcasestr(value, "utf8"));
}

static int print_text(struct cli *cli, const struct plot *plot)
{
	const char *columns = getenv("COLUMNS");
	struct text_style style = {.width = 80,
				   .height = HEIGHT,
				   .unicode = knows_unicode(),
				   .colour = *cli_bold(cli) != '\0'};
	struct winsize window;
	int64_t size;

	if (ioctl(STDOUT_FILENO, TIOCGWINSZ, &window) == 0 && window.ws_col)
		style.width = window.ws_col;
	else if (columns && text_to_i64(columns, &size) && size > 0 &&
		 size <= MAX_WIDTH)
		style.width = (int)size;
	if (cli_integer(cli, "width", &size))
		style.width = size > MAX_WIDTH ? MAX_WIDTH : (int)size;
	if (cli_integer(cli, "height", &size))
		style.height = size > MAX_WIDTH ? MAX_WIDTH : (int)size;
	plot_text(plot, &style, stdout);
	return EXIT_DONE;
}

static int save_failed(struct cli *cli, const char *path)
{
	cli->subject = path;
	cli->err.status = WH_EIO;
	snprintf(cli->err.message, sizeof(cli->err.message),
		 "it can't be written: %s", strerror(errno));
	return cli_fail(cli);
}

/* Under another name until it is whole. */
static int save_svg(struct cli *cli, const struct plot *plot, const char *path)
{
	char *name = NULL;
	FILE *out;
	bool good;
	int fd;

	if (strcmp(path, "-") == 0) {
		plot_svg(plot, stdout);
		return EXIT_DONE;
	}
	fd = temporary_open(path, &name);
	out = fd < 0 ? NULL : fdopen(fd, "w");
	if (!out) {
		if (fd >= 0)
			close(fd);
		free(name);
		return save_failed(cli, path);
	}
	plot_svg(plot, out);
	good = !ferror(out);
	good = fclose(out) == 0 && good && rename(name, path) == 0;
	if (!good)
		unlink(name);
	free(name);
	return good ? EXIT_DONE : save_failed(cli, path);
}

static int print(struct cli *cli, const struct plot *plot)
{
	const char *svg = cli_text(cli, "svg");
	int code = EXIT_DONE;

	if (svg)
		code = save_svg(cli, plot, svg);
	if (code)
		return code;
	if (cli_json(cli))
		print_json(plot);
	else if (cli_flag(cli, "csv"))
		print_csv(plot);
	else if (!svg)
		return print_text(cli, plot);
	return EXIT_DONE;
}

int cmd_plot(struct cli *cli)
{
	struct gathering g = {.cli = cli};
	bool weights = cli_flag(cli, "tensor");
	int code;

	if (weights == (cli->n_args > 0))
		return cli_usage(cli, "it takes metrics, or --tensor GLOB");
	if (!weights && (cli_flag(cli, "of") || cli_flag(cli, "rev")))
		return cli_usage(cli, "--of and --rev are about --tensor");
	g.plot.is_log = cli_flag(cli, "log");
	code = cli_open(cli, WH_OPEN_READ);
	if (!code)
		code = weights ? gather_weights(&g) : gather_metrics(&g);
	if (!code && g.plot.n == MAX_CURVES)
		cli_warn(cli, "there may be more: it draws 64 curves");
	if (!code && !label_curves(&g.plot))
		code = cli_no_memory(cli);
	if (!code)
		code = cli_interrupted() ? EXIT_INTERRUPTED
					 : print(cli, &g.plot);
	plot_free(&g.plot);
	return code;
}
