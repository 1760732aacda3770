/* blame, history: when weights changed. */
#include <inttypes.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include <weighhouse/history.h>

#include "base/array.h"
#include "cli.h"

#define SPARK_WIDTH 60

static void print_json(const struct wh_weight_change *c)
{
	cli_print_json(json_pack(
		"{s:o,s:o,s:o,s:b,s:o,s:o,s:o,s:o,s:o,s:o,s:o,s:I,s:I}",
		"layer", json_text(c->layer), "weight", json_text(c->weight),
		"snapshot", json_text(c->snapshot), "removed", c->removed,
		"time",
		c->gone ? json_null() : json_text(cli_time_utc(c->time)), "run",
		json_text(c->run), "step",
		c->has_step ? json_integer(c->step) : json_null(), "epoch",
		c->has_epoch ? json_integer(c->epoch) : json_null(), "sha256",
		c->removed ? json_null() : json_text(c->sha256), "l2",
		number_json(c->l2), "l2_before", number_json(c->l2_before),
		"nan", (json_int_t)c->n_nan, "inf", (json_int_t)c->n_inf));
}

static void print_place(const struct wh_weight_change *c)
{
	char place[48] = "";

	if (c->gone)
		snprintf(place, sizeof(place), "(forgotten)");
	else if (c->has_epoch)
		snprintf(place, sizeof(place), "epoch %" PRId64, c->epoch);
	else if (c->has_step)
		snprintf(place, sizeof(place), "step %" PRId64, c->step);
	printf("%.12s  %-16s  %-12s", c->snapshot,
	       c->gone ? "" : cli_time(c->time), place);
}

static void print_figures(const struct wh_weight_change *c)
{
	if (c->removed)
		printf("  removed");
	else if (!isnan(c->l2))
		printf("  norm %-10.6g", c->l2);
	if (!isnan(c->l2) && !isnan(c->l2_before))
		printf(" %+.4g", c->l2 - c->l2_before);
	if (c->n_nan || c->n_inf)
		printf("  %" PRIu64 " NaN, %" PRIu64 " Inf", c->n_nan,
		       c->n_inf);
	putchar('\n');
}

static int print_blame(void *arg, const struct wh_weight_change *c)
{
	const struct cli *cli = arg;

	if (c->removed)
		return cli_interrupted();
	if (cli_json(cli)) {
		print_json(c);
		return cli_interrupted();
	}
	print_place(c);
	printf("  %s/%s", cli_escape(c->layer), cli_escape(c->weight));
	print_figures(c);
	return cli_interrupted();
}

int cmd_blame(struct cli *cli)
{
	struct wh_history_options options = {
		.revision = cli_text(cli, "rev"),
		.globs = cli->n_args ? cli->args : NULL,
		.limit = 1,
	};
	int code = cli_open(cli, WH_OPEN_READ);

	if (code)
		return code;
	cli_page(cli);
	cli->subject = cli->n_args ? cli->args[0] : NULL;
	if (wh_history(cli->store, &options, print_blame, cli, &cli->err))
		return cli_fail(cli);
	return cli_interrupted() ? EXIT_INTERRUPTED : EXIT_DONE;
}

/* ---- history ---------------------------------------------------------------
 */

/* Norms of the weight that is being listed, newest first. */
struct curve {
	struct cli *cli;
	char *name;
	double *norms;
	size_t n, room;
};

/* Eight heights; NaN is a cross. Wider than the line, each mark stands for
 * the last of several changes. */
static void print_curve(const struct curve *curve)
{
	static const char *const marks[] = {"▁", "▂", "▃", "▄",
					    "▅", "▆", "▇", "█"};
	size_t width = curve->n < SPARK_WIDTH ? curve->n : SPARK_WIDTH, i;
	double low = (double)INFINITY, high = -(double)INFINITY;

	for (i = 0; i < curve->n; i++)
		if (isfinite(curve->norms[i])) {
			low = fmin(low, curve->norms[i]);
			high = fmax(high, curve->norms[i]);
		}
	printf("%s  ", cli_escape(curve->name));
	for (i = 0; i < width; i++) {
		size_t at = (i + 1) * curve->n / width - 1;
		double norm = curve->norms[curve->n - 1 - at];
		double height = high > low ? (norm - low) / (high - low) : 0.5;

		fputs(isfinite(norm) ? marks[(int)(height * 7.0)] : "×",
		      stdout);
	}
	putchar('\n');
}

static void end_curve(struct curve *curve)
{
	if (curve->name && !cli_json(curve->cli))
		print_curve(curve);
	free(curve->name);
	curve->name = NULL;
	curve->n = 0;
}

static bool add_norm(struct curve *curve, double norm)
{
	if (array_grow(&curve->norms, curve->n, &curve->room,
		       sizeof(*curve->norms), NULL))
		return false;
	curve->norms[curve->n++] = norm;
	return true;
}

static int print_change(void *arg, const struct wh_weight_change *c)
{
	struct curve *curve = arg;
	char name[8300];

	if (cli_json(curve->cli)) {
		print_json(c);
		return cli_interrupted();
	}
	snprintf(name, sizeof(name), "%s/%s", c->layer, c->weight);
	if (!curve->name || strcmp(curve->name, name) != 0) {
		end_curve(curve);
		curve->name = strdup(name);
	}
	if (!c->removed && !add_norm(curve, c->l2))
		return 1;
	if (!cli_flag(curve->cli, "quiet")) {
		print_place(c);
		print_figures(c);
	}
	return cli_interrupted();
}

int cmd_history(struct cli *cli)
{
	struct curve curve = {.cli = cli};
	struct wh_history_options options = {
		.revision = cli_text(cli, "rev"),
		.globs = cli->args,
	};
	int64_t limit = 0;
	int code;

	if (cli_integer(cli, "number", &limit))
		options.limit = (uint64_t)limit;
	code = cli_open(cli, WH_OPEN_READ);
	if (code)
		return code;
	cli_page(cli);
	cli->subject = cli->args[0];
	if (wh_history(cli->store, &options, print_change, &curve, &cli->err))
		code = cli_fail(cli);
	end_curve(&curve);
	free(curve.norms);
	return code ? code : cli_interrupted() ? EXIT_INTERRUPTED : EXIT_DONE;
}
