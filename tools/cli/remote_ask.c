/* remote ls, remote test: what a place says of itself. */
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/error.h"
#include "place_options.h"

/* A place, by a remote's name or a URL, that is about to be asked. */
struct asked {
	struct remote remote;
	struct wh_place_options options;
};

/* A name needs the store; a URL doesn't, so that readers who have none can
 * ask. */
static int find_place(struct cli *cli, const char *name, struct asked *asked)
{
	int code = wh_is_place(name) ? EXIT_DONE : cli_open(cli, WH_OPEN_READ);

	if (!code)
		code = remote_find(cli, name, &asked->remote);
	if (!code)
		code = place_options_fill(cli, &asked->remote, &asked->options);
	return code;
}

/* ---- Aliases --------------------------------------------------------------
 */

/* "2026-11-25T18:00:00Z" as a table shows times; what isn't one, as it is. */
static const char *shown_time(const char *text)
{
	struct tm utc = {0};
	const char *end = strptime(text, "%Y-%m-%dT%H:%M:%SZ", &utc);

	return end && !*end ? cli_time(timegm(&utc)) : cli_escape(text);
}

static void tell_unlisted(void *arg, const char *reason)
{
	struct cli *cli = arg;
	char sentence[WH_ERROR_SIZE + 64];

	snprintf(sentence, sizeof(sentence), "%s: %s", reason,
		 cli->store ? "'latest' and those on record were looked for"
			    : "only 'latest' was looked for");
	cli_warn(cli, sentence);
}

static int print_alias(void *arg, const struct wh_place_alias *alias)
{
	struct cli *cli = arg;

	if (cli_json(cli))
		cli_print_json(json_pack("{s:o,s:o,s:o}", "alias",
					 json_text(alias->alias), "snapshot",
					 json_text(alias->snapshot), "time",
					 json_text(alias->time)));
	else if (!alias->snapshot)
		printf("%-16s (no snapshot)\n", cli_escape(alias->alias));
	else
		printf("%-16s %.12s  %s\n", cli_escape(alias->alias),
		       alias->snapshot,
		       alias->time ? shown_time(alias->time) : "");
	return cli_interrupted();
}

struct known {
	const char **names; /* owned, and each of them; NULL-terminated */
	size_t n;
	bool failed;
};

static int note_names(void *arg, const struct wh_publication *publication)
{
	struct known *known = arg;
	size_t i;

	for (i = 0; i < publication->n_aliases && !known->failed; i++) {
		const struct wh_publication_alias *alias =
			&publication->aliases[i];
		const char **more =
			reallocarray(known->names, known->n + 2, sizeof(*more));

		known->failed = !more;
		if (!more)
			break;
		known->names = more;
		more[known->n] = strdup(alias->alias);
		known->failed = !more[known->n];
		known->n += more[known->n] != NULL;
		more[known->n] = NULL;
	}
	return known->failed;
}

static void known_free(struct known *known)
{
	while (known->n)
		free((char *)(uintptr_t)known->names[--known->n]);
	free(known->names);
}

static enum wh_status list_aliases(struct cli *cli, const struct asked *asked,
				   struct known *known)
{
	struct wh_alias_options options = {.place = asked->options,
					   .warn = tell_unlisted,
					   .told = print_alias,
					   .arg = cli};

	if (cli->store)
		WH_TRY(wh_published_list(cli->store, asked->remote.url,
					 note_names, known, &cli->err));
	if (known->failed)
		return wh_fail_memory(&cli->err);
	options.known = known->names;
	return wh_place_aliases(asked->remote.url, &options, &cli->err);
}

void hint_at_aliases(struct cli *cli, const char *place)
{
	if (cli->err.status == WH_ENOTFOUND)
		snprintf(cli->hint, sizeof(cli->hint),
			 "'wh remote ls %.200s' lists what is",
			 cli_escape(place));
}

int cli_list_aliases(struct cli *cli, const char *name)
{
	struct asked asked = {0};
	struct known known = {0};
	int code = find_place(cli, name, &asked);

	if (!code && list_aliases(cli, &asked, &known))
		code = cli_fail(cli);
	known_free(&known);
	remote_free(&asked.remote);
	return code ? code : cli_interrupted() ? EXIT_INTERRUPTED : EXIT_DONE;
}

/* ---- What it can do -------------------------------------------------------
 */

struct testing {
	struct cli *cli;
	json_t *checks;
};

static void tell_check(void *arg, const char *check, int answer,
		       const char *detail)
{
	static const char *const words[] = {"-", "no", "yes"};
	struct testing *testing = arg;

	json_array_append_new(
		testing->checks,
		json_pack("{s:o,s:o,s:o}", "check", json_text(check), "ok",
			  answer < 0 ? json_null() : json_boolean(answer),
			  "detail", json_text(detail)));
	if (!cli_json(testing->cli))
		printf("%-12s %-4s %s\n", check, words[answer + 1],
		       cli_escape(detail));
}

int cli_test_place(struct cli *cli, const char *name)
{
	struct testing testing = {.cli = cli, .checks = json_array()};
	struct asked asked = {0};
	int code = find_place(cli, name, &asked);

	if (!code && wh_place_test(asked.remote.url, &asked.options, tell_check,
				   &testing, &cli->err))
		code = cli_fail(cli);
	if (json_array_size(testing.checks) && cli_json(cli))
		cli_print_json(json_pack(
			"{s:o,s:o,s:b,s:O}", "remote", json_text(name), "url",
			json_text(asked.remote.url), "ok", code == EXIT_DONE,
			"checks", testing.checks));
	json_decref(testing.checks);
	remote_free(&asked.remote);
	return code;
}
