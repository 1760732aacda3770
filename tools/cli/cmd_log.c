#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "cli.h"

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

static void print_first_line(const char *message)
{
	char line[128];

	snprintf(line, sizeof(line), "%.*s", (int)strcspn(message, "\n"),
		 message);
	if (*line)
		printf("  %s", cli_escape(line));
}

static int print_row(void *arg, const struct wh_snapshot *s)
{
	const struct cli *cli = arg;

	if (cli_json(cli)) {
		cli_print_json(snapshot_json(s));
		return cli_interrupted();
	}
	printf("%s%.12s%s  %s", cli_bold(cli), s->id, cli_plain(cli),
	       cli_time(s->time));
	if (s->has_epoch)
		printf("  epoch %" PRId64, s->epoch);
	if (s->has_step && !(s->has_epoch && s->epoch == s->step))
		printf("  step %" PRId64, s->step);
	print_metrics(s, cli_text(cli, "metric"));
	print_first_line(s->message);
	print_names(s->branches, "  @");
	print_names(s->tags, "  #");
	putchar('\n');
	return cli_interrupted();
}

/* REV, A..B, A.. and ..B; what is left out is HEAD. `copy` is the caller's to
 * free. */
static bool take_range(const char *text, struct wh_log_options *options,
		       char **copy)
{
	char *dots;

	if (!text)
		return true;
	*copy = strdup(text);
	if (!*copy)
		return false;
	options->revision = *copy;
	dots = strstr(*copy, "..");
	if (!dots)
		return true;
	*dots = '\0';
	options->exclude = dots == *copy ? "HEAD" : *copy;
	options->revision = dots[2] ? dots + 2 : "HEAD";
	return true;
}

static int list(struct cli *cli, const struct wh_log_options *options)
{
	int code = cli_open(cli, WH_OPEN_READ);

	if (code || (cli_flag(cli, "number") && !options->limit))
		return code;
	cli_page(cli);
	if (wh_log(cli->store, options, print_row, cli, &cli->err))
		return cli_fail(cli);
	return cli_interrupted() ? EXIT_INTERRUPTED : EXIT_DONE;
}

int cmd_log(struct cli *cli)
{
	struct wh_log_options options = {
		.metric = cli_text(cli, "metric"),
		.all = cli_flag(cli, "all"),
		.run = cli_text(cli, "run"),
		.globs = cli->n_globs ? cli->globs : NULL,
	};
	char *range = NULL;
	int64_t limit;
	int code;

	if (options.all && cli->n_args)
		return cli_usage(cli, "--all lists every snapshot: it takes no "
				      "revision");
	if (cli_integer(cli, "number", &limit))
		options.limit = (uint64_t)limit;
	if (!take_range(cli->n_args ? cli->args[0] : NULL, &options, &range))
		return EXIT_FAILED;
	code = list(cli, &options);
	free(range);
	return code;
}
