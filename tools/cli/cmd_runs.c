/* runs: training runs, chosen and sorted. */
#include <inttypes.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include <weighhouse/run.h>

#include "base/array.h"
#include "base/error.h"
#include "base/json_put.h"
#include "cli.h"
#include "where.h"

/* What one line needs, outliving the callback. */
struct line {
	double key; /* to sort by; NaN: none */
	char *word; /* or by this; NULL: none. Without either it comes last */
	long text;  /* where it begins in listing->texts */
};

struct listing {
	struct cli *cli;
	struct where where;
	const char *sort;
	int way;   /* 0: last, -1: min, 1: max */
	FILE *out; /* writes the texts, each ends with NUL */
	char *texts;
	size_t size;
	struct line *lines;
	size_t n, room;
	bool lost; /* a line, for lack of memory */
};

static double sort_key(struct listing *listing, const struct wh_run *run,
		       char **word)
{
	struct where_value value;
	size_t i;

	for (i = 0; i < run->n_metrics; i++)
		if (strcmp(run->metrics[i].key, listing->sort) == 0)
			return listing->way < 0	  ? run->metrics[i].min
			       : listing->way > 0 ? run->metrics[i].max
						  : run->metrics[i].last;
	if (strcmp(listing->sort, "started") == 0)
		return (double)run->started;
	if (!where_run(run, listing->sort, &value))
		return (double)NAN;
	if (isnan(value.number) && value.text) {
		*word = strdup(value.text);
		listing->lost |= !*word;
	}
	return value.number;
}

static void table_line(FILE *out, const struct wh_run *run)
{
	size_t i;

	fprintf(out, "%-24s %-9s %s  %6" PRIu64, cli_escape(run->name),
		run->status, cli_time(run->started), run->n_snapshots);
	for (i = 0; i < run->n_metrics; i++)
		fprintf(out, "  %s=%.6g", cli_escape(run->metrics[i].key),
			run->metrics[i].last);
	for (i = 0; i < run->n_params; i++)
		fprintf(out, "  %s=%s", cli_escape(run->params[i].key),
			cli_escape(run->params[i].value));
}

static bool json_line(FILE *out, const struct wh_run *run)
{
	json_t *object = run_json(run);
	char *text = json_to_text(object, JSON_COMPACT);
	bool done = text && fputs(text, out) >= 0;

	free(text);
	json_decref(object);
	return done;
}

static int collect(void *arg, const struct wh_run *run)
{
	struct listing *listing = arg;
	struct line *line;

	if (!where_holds(&listing->where, run))
		return *listing->where.error != '\0';
	listing->lost |= array_grow(&listing->lines, listing->n, &listing->room,
				    sizeof(*listing->lines), NULL) != WH_OK;
	if (listing->lost)
		return 1;
	line = &listing->lines[listing->n++];
	line->word = NULL;
	line->key = listing->sort ? sort_key(listing, run, &line->word) : 0;
	line->text = ftell(listing->out);
	if (cli_json(listing->cli))
		listing->lost |= !json_line(listing->out, run);
	else
		table_line(listing->out, run);
	listing->lost |= putc('\0', listing->out) == EOF;
	return listing->lost;
}

/* Numbers, words, then those without a value. */
static int rank_of(const struct line *line)
{
	return !isnan(line->key) ? 0 : line->word ? 1 : 2;
}

/* Stable, since equal keys keep their order by the newer run first. */
static int by_key(const void *a, const void *b)
{
	const struct line *x = *(struct line *const *)a;
	const struct line *y = *(struct line *const *)b;
	int order = rank_of(x) - rank_of(y);

	if (!order && x->word && y->word)
		order = strcmp(x->word, y->word);
	if (order)
		return order;
	if (x->key < y->key || x->key > y->key)
		return x->key < y->key ? -1 : 1;
	return x < y ? -1 : x > y;
}

static int print_lines(struct listing *listing, bool reverse)
{
	struct line **order = calloc(listing->n + 1, sizeof(*order));
	size_t i, n_known = 0;

	if (!order)
		return cli_no_memory(listing->cli);
	for (i = 0; i < listing->n; i++) {
		order[i] = &listing->lines[i];
		n_known += rank_of(order[i]) < 2;
	}
	if (listing->sort)
		qsort(order, listing->n, sizeof(*order), by_key);
	for (i = 0; i < listing->n; i++) {
		size_t at = reverse && i < n_known ? n_known - 1 - i : i;

		puts(listing->texts + order[at]->text);
	}
	free(order);
	return EXIT_DONE;
}

/* "val_loss:min" sorts by the best value, not the last. */
static char *take_sort(struct cli *cli, struct listing *listing)
{
	const char *text = cli_text(cli, "sort");
	char *copy = text ? strdup(text) : NULL;
	char *way = copy ? strrchr(copy, ':') : NULL;

	listing->lost = text && !copy;
	if (way && (strcmp(way, ":min") == 0 || strcmp(way, ":max") == 0)) {
		listing->way = way[2] == 'i' ? -1 : 1;
		*way = '\0';
	}
	listing->sort = copy;
	return copy;
}

static int collect_runs(struct listing *listing)
{
	struct cli *cli = listing->cli;
	enum wh_status status;

	listing->out = open_memstream(&listing->texts, &listing->size);
	if (!listing->out)
		status = wh_fail_memory(&cli->err);
	else
		status = wh_run_list(cli->store, collect, listing, &cli->err);
	/* Without memory for its end glibc's fclose succeeds, and gives none.
	 */
	listing->lost |=
		listing->out && (fclose(listing->out) || !listing->texts);
	if (listing->lost && !status)
		status = wh_fail_memory(&cli->err);
	return status ? cli_fail(cli) : EXIT_DONE;
}

int cmd_runs(struct cli *cli)
{
	struct listing listing = {
		.cli = cli,
		.where = {.text = cli_text(cli, "where"), .field = where_run}};
	char *sort = take_sort(cli, &listing);
	int code = cli_open(cli, WH_OPEN_READ);

	if (!code)
		code = collect_runs(&listing);
	if (!code && where_complaint(&listing.where))
		code = cli_usage(cli, "--where: %s",
				 where_complaint(&listing.where));
	if (!code) {
		cli_page(cli);
		code = print_lines(&listing, cli_flag(cli, "reverse"));
	}
	while (listing.n)
		free(listing.lines[--listing.n].word);
	free(listing.lines);
	free(listing.texts);
	free(sort);
	return code;
}
