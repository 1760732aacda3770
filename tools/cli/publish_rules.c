/* Publishing after commits: rules of the store, applied by who commits. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/auto.h"
#include "base/error.h"
#include "place_options.h"

#define RULE_TRIES 2 /* of a request: a commit doesn't wait for a server */

/* ---- Storing, listing -----------------------------------------------------
 */

/* One rule for each alias of the command line. */
static int set_rules(struct cli *cli, struct wh_publish_rule *rule,
		     const char **aliases)
{
	for (; *aliases; aliases++) {
		rule->alias = *aliases;
		if (wh_publish_rule_set(cli->store, rule, &cli->err))
			return cli_fail(cli);
		if (rule->revision)
			cli_say(cli,
				"%s is published to %s as '%s' whenever "
				"it changes",
				cli_escape(rule->revision),
				cli_escape(rule->remote),
				cli_escape(rule->alias));
		else
			cli_say(cli,
				"nothing is published to %s as '%s' by "
				"itself any more",
				cli_escape(rule->remote),
				cli_escape(rule->alias));
	}
	return EXIT_DONE;
}

static int check_formats(struct cli *cli, const char *formats)
{
	char *list wh_free_auto = strdup(formats);
	const char *words[MAX_WORDS], **word = words;
	int code = list ? split_words(cli, list, words) : cli_no_memory(cli);

	for (; !code && *word; word++)
		if (!wh_format_by_name(cli->library, *word))
			code = cli_usage(cli, "there is no format '%s'", *word);
	return code;
}

int cli_set_rule(struct cli *cli)
{
	const char *given = cli_text(cli, "alias");
	const char *formats = cli_text(cli, "save-format");
	char *aliases wh_free_auto = strdup(given ? given : "latest");
	char *place wh_free_auto =
		remote_kept(".url", cli->args[cli->n_args - 1]);
	const char *words[MAX_WORDS];
	bool drops = cli_flag(cli, "drop");
	struct wh_publish_rule rule = {
		.remote = place,
		.revision = cli->n_args == 2 && !drops ? cli->args[0] : NULL,
		.formats = formats ? formats : "h5"};
	struct remote remote = {0};
	int code = EXIT_DONE;

	if (drops ? cli->n_args != 1 : cli->n_args != 2)
		return cli_usage(cli, drops ? "--drop takes URL|REMOTE"
					    : "--save takes REV URL|REMOTE");
	code = place ? check_formats(cli, rule.formats) : cli_no_memory(cli);
	if (!code)
		code = split_words(cli, aliases, words);
	if (!code)
		code = cli_open(cli, WH_OPEN_WRITE);
	if (!code && !drops)
		code = remote_find(cli, rule.remote, &remote);
	remote_free(&remote);
	return code ? code : set_rules(cli, &rule, words);
}

static int print_rule(void *arg, const struct wh_publish_rule *rule)
{
	const struct cli *cli = arg;

	if (cli_json(cli))
		cli_print_json(json_pack("{s:o,s:o,s:o,s:o,s:o}", "remote",
					 json_text(rule->remote), "alias",
					 json_text(rule->alias), "revision",
					 json_text(rule->revision), "formats",
					 json_text(rule->formats), "published",
					 json_text(rule->published)));
	else
		printf("%-16s %-16s %-24s %-10s %.12s\n",
		       cli_escape(rule->remote), cli_escape(rule->alias),
		       cli_escape(rule->revision), cli_escape(rule->formats),
		       rule->published ? rule->published : "-");
	return 0;
}

int cli_list_rules(struct cli *cli)
{
	int code = cli_open(cli, WH_OPEN_READ);

	if (code)
		return code;
	return wh_publish_rule_list(cli->store, print_rule, cli, &cli->err)
		       ? cli_fail(cli)
		       : EXIT_DONE;
}

/* ---- Applying -------------------------------------------------------------
 */

struct rule {
	char *remote, *alias, *revision, *formats, *published;
};

struct rules {
	struct rule *rules;
	size_t n;
};

static void rules_free(struct rules *rules)
{
	while (rules->n) {
		struct rule *rule = &rules->rules[--rules->n];

		free(rule->remote);
		free(rule->alias);
		free(rule->revision);
		free(rule->formats);
		free(rule->published);
	}
	free(rules->rules);
}

static int copy_rule(void *arg, const struct wh_publish_rule *from)
{
	struct rules *rules = arg;
	struct rule *longer =
		realloc(rules->rules, (rules->n + 1) * sizeof(*longer));
	struct rule *to;

	if (!longer)
		return 1;
	rules->rules = longer;
	to = &longer[rules->n++];
	to->remote = strdup(from->remote);
	to->alias = strdup(from->alias);
	to->revision = strdup(from->revision);
	to->formats = strdup(from->formats);
	to->published = from->published ? strdup(from->published) : NULL;
	return !to->remote || !to->alias || !to->revision || !to->formats;
}

