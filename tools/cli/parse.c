/* Words into verb, options and arguments. */
#include <stdlib.h>
#include <string.h>

#include "base/nearest.h"
#include "base/text.h"
#include "cli.h"

const struct verb *verb_find(const char *name)
{
	const struct verb *verb;

	for (verb = verbs; verb->name; verb++)
		if (strcmp(verb->name, name) == 0 ||
		    (verb->alias && strcmp(verb->alias, name) == 0))
			return verb;
	return NULL;
}

int unknown_verb(struct cli *cli, const char *word)
{
	const struct habit *habit;
	const struct verb *verb;
	struct nearest nearest;

	for (habit = habits; habit->word; habit++)
		if (strcmp(habit->word, word) == 0)
			return cli_usage(cli,
					 "there is no verb '%s'; here it is "
					 "%s",
					 word, habit->here);
	nearest_begin(&nearest, word);
	for (verb = verbs; verb->name; verb++) {
		nearest_offer(&nearest, verb->name);
		if (verb->alias)
			nearest_offer(&nearest, verb->alias);
	}
	if (*nearest.name)
		return cli_usage(cli,
				 "there is no verb '%s'; did you mean '%s'?",
				 word, nearest.name);
	return cli_usage(cli, "there is no verb '%s'; see 'wh help'", word);
}

static const struct option *find_in(const struct option *options,
				    const char *name, size_t len, char letter)
{
	for (; options && options->name; options++) {
		if (letter ? options->letter == letter
			   : strlen(options->name) == len &&
				     memcmp(options->name, name, len) == 0)
			return options;
	}
	return NULL;
}

static const struct option *find_option(const struct cli *cli, const char *name,
					size_t len, char letter)
{
	const struct option *found =
		cli->verb ? find_in(cli->verb->options, name, len, letter)
			  : NULL;

	return found ? found : find_in(global_options, name, len, letter);
}

struct words {
	char **at;
	int left;
};

static int unknown_option(struct cli *cli, const char *word)
{
	const struct option *lists[] = {cli->verb ? cli->verb->options : NULL,
					global_options};
	char name[NEAREST_SIZE];
	struct nearest nearest;
	size_t i;

	snprintf(name, sizeof(name), "%.*s", (int)strcspn(word, "="), word);
	nearest_begin(&nearest, name + strspn(name, "-"));
	for (i = 0; i < 2; i++) {
		const struct option *at;

		for (at = lists[i]; at && at->name; at++)
			nearest_offer(&nearest, at->name);
	}
	if (strncmp(word, "--", 2) == 0 && *nearest.name)
		return cli_usage(cli,
				 "there is no option '%s'; did you mean "
				 "'--%s'?",
				 name, nearest.name);
	return cli_usage(cli, "there is no option '%s'", name);
}

/* Whether `value` is one of "a|b|c". */
static bool is_choice(const char *choices, const char *value)
{
	size_t len = strlen(value);

	for (; choices; choices = strchr(choices, '|')) {
		choices += *choices == '|';
		if (strncmp(choices, value, len) == 0 &&
		    (choices[len] == '|' || !choices[len]))
			return true;
	}
	return false;
}

static int keep(struct cli *cli, const struct option *option, const char *value)
{
	int64_t number;

	if (cli->n_given == MAX_GIVEN)
		return cli_usage(cli, "too many options");
	if (option->kind == OPTION_INTEGER && !text_to_i64(value, &number))
		return cli_usage(cli, "--%s: '%s' is no whole number",
				 option->name, value);
	if (option->kind == OPTION_COUNT &&
	    (!text_to_i64(value, &number) || number < 0))
		return cli_usage(cli,
				 "--%s: '%s' is no whole number of at least 0",
				 option->name, value);
	if (option->kind == OPTION_CHOICE && !is_choice(option->value, value))
		return cli_usage(cli, "--%s is %s, not '%s'", option->name,
				 option->value, value);
	cli->given[cli->n_given++] = (struct given){option, value};
	return EXIT_DONE;
}

/* --name, --name=value, --name value */
static int take_long(struct cli *cli, const char *word, struct words *rest)
{
	const char *equals = strchr(word, '=');
	size_t len = equals ? (size_t)(equals - word - 2) : strlen(word + 2);
	const struct option *option = find_option(cli, word + 2, len, 0);

	if (!option)
		return unknown_option(cli, word);
	if (option->kind == OPTION_FLAG) {
		if (equals)
			return cli_usage(cli, "--%s takes no value",
					 option->name);
		return keep(cli, option, "");
	}
	if (equals)
		return keep(cli, option, equals + 1);
	if (!rest->left)
		return cli_usage(cli, "--%s needs a value", option->name);
	rest->left--;
	return keep(cli, option, *rest->at++);
}

/* "-3", as in git's log: -n 3, where there is a -n that counts. */
static const struct option *find_count(const struct cli *cli, const char *word)
{
	const struct option *option = find_option(cli, NULL, 0, 'n');

	return option && option->kind == OPTION_COUNT &&
			       strspn(word, "0123456789") == strlen(word)
		       ? option
		       : NULL;
}

