/* complete: the table as bash, zsh and fish want it.
 *
 * Words: verbs, then a verb's options and those of all verbs; after an option
 * with choices, these; where a verb takes a revision, the store's names (by
 * `wh complete names`); files otherwise.
 */
#include <string.h>

#include "cli.h"

static bool takes_revision(const struct verb *verb)
{
	return strstr(verb->arguments, "REV") || strchr(verb->arguments, 'B') ||
	       strstr(verb->arguments, "NAME");
}

/* A word of `a|b|c` at a time; the end is NULL. */
static const char *next_choice(const char *at, int *len)
{
	if (!at || !*at)
		return NULL;
	*len = (int)strcspn(at, "|");
	return at;
}

static void print_choices(const char *choices)
{
	int len;

	while ((choices = next_choice(choices, &len))) {
		printf("%.*s ", len, choices);
		choices += len + (choices[len] == '|');
	}
}

/* ---- bash ------------------------------------------------------------------
 */

static void bash_words(const struct option *option)
{
	for (; option->name; option++)
		printf("--%s ", option->name);
}

static void bash_verb(const struct verb *verb)
{
	printf("\t%s%s%s)\n\t\toptions='", verb->name, verb->alias ? "|" : "",
	       verb->alias ? verb->alias : "");
	bash_words(verb->options);
	printf("'\n");
	if (verb->run == cmd_help)
		puts("\t\twords=$verbs");
	else if (takes_revision(verb))
		puts("\t\twords=$(wh complete names 2>/dev/null)");
	else if (strcmp(verb->arguments, verb->name) != 0 &&
		 verb->arguments[0] >= 'a' && verb->arguments[0] <= 'z') {
		printf("\t\twords='");
		print_choices(verb->arguments);
		puts("'");
	}
	puts("\t\t;;");
}

static void bash_values(const char *verb, const struct option *option)
{
	for (; option->name; option++) {
		if (option->kind == OPTION_FLAG)
			continue;
		printf("\t%s,--%s", verb, option->name);
		if (option->letter)
			printf("|%s,-%c", verb, option->letter);
		printf(") values='");
		if (option->kind == OPTION_CHOICE)
			print_choices(option->value);
		puts("' ;;");
	}
}

static void bash_globals(void)
{
	const struct option *option;

	for (option = global_options; option->name; option++) {
		if (!option->value)
			continue;
		if (option->letter)
			printf("-%c|", option->letter);
		printf("--%s|", option->name);
	}
	puts("=) ((i++)) ;;");
}

static void complete_bash(void)
{
	const struct verb *verb;

	printf("# bash completion for wh: made by `wh complete bash`\n"
	       "_wh() {\n"
	       "\tlocal cur=${COMP_WORDS[COMP_CWORD]} verb= i words=\n"
	       "\tlocal prev=${COMP_WORDS[COMP_CWORD-1]} options= values "
	       "verbs='");
	for (verb = verbs; verb->name; verb++)
		printf("%s ", verb->name);
	puts("'\n\tfor ((i = 1; i < COMP_CWORD; i++)); do\n"
	     "\t\tcase ${COMP_WORDS[i]} in");
	printf("\t\t");
	bash_globals();
	puts("\t\t-*) ;;\n\t\t*) verb=${COMP_WORDS[i]}; break ;;\n"
	     "\t\tesac\n\tdone\n"
	     "\tif [[ $cur == '=' ]]; then cur=\n"
	     "\telif [[ $prev == '=' ]]; then "
	     "prev=${COMP_WORDS[COMP_CWORD-2]}; fi\n"
	     "\tcase $verb,$prev in");
	for (verb = verbs; verb->name; verb++) {
		bash_values(verb->name, verb->options);
		if (verb->alias)
			bash_values(verb->alias, verb->options);
	}
	bash_values("*", global_options);
	puts("\tesac\n\tif [[ -v values ]]; then\n"
	     "\t\tmapfile -t COMPREPLY < <(compgen -W \"$values\" -- \"$cur\")"
	     "\n\t\treturn\n\tfi\n\tcase $verb in\n\t'') words=$verbs ;;");
	for (verb = verbs; verb->name; verb++)
		bash_verb(verb);
	printf("\tesac\n\t[[ $cur == -* ]] && words=\"$options ");
	bash_words(global_options);
	puts("\"\n\tmapfile -t COMPREPLY < <(compgen -W \"$words\" -- "
	     "\"$cur\")\n}\ncomplete -o default -F _wh wh");
}

/* ---- zsh -------------------------------------------------------------------
 */

/* In '…', where zsh gives a meaning to brackets and colons. */
static void zsh_text(const char *text)
{
	for (; *text; text++) {
		if (*text == '\'')
			printf("'\\'");
		else if (strchr("[]:\\", *text))
			putchar('\\');
		putchar(*text);
	}
}

