/* unpublish: what was published goes, pointers before files. */
#include <stdlib.h>
#include <string.h>

#include <weighhouse/keep.h>

#include "base/text.h"
#include "place_options.h"

struct telling {
	struct cli *cli;
	json_t *gone;
};

static void tell_gone(void *arg, const char *what)
{
	struct telling *telling = arg;

	cli_say(telling->cli, "%s  %s",
		cli_flag(telling->cli, "dry-run") ? "would go" : "gone",
		cli_escape(what));
	json_array_append_new(telling->gone, json_text(what));
}

static int note_snapshot(void *arg, const struct wh_snapshot *snapshot)
{
	memcpy(arg, snapshot->id, 65);
	return 0;
}

/* A whole id may be of a snapshot that is gone here. What is an alias there is
 * no revision here, unless it can be nothing else: a short id. */
static bool is_snapshot(struct cli *cli, const char *what, char id[WH_ID_SIZE])
{
	uint8_t digest[32];

	snprintf(id, 65, "%s", what);
	if (text_unhex(what, digest, sizeof(digest)))
		return true;
	return strlen(what) >= 4 &&
	       strspn(what, "0123456789abcdef") == strlen(what) &&
	       !wh_snapshot_get(cli->store, what, note_snapshot, id, NULL);
}

static int take_options(struct cli *cli, char *aliases, const char **words,
			struct wh_unpublish_options *options)
{
	const char *grace = cli_text(cli, "grace");

	options->dry_run = cli_flag(cli, "dry-run");
	options->force = cli_flag(cli, "force");
	options->has_grace = grace != NULL;
	if (grace && !wh_duration_parse(grace, &options->grace_s))
		return cli_usage(cli, "--grace: '%s' is no duration as 14d",
				 grace);
	if (!aliases)
		return EXIT_DONE;
	options->aliases = words;
	return split_words(cli, aliases, words);
}

static int remove_it(struct cli *cli, const struct remote *remote,
		     struct wh_unpublish_options *options)
{
	struct telling telling = {.cli = cli, .gone = json_array()};
	char id[WH_ID_SIZE];
	int code = EXIT_DONE;

	if (is_snapshot(cli, cli->args[1], id))
		options->snapshot = id;
	else
		options->alias = cli->args[1];
	options->told = tell_gone;
	options->arg = &telling;
	if (wh_unpublish(cli->store, remote->url, options, &cli->err)) {
		if (options->alias)
			hint_at_aliases(cli, cli->args[0]);
		code = cli_fail(cli);
	} else if (cli_json(cli))
		cli_print_json(json_pack("{s:o,s:o,s:O}", "alias",
					 json_text(options->alias), "snapshot",
					 json_text(options->snapshot), "gone",
					 telling.gone));
	json_decref(telling.gone);
	return code;
}

int cmd_unpublish(struct cli *cli)
{
	const char *given = cli_text(cli, "alias");
	char *aliases = given ? strdup(given) : NULL;
	const char *words[MAX_WORDS];
	struct wh_unpublish_options options = {0};
	struct protected_aliases protected = {0};
	struct remote remote = {0};
	int code = cli_open(cli, WH_OPEN_READ);

	if (!code && given && !aliases)
		code = cli_no_memory(cli);
	if (!code)
		code = remote_find(cli, cli->args[0], &remote);
	if (!code)
		code = place_options_fill(cli, &remote, &options.place);
	if (!code)
		code = take_options(cli, aliases, words, &options);
	if (!code && protected_load(cli, &remote, &protected))
		code = cli_fail(cli);
	options.protected_aliases = protected.words;
	if (!code)
		code = remove_it(cli, &remote, &options);
	protected_free(&protected);
	remote_free(&remote);
	free(aliases);
	return code;
}