/* -v, -qv, -n20, -n 20, -20 */
static int take_short(struct cli *cli, const char *word, struct words *rest)
{
	const struct option *count = find_count(cli, word + 1);
	const char *letter;

	if (count)
		return keep(cli, count, word + 1);
	for (letter = word + 1; *letter; letter++) {
		const struct option *option =
			find_option(cli, NULL, 0, *letter);
		int code;

		if (!option)
			return unknown_option(cli, word);
		if (option->kind == OPTION_FLAG) {
			code = keep(cli, option, "");
			if (code)
				return code;
			continue;
		}
		if (letter[1])
			return keep(cli, option, letter + 1);
		if (!rest->left)
			return cli_usage(cli, "-%c needs a value", *letter);
		rest->left--;
		return keep(cli, option, *rest->at++);
	}
	return EXIT_DONE;
}

static int take_word(struct cli *cli, char *word, struct words *rest)
{
	if (strncmp(word, "--", 2) == 0)
		return take_long(cli, word, rest);
	if (word[0] == '-' && word[1])
		return take_short(cli, word, rest);
	if (cli->verb) {
		cli->args[cli->n_args++] = word;
		return EXIT_DONE;
	}
	cli->verb = verb_find(word);
	if (cli->verb)
		return EXIT_DONE;
	return unknown_verb(cli, word);
}

static bool is_exec(const struct cli *cli)
{
	return cli->verb && cli->verb->run == cmd_run && cli->n_args &&
	       strcmp(cli->args[0], "exec") == 0;
}

/* After `--`: tensors for log and diff, the command for run exec, plain
 * arguments for the others. */
static void take_rest(struct cli *cli, struct words *rest)
{
	bool globs = cli->verb &&
		     (cli->verb->run == cmd_log || cli->verb->run == cmd_diff);

	if (is_exec(cli)) {
		cli->command = rest->at;
		cli->n_command = rest->left;
		return;
	}
	for (; rest->left; rest->left--, rest->at++) {
		if (globs)
			cli->globs[cli->n_globs++] = *rest->at;
		else
			cli->args[cli->n_args++] = *rest->at;
	}
}

static int check_count(struct cli *cli)
{
	const struct verb *verb = cli->verb;

	if (cli_flag(cli, "help") || cli_flag(cli, "version"))
		return EXIT_DONE;
	if (cli->n_args < verb->min)
		return cli_usage(cli, "it takes %s", verb->arguments);
	if (verb->max >= 0 && cli->n_args > verb->max)
		return cli_usage(cli, "'%s' is one argument too many",
				 cli->args[verb->max]);
	return EXIT_DONE;
}

/* Looked for first: also what is wrong with an earlier word is told as JSON. */
static bool holds_json(int n_words, char **words)
{
	int i;

	for (i = 0; i < n_words && strcmp(words[i], "--") != 0; i++)
		if (strcmp(words[i], "--json") == 0)
			return true;
	return false;
}

int cli_parse(struct cli *cli, int n_words, char **words)
{
	struct words rest = {words, n_words};

	cli->args = calloc((size_t)n_words + 1, sizeof(*cli->args));
	cli->globs = calloc((size_t)n_words + 1, sizeof(*cli->globs));
	if (!cli->args || !cli->globs)
		return cli_no_memory(cli);
	cli->wants_json = holds_json(n_words, words);
	while (rest.left) {
		char *word = *rest.at++;
		int code;

		rest.left--;
		if (strcmp(word, "--") == 0) {
			take_rest(cli, &rest);
			break;
		}
		code = take_word(cli, word, &rest);
		if (code)
			return code;
	}
	return cli->verb ? check_count(cli) : EXIT_DONE;
}

/* The last one given counts. */
static const struct given *find_given(const struct cli *cli, const char *name)
{
	int i;

	for (i = cli->n_given; i > 0; i--)
		if (strcmp(cli->given[i - 1].option->name, name) == 0)
			return &cli->given[i - 1];
	return NULL;
}

bool cli_flag(const struct cli *cli, const char *name)
{
	return find_given(cli, name) != NULL;
}

const char *cli_text(const struct cli *cli, const char *name)
{
	const struct given *given = find_given(cli, name);

	return given ? given->value : NULL;
}

bool cli_is(const struct cli *cli, const char *name, const char *value)
{
	const char *text = cli_text(cli, name);

	return text && strcmp(text, value) == 0;
}

bool cli_integer(const struct cli *cli, const char *name, int64_t *value)
{
	const char *text = cli_text(cli, name);

	return text && text_to_i64(text, value);
}

const char *cli_next(const struct cli *cli, const char *name, int *at)
{
	for (; *at < cli->n_given; ++*at)
		if (strcmp(cli->given[*at].option->name, name) == 0)
			return cli->given[(*at)++].value;
	return NULL;
}
