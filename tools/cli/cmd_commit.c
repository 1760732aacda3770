/* commit: a checkpoint becomes a snapshot. */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/text.h"
#include "cli.h"
#include "core/weigh.h"
#include "import.h"

#define MAX_FIGURES 256
#define SPOOL_PIECE (64 << 10)

enum wh_status cli_try_commit(struct cli *cli, const char *path,
			      const struct wh_commit_options *given,
			      struct commit_outcome *outcome,
			      void (*warn)(void *arg, const char *sentence),
			      void *arg)
{
	struct wh_load_options load = cli_load_options(cli);
	struct alarm_teller teller = {cli, outcome, warn, arg};
	struct wh_commit_options options = *given;
	struct wh_source *source;
	enum wh_status status;
	uint32_t i;

	outcome->opened = false;
	options.alarms.fn = cli_tell_alarm;
	options.alarms.arg = &teller;
	status = wh_checkpoint_open(path, cli_text(cli, "format"), &load,
				    &source, &cli->err);
	if (status)
		return status;
	status = weigh_small(source, options.threads, options.progress,
			     options.arg, &cli->err);
	if (!status)
		status = wh_checkpoint_prove(source, path, cli->library,
					     &outcome->reproducible, &cli->err);
	outcome->opened = !status;
	if (!status)
		status = wh_commit(cli->store, source, &options,
				   &outcome->result, &cli->err);
	for (i = 0; !status && i < source->manifest.n_warnings; i++)
		warn(arg, source->manifest.warnings[i]);
	cli_tell_more_alarms(&teller);
	wh_source_close(source);
	if (status)
		json_decref(outcome->alarms);
	return status;
}

int cli_commit_path(struct cli *cli, const char *path,
		    struct wh_commit_options *options,
		    struct commit_outcome *outcome)
{
	cli->subject = path;
	options->progress = cli_progress;
	options->arg = cli;
	if (cli_try_commit(cli, path, options, outcome, cli_warn, cli)) {
		if (!outcome->opened && import_takes_of(cli, path))
			snprintf(cli->hint, sizeof(cli->hint),
				 "'wh import %.200s' takes all that is in it",
				 cli_escape(path));
		return cli_fail(cli);
	}
	return EXIT_DONE;
}

json_t *commit_json(const struct commit_outcome *outcome, const char *file)
{
	const struct wh_commit_result *r = &outcome->result;
	json_t *row = json_object();

	if (file)
		json_object_set_new(row, "file", json_text(file));
	json_object_set_new(row, "snapshot", json_text(r->snapshot));
	json_object_set_new(row, "tree", json_text(r->tree));
	json_object_set_new(row, "branch", json_text(r->branch));
	json_object_set_new(row, "parent",
			    *r->parent ? json_text(r->parent) : json_null());
	json_object_set_new(row, "tensors",
			    json_integer((json_int_t)r->n_tensors));
	json_object_set_new(row, "new_tensors",
			    json_integer((json_int_t)r->n_new_tensors));
	json_object_set_new(row, "nbytes", json_integer((json_int_t)r->nbytes));
	json_object_set_new(row, "stored_bytes",
			    json_integer((json_int_t)r->stored_bytes));
	json_object_set_new(row, "reproducible",
			    json_boolean(outcome->reproducible));
	json_object_set_new(row, "alarms",
			    outcome->alarms ? outcome->alarms : json_array());
	return row;
}

/* "K=V" cut at the first '='; the key lives in `keys`. */
static int cut_pair(struct cli *cli, const char *option, const char *pair,
		    char **key, const char **value)
{
	const char *equals = strchr(pair, '=');

	if (!equals || equals == pair)
		return cli_usage(cli, "--%s: '%s' is not of the form K=V",
				 option, pair);
	*key = strndup(pair, (size_t)(equals - pair));
	*value = equals + 1;
	if (!*key)
		return cli_no_memory(cli);
	return EXIT_DONE;
}

struct figures {
	struct wh_metric metrics[MAX_FIGURES];
	struct wh_param params[MAX_FIGURES];
	char *keys[2 * MAX_FIGURES]; /* owned */
	size_t n_keys;
};

static int take_figures(struct cli *cli, struct wh_commit_options *options,
			struct figures *figures)
{
	const char *pair, *value = NULL;
	int code, at = 0;

