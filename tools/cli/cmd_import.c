/* import: a folder of checkpoints becomes history. */
#include <inttypes.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include <weighhouse/run.h>

#include "base/text.h"
#include "cli.h"
#include "import.h"

static int compare_numbers(int64_t a, int64_t b)
{
	return a < b ? -1 : a > b;
}

/* By the name with its digits as numbers. */
static int by_path(const void *a, const void *b)
{
	const struct import_file *x = a, *y = b;

	return strverscmp(x->path, y->path);
}

static int by_number(const void *a, const void *b)
{
	const struct import_file *x = a, *y = b;
	int order = compare_numbers(x->said.number, y->said.number);

	return order ? order : by_path(a, b);
}

/* Those with a number change places among themselves: a name without one says
 * nothing of where they belong. */
static int put_in_order(struct cli *cli, struct import_list *list)
{
	struct import_file *numbered = calloc(list->n, sizeof(*numbered));
	size_t i, n = 0;

	if (!numbered)
		return cli_no_memory(cli);
	qsort(list->files, list->n, sizeof(*list->files), by_path);
	for (i = 0; i < list->n; i++)
		if (list->files[i].said.has_number)
			numbered[n++] = list->files[i];
	qsort(numbered, n, sizeof(*numbered), by_number);
	for (i = list->n; i > 0; i--)
		if (list->files[i - 1].said.has_number)
			list->files[i - 1] = numbered[--n];
	free(numbered);
	return EXIT_DONE;
}

struct totals {
	uint64_t nbytes, stored, n_new, n_tensors;
	size_t n, n_reproducible;
};

static void print_head(const struct cli *cli)
{
	if (!cli_json(cli) && !cli_flag(cli, "quiet"))
		printf("%-32s %6s %9s %10s %10s  %s\n", "file", "epoch", "new",
		       "weights", "stored", "byte for byte");
}

static void print_file(const struct cli *cli, const struct import_file *file,
		       const struct commit_outcome *outcome)
{
	const struct wh_commit_result *r = &outcome->result;
	char step[24] = "", counts[48];

	if (cli_json(cli)) {
		cli_print_json(commit_json(outcome, file->path));
		return;
	}
	if (file->said.has_number)
		snprintf(step, sizeof(step), "%" PRId64, file->said.number);
	snprintf(counts, sizeof(counts), "%" PRIu64 "/%" PRIu64,
		 r->n_new_tensors, r->n_tensors);
	cli_say(cli, "%-32s %6s %9s %10s %10s  %s", cli_escape(file->name),
		step, counts, cli_size(cli, r->nbytes),
		cli_size(cli, r->stored_bytes),
		outcome->reproducible ? "yes" : "values only");
}

static void add_up(struct totals *totals, const struct commit_outcome *outcome)
{
	totals->nbytes += outcome->result.nbytes;
	totals->stored += outcome->result.stored_bytes;
	totals->n_new += outcome->result.n_new_tensors;
	totals->n_tensors += outcome->result.n_tensors;
	totals->n_reproducible += outcome->reproducible;
	totals->n++;
}

static int import_file(struct cli *cli, struct import_list *list,
		       const struct import_file *file, struct totals *totals)
{
	struct wh_commit_options options = {
		.branch = cli_text(cli, "branch"),
		.run = cli_text(cli, "run"),
		.codec = cli_text(cli, "codec"),
		.message = cli_text(cli, "message"),
		.has_epoch = file->said.has_epoch,
		.epoch = file->said.epoch,
		.has_step = file->said.has_number,
		.step = file->said.number,
	};
	struct commit_outcome outcome = {0};
	struct wh_metric metrics[IMPORT_MAX_METRICS];
	int code;

	if (!options.message)
		options.message = file->name;
	options.metrics = metrics;
	options.n_metrics = import_metrics(list, file, metrics);
	code = cli_take_alarms(cli, &options);
	if (code)
		return code;
	code = cli_commit_path(cli, file->path, &options, &outcome);
	if (code)
		return code;
	print_file(cli, file, &outcome);
	add_up(totals, &outcome);
	return cli_interrupted() ? EXIT_INTERRUPTED : EXIT_DONE;
}

static int import_all(struct cli *cli, struct import_list *list)
{
	struct totals totals = {0};
	int code = EXIT_DONE;
	size_t i;

	print_head(cli);
	for (i = 0; i < list->n && !code; i++)
		code = import_file(cli, list, &list->files[i], &totals);
	if (code)
		return code;
	cli_say(cli,
		"%s, %" PRIu64
		" of %s new, %s of %s stored; reproducible byte for byte "
		"%zu/%zu",
		cli_count(totals.n, "checkpoint"), totals.n_new,
		cli_count(totals.n_tensors, "tensor"),
		cli_size(cli, totals.stored), cli_size(cli, totals.nbytes),
		totals.n_reproducible, totals.n);
	return EXIT_DONE;
}

static void tell_misfit(struct cli *cli, const struct import_file *file,
			const char *pattern)
{
	char *sentence;

	if (asprintf(&sentence, "'%s' doesn't fit '%s': it has no step",
		     file->name, pattern) < 0)
		return;
	cli_warn(cli, sentence);
	free(sentence);
}

static int prepare(struct cli *cli, struct import_list *list)
{
	const char *pattern = cli_text(
		cli, cli_flag(cli, "pattern") ? "pattern" : "step-from");
	const char *csv = cli_text(cli, "metrics");
	int i, code = EXIT_DONE;
	size_t k;

	for (i = 0; i < cli->n_args && !code; i++)
		code = import_add(cli, list, cli->args[i]);
	if (code)
		return code;
	if (!list->n)
		return cli_usage(cli, "there is no checkpoint to import");
	import_name_files(list);
	for (k = 0; k < list->n; k++)
		if (!import_read_name(&list->files[k], pattern))
			tell_misfit(cli, &list->files[k], pattern);
	code = put_in_order(cli, list);
	return !code && csv ? import_read_csv(cli, list, csv) : code;
}

static int note_status(void *arg, const struct wh_run *run)
{
	*(bool *)arg = strcmp(run->status, "running") == 0;
	return 0;
}

/* A run that is not under way already is over with what is imported. */
static int import_run(struct cli *cli, struct import_list *list)
{
	const char *run = cli_text(cli, "run");
	bool is_under_way = false;
	struct wh_error err;
	int code;

	if (run)
		wh_run_get(cli->store, run, note_status, &is_under_way, &err);
	code = import_all(cli, list);
	if (!run || is_under_way)
		return code;
	if (code)
		wh_run_end(cli->store, run,
			   code == EXIT_INTERRUPTED ? "killed" : "failed", -1,
			   &err);
	else if (wh_run_end(cli->store, run, "finished", -1, &cli->err))
		code = cli_fail(cli);
	return code;
}

int cmd_import(struct cli *cli)
{
	struct import_list list = {0};
	int code = prepare(cli, &list);

	if (!code)
		code = cli_open(cli, WH_OPEN_WRITE);
	if (!code)
		code = import_run(cli, &list);
	if (!code)
		cli_apply_publish_rules(cli, cli_progress);
	import_list_free(&list);
	return code;
}
