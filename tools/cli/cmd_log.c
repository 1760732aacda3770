#include <inttypes.h>
#include <math.h>
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

int cmd_log(struct cli *cli)
{
	struct wh_log_options options = {0};
	char range[1024], *dots;
	int64_t limit = 0;
	int code;

	if (cli->n_args) {
		snprintf(range, sizeof(range), "%s", cli->args[0]);
		dots = strstr(range, "..");
		options.revision = range;
		if (dots) {
			*dots = '\0';
			options.exclude = range;
			options.revision = dots[2] ? dots + 2 : "HEAD";
		}
	}
	if (cli_integer(cli, "number", &limit) && limit < 0)
		return cli_usage(cli, "-n: %lld is below zero",
				 (long long)limit);
	if (cli_flag(cli, "number") && limit == 0)
		return EXIT_DONE;
	options.limit = (uint64_t)limit;
	options.metric = cli_text(cli, "metric");
	options.all = cli_flag(cli, "all");
	options.run = cli_text(cli, "run");
	options.globs = cli->n_globs ? cli->globs : NULL;
	code = cli_open(cli, WH_OPEN_READ);
	if (code)
		return code;
	cli_page(cli);
	if (wh_log(cli->store, &options, print_row, cli, &cli->err))
		return cli_fail(cli);
	return cli_interrupted() ? EXIT_INTERRUPTED : EXIT_DONE;
}