static int note_snapshot(void *arg, const struct wh_snapshot *snapshot)
{
	memcpy(arg, snapshot->id, 65);
	return 0;
}

static enum wh_status publish_to(struct cli *cli, const struct rule *rule,
				 const struct remote *remote,
				 const char *snapshot, wh_progress_fn *progress)
{
	char *formats wh_free_auto = strdup(rule->formats);
	const char *words[MAX_WORDS], *aliases[] = {rule->alias, NULL};
	struct protected_aliases protected = {0};
	struct wh_publish_options options = {
		.library = cli->library,
		.formats = words,
		.aliases = aliases,
		.progress = progress,
		.warn = cli_warn,
		.arg = cli,
		.remote = *remote->name ? remote->name : NULL};
	enum wh_status status;

	if (!formats || !cut_words(formats, words))
		return wh_fail_memory(&cli->err);
	/* The command line's are about another place: a pull's. */
	place_options_of(remote, &options.place);
	options.place.max_tries = RULE_TRIES;
	status = protected_load(cli, remote, &protected);
	options.protected_aliases = protected.words;
	if (!status)
		status = wh_publish(cli->store, snapshot, remote->url, &options,
				    &cli->err);
	protected_free(&protected);
	cli_progress_end(cli);
	return status;
}

/* A revision that means nothing yet (no metric, no such branch) waits. */
static enum wh_status find_due(struct cli *cli, const struct rule *rule,
			       char snapshot[WH_ID_SIZE], bool *due)
{
	enum wh_status status = wh_snapshot_get(
		cli->store, rule->revision, note_snapshot, snapshot, &cli->err);

	*due = !status &&
	       (!rule->published || strcmp(rule->published, snapshot) != 0);
	return status == WH_ENOTFOUND ? WH_OK : status;
}

static enum wh_status apply(struct cli *cli, const struct rule *rule,
			    wh_progress_fn *progress)
{
	struct wh_publish_rule done = {.remote = rule->remote,
				       .alias = rule->alias};
	struct remote remote = {0};
	char snapshot[WH_ID_SIZE];
	bool due;
	enum wh_status status = find_due(cli, rule, snapshot, &due);

	if (status || !due)
		return status;
	status = remote_load(cli, rule->remote, &remote);
	if (!status)
		status = publish_to(cli, rule, &remote, snapshot, progress);
	remote_free(&remote);
	if (status)
		return status;
	if (!cli_json(cli))
		cli_say(cli, "%.12s is published to %s as '%s'", snapshot,
			cli_escape(rule->remote), cli_escape(rule->alias));
	return wh_publish_rule_done(cli->store, &done, snapshot, &cli->err);
}

static void warn(struct cli *cli, const struct rule *rule)
{
	char *sentence wh_free_auto = NULL;

	if (asprintf(&sentence,
		     "%s was not published to %s as '%s' (the next commit "
		     "tries again): %s",
		     rule->revision, rule->remote, rule->alias,
		     cli->err.message) < 0)
		sentence = NULL;
	cli_warn(cli, sentence ? sentence : cli->err.message);
}

static void warn_of_all(struct cli *cli)
{
	char sentence[sizeof(cli->err.message) + 96];

	snprintf(sentence, sizeof(sentence),
		 "what is to be published was not looked for (the next commit "
		 "tries again): %s",
		 cli->err.message);
	cli_warn(cli, sentence);
}

void cli_apply_publish_rules(struct cli *cli, wh_progress_fn *progress)
{
	struct rules rules = {0};
	enum wh_status status = WH_OK;
	size_t i;

	if (wh_publish_rule_list(cli->store, copy_rule, &rules, &cli->err))
		warn_of_all(cli);
	for (i = 0; i < rules.n && status != WH_ECANCELLED; i++) {
		status = apply(cli, &rules.rules[i], progress);
		if (status)
			warn(cli, &rules.rules[i]);
	}
	rules_free(&rules);
}

bool cli_publishing_is_due(struct cli *cli)
{
	struct rules rules = {0};
	char snapshot[WH_ID_SIZE];
	bool due = wh_publish_rule_list(cli->store, copy_rule, &rules,
					&cli->err) != WH_OK;
	size_t i;

	for (i = 0; i < rules.n && !due; i++)
		if (find_due(cli, &rules.rules[i], snapshot, &due))
			due = true;
	rules_free(&rules);
	return due;
}
