/* watch: a folder's checkpoints as they are written. */
#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>

#include "watch.h"

#define SETTLE_MS 100

static int take_counts(struct watch *watch)
{
	struct cli *cli = watch->cli;
	int64_t keep;

	watch->list.settle_ms = SETTLE_MS;
	cli_integer(cli, "settle", &watch->list.settle_ms);
	if (watch->list.settle_ms > 3600 * 1000)
		return cli_usage(cli, "--settle: an hour is the most");
	watch->csvs.has_shift =
		cli_integer(cli, "csv-shift", &watch->csvs.shift);
	watch->sources.wanted = cli_flag(cli, "delete-source");
	if (cli_integer(cli, "keep-sources", &keep)) {
		watch->sources.wanted = true;
		watch->sources.keep = (size_t)keep;
	}
	return EXIT_DONE;
}

static int take_rules(struct watch *watch)
{
	struct cli *cli = watch->cli;
	const char *rule;
	size_t n = 0;
	int at = 0;

	while ((rule = cli_next(cli, "keep", &at))) {
		if (n == WATCH_MAX_RULES)
			return cli_usage(cli, "there are too many rules");
		watch->rules[n++] = rule;
	}
	return EXIT_DONE;
}

/* Without its last slashes, which names of files don't have twice. */
static int take_folder(struct watch *watch, const char *path)
{
	struct cli *cli = watch->cli;
	size_t len = strlen(path);
	char *copy;

	if (watch->n_folders == WATCH_MAX_FOLDERS)
		return cli_usage(cli, "there are too many folders");
	while (len > 1 && path[len - 1] == '/')
		len--;
	copy = len ? strndup(path, len) : NULL;
	if (!copy)
		return cli_usage(cli, "'%s' is no folder", path);
	watch->folders[watch->n_folders++].path = copy;
	return EXIT_DONE;
}

/* A metric, a snapshot and --run all mean this run. */
static int name_run(struct watch *watch, const char *name)
{
	struct cli *cli = watch->cli;

	if (!name)
		name = cli_text(cli, "run");
	if (!name)
		name = watch->branch;
	if (name && strlen(name) >= sizeof(watch->run))
		return cli_usage(cli, "the run's name is too long");
	if (name)
		strcpy(watch->run, name);
	else if (wh_head(cli->store, watch->run, &cli->err))
		return cli_fail(cli);
	return EXIT_DONE;
}

int watch_fill(struct watch *watch, const char *run)
{
	struct cli *cli = watch->cli;
	const char *folder;
	int code = EXIT_DONE, at = 0;

	watch->pattern = cli_text(cli, "pattern");
	watch->branch = cli_text(cli, "branch");
	watch->codec = cli_text(cli, "codec");
	watch->csv_path = cli_text(cli, "metrics");
	watch->poll = cli_flag(cli, "poll");
	if (cli->verb->run == cmd_watch)
		code = take_folder(watch, cli->args[0]);
	else
		while (!code && (folder = cli_next(cli, "watch", &at)))
			code = take_folder(watch, folder);
	if (!code)
		code = take_counts(watch);
	if (!code)
		code = take_rules(watch);
	if (!code)
		code = name_run(watch, run);
	return code;
}

static int check_folder(struct cli *cli)
{
	const char *path = cli->args[0];
	struct stat at;

	if (stat(path, &at) == 0) {
		if (S_ISDIR(at.st_mode))
			return EXIT_DONE;
	} else if (errno == ENOENT) {
		snprintf(cli->hint, sizeof(cli->hint),
			 "'wh run exec' waits for one that training makes");
	}
	snprintf(cli->err.message, sizeof(cli->err.message),
		 "'%s' is no folder", cli_escape(path));
	cli->err.status = WH_ENOTFOUND;
	return cli_fail(cli);
}

static void tell_sum(const struct watch *watch)
{
	const struct cli *cli = watch->cli;

	if (cli_json(cli)) {
		cli_print_json(json_pack(
			"{s:s,s:I,s:I,s:I,s:I}", "event", "end", "commits",
			(json_int_t)watch->n_taken, "known",
			(json_int_t)watch->n_known, "left_out",
			(json_int_t)watch->n_bad, "stored_bytes",
			(json_int_t)watch->stored_bytes));
		return;
	}
	cli_say(cli,
		"%s taken, %s stored; %" PRIu64 " already there, %" PRIu64
		" left out",
		cli_count(watch->n_taken, "checkpoint"),
		cli_size(cli, watch->stored_bytes), watch->n_known,
		watch->n_bad);
}

int cmd_watch(struct cli *cli)
{
	struct watch *watch = calloc(1, sizeof(*watch));
	struct timespec now;
	int code = watch ? check_folder(cli) : cli_no_memory(cli);

	if (!code)
		code = cli_open(cli, WH_OPEN_WRITE);
	if (!code) {
		watch->cli = cli;
		watch->once = cli_flag(cli, "once");
		code = watch_fill(watch, NULL);
	}
	if (!code) {
		clock_gettime(CLOCK_REALTIME, &now);
		if (cli_flag(cli, "new-only"))
			watch->since_ns =
				(int64_t)now.tv_sec * 1000000000 + now.tv_nsec;
		watch_signals_catch();
		code = watch_run(watch, NULL, NULL);
		tell_sum(watch);
	}
	if (watch)
		watch_free(watch);
	free(watch);
	return code;
}