static void zsh_option(const struct option *option)
{
	const char *many = option->kind == OPTION_LIST ? "*" : "";

	printf("\t\t\t");
	if (option->letter)
		printf("'%s'{-%c,--%s}'", many, option->letter, option->name);
	else
		printf("'%s--%s", many, option->name);
	printf("[");
	zsh_text(option->help);
	printf("]");
	if (option->kind == OPTION_CHOICE) {
		printf(":value:(");
		print_choices(option->value);
		printf(")");
	} else if (option->value) {
		printf(":");
		zsh_text(option->value);
		printf(":%s",
		       strstr("FILE CSV", option->value) ? "_files" : " ");
	}
	puts("' \\");
}

static void zsh_verb(const struct verb *verb)
{
	const struct option *option;

	printf("\t%s%s%s)\n\t\t_arguments \\\n", verb->name,
	       verb->alias ? "|" : "", verb->alias ? verb->alias : "");
	for (option = verb->options; option->name; option++)
		zsh_option(option);
	for (option = global_options; option->name; option++)
		zsh_option(option);
	if (verb->run == cmd_help)
		puts("\t\t\t'1:verb:->verbs' ;;");
	else if (takes_revision(verb))
		puts("\t\t\t'*:revision or file:_wh_names' ;;");
	else
		puts("\t\t\t'*:file:_files' ;;");
}

static void complete_zsh(void)
{
	const struct verb *verb;

	puts("#compdef wh\n# made by `wh complete zsh`\n"
	     "_wh_names() {\n"
	     "\tlocal -a names=(${(f)\"$(wh complete names 2>/dev/null)\"})\n"
	     "\tcompadd -a names\n\t_files\n}\n"
	     "_wh() {\n\tlocal state\n\tlocal -a verbs=(");
	for (verb = verbs; verb->name; verb++) {
		printf("\t\t'%s:", verb->name);
		zsh_text(verb->summary);
		puts("'");
	}
	puts("\t)\n\tif (( CURRENT == 2 )); then _describe verb verbs; return; "
	     "fi\n\tshift words; (( CURRENT-- ))\n\tcase $words[1] in");
	for (verb = verbs; verb->name; verb++)
		zsh_verb(verb);
	puts("\tesac\n\t[[ $state == verbs ]] && _describe verb verbs\n"
	     "\treturn 0\n}\ncompdef _wh wh");
}

/* ---- fish ------------------------------------------------------------------
 */

static void fish_text(const char *text)
{
	putchar('\'');
	for (; *text; text++) {
		if (strchr("'\\", *text))
			putchar('\\');
		putchar(*text);
	}
	putchar('\'');
}

static void fish_option(const char *condition, const struct option *option)
{
	for (; option->name; option++) {
		printf("complete -c wh %s -l %s", condition, option->name);
		if (option->letter)
			printf(" -s %c", option->letter);
		if (option->kind == OPTION_CHOICE) {
			printf(" -x -a '");
			print_choices(option->value);
			printf("'");
		} else if (option->value) {
			printf(" -r");
		}
		printf(" -d ");
		fish_text(option->help);
		putchar('\n');
	}
}

static void complete_fish(void)
{
	const struct verb *verb;
	char condition[96];

	puts("# fish completion for wh: made by `wh complete fish`");
	fish_option("", global_options);
	for (verb = verbs; verb->name; verb++) {
		printf("complete -c wh -f -n __fish_use_subcommand -a %s -d ",
		       verb->name);
		fish_text(verb->summary);
		putchar('\n');
		snprintf(condition, sizeof(condition),
			 "-n '__fish_seen_subcommand_from %s%s%s'", verb->name,
			 verb->alias ? " " : "",
			 verb->alias ? verb->alias : "");
		fish_option(condition, verb->options);
		if (takes_revision(verb))
			printf("complete -c wh %s -a "
			       "'(wh complete names 2>/dev/null)'\n",
			       condition);
	}
}

/* ---- Names of the store ----------------------------------------------------
 */

static int print_name(void *arg, const struct wh_ref *ref)
{
	(void)arg;
	puts(cli_escape(ref->name));
	return 0;
}

static int complete_names(struct cli *cli)
{
	int code = cli_open(cli, WH_OPEN_READ);

	if (code)
		return code;
	puts("HEAD");
	if (wh_branch_list(cli->store, print_name, NULL, &cli->err) ||
	    wh_tag_list(cli->store, print_name, NULL, &cli->err))
		return cli_fail(cli);
	return EXIT_DONE;
}

int cmd_complete(struct cli *cli)
{
	const char *what = cli->args[0];

	if (strcmp(what, "names") == 0)
		return complete_names(cli);
	if (strcmp(what, "bash") == 0)
		complete_bash();
	else if (strcmp(what, "zsh") == 0)
		complete_zsh();
	else if (strcmp(what, "fish") == 0)
		complete_fish();
	else
		return cli_usage(cli, "it knows bash, zsh and fish, not '%s'",
				 what);
	return EXIT_DONE;
}