	while ((pair = cli_next(cli, "metric", &at))) {
		if (options->n_metrics == MAX_FIGURES)
			return cli_usage(cli, "more than %d times --metric",
					 MAX_FIGURES);
		struct wh_metric *metric =
			&figures->metrics[options->n_metrics];

		code = cut_pair(cli, "metric", pair,
				&figures->keys[figures->n_keys], &value);
		if (code)
			return code;
		metric->key = figures->keys[figures->n_keys++];
		if (!text_to_double(value, &metric->value))
			return cli_usage(cli, "--metric: '%s' is no number",
					 value);
		options->n_metrics++;
	}
	at = 0;
	while ((pair = cli_next(cli, "param", &at))) {
		if (options->n_params == MAX_FIGURES)
			return cli_usage(cli, "more than %d times --param",
					 MAX_FIGURES);
		code = cut_pair(cli, "param", pair,
				&figures->keys[figures->n_keys], &value);
		if (code)
			return code;
		figures->params[options->n_params++] = (struct wh_param){
			figures->keys[figures->n_keys++], value};
	}
	options->metrics = figures->metrics;
	options->params = figures->params;
	return EXIT_DONE;
}

static void fill_options(struct cli *cli, struct wh_commit_options *options)
{
	int64_t threads;

	options->message = cli_text(cli, "message");
	options->branch = cli_text(cli, "branch");
	options->root = cli_flag(cli, "root");
	options->run = cli_text(cli, "run");
	options->tag = cli_text(cli, "tag");
	options->parent = cli_text(cli, "parent");
	options->expect = cli_text(cli, "expect");
	options->codec = cli_text(cli, "codec");
	options->has_step = cli_integer(cli, "step", &options->step);
	options->has_epoch = cli_integer(cli, "epoch", &options->epoch);
	options->has_time = cli_integer(cli, "date", &options->time);
	if (cli_integer(cli, "threads", &threads) && threads > 0)
		options->threads = (unsigned)threads;
}

static int spool_failed(struct cli *cli)
{
	cli->err.status = WH_EIO;
	snprintf(cli->err.message, sizeof(cli->err.message),
		 "stdin can't be spooled: %s", strerror(errno));
	return cli_fail(cli);
}

static bool copy_stdin(int fd)
{
	char piece[SPOOL_PIECE];
	ssize_t got;

	while ((got = read(STDIN_FILENO, piece, sizeof(piece))) > 0)
		if (write(fd, piece, (size_t)got) != got)
			return false;
	return got == 0;
}

/* stdin can be read once only; a commit reads twice. The copy has no name, so
 * that nothing is left of it however this ends; `path` leads to it. */
static int spool_stdin(struct cli *cli, char *path, size_t size)
{
	const char *folder = getenv("TMPDIR");
	char name[4096];
	int fd;

	snprintf(name, sizeof(name), "%s/.wh-stdin-XXXXXX",
		 folder && *folder ? folder : "/tmp");
	fd = mkstemp(name);
	if (fd < 0)
		return spool_failed(cli);
	unlink(name);
	if (!copy_stdin(fd))
		return cli_interrupted() ? EXIT_INTERRUPTED : spool_failed(cli);
	snprintf(path, size, "/dev/fd/%d", fd);
	cli->spool = path;
	return EXIT_DONE;
}

static int commit_one(struct cli *cli, const char *path,
		      struct wh_commit_options *options)
{
	struct commit_outcome outcome = {0};
	int code = cli_commit_path(cli, path, options, &outcome);

	if (code)
		return code;
	if (cli_json(cli)) {
		cli_print_json(commit_json(&outcome, NULL));
		return EXIT_DONE;
	}
	cli_say(cli, "%.12s on %s: %llu of %s new, %s stored%s",
		outcome.result.snapshot, cli_escape(outcome.result.branch),
		(unsigned long long)outcome.result.n_new_tensors,
		cli_count(outcome.result.n_tensors, "tensor"),
		cli_size(cli, outcome.result.stored_bytes),
		outcome.reproducible ? "; comes back byte for byte" : "");
	return EXIT_DONE;
}

int cmd_commit(struct cli *cli)
{
	struct figures *figures = calloc(1, sizeof(*figures));
	struct wh_commit_options options = {0};
	const char *path = cli->args[0];
	char spool[32];
	int code;

	if (!figures)
		return cli_no_memory(cli);
	fill_options(cli, &options);
	code = cli_take_alarms(cli, &options);
	if (!code)
		code = take_figures(cli, &options, figures);
	if (!code)
		code = cli_open(cli, WH_OPEN_WRITE);
	if (!code && strcmp(path, "-") == 0) {
		code = spool_stdin(cli, spool, sizeof(spool));
		path = spool;
	}
	if (!code)
		code = commit_one(cli, path, &options);
	if (!code)
		cli_apply_publish_rules(cli, cli_progress);
	while (figures->n_keys)
		free(figures->keys[--figures->n_keys]);
	free(figures);
	return code;
}
