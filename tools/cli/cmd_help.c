/* help, version, formats, complete: wh about itself. */
#include <string.h>

#include <weighhouse/version.h>

#include "cli.h"

int cmd_help(struct cli *cli)
{
	const struct verb *verb;

	if (!cli->n_args) {
		verbs_help(stdout);
		return EXIT_DONE;
	}
	verb = verb_find(cli->args[0]);
	if (!verb)
		return unknown_verb(cli, cli->args[0]);
	verb_help(verb, stdout);
	return EXIT_DONE;
}

int cmd_version(struct cli *cli)
{
	if (cli_json(cli))
		cli_print_json(json_pack("{s:s,s:s}", "wh", wh_version(),
					 "jansson", JANSSON_VERSION));
	else
		printf("wh %s\n", wh_version());
	return EXIT_DONE;
}

static json_t *format_json(const struct wh_format *format)
{
	json_t *row = json_object(), *suffixes = json_array();
	const char *const *at;

	for (at = format->suffixes; *at; at++)
		json_array_append_new(suffixes, json_text(*at));
	json_object_set_new(row, "name", json_text(format->name));
	json_object_set_new(row, "summary", json_text(format->summary));
	json_object_set_new(row, "reads", json_boolean(format->load != NULL));
	json_object_set_new(row, "writes", json_boolean(format->plan != NULL));
	json_object_set_new(row, "suffixes", suffixes);
	json_object_set_new(row, "missing", json_text(format->missing));
	return row;
}

int cmd_formats(struct cli *cli)
{
	const struct wh_format *const *at;

	for (at = wh_formats(cli->library); *at; at++) {
		if (cli_json(cli)) {
			cli_print_json(format_json(*at));
			continue;
		}
		printf("%-12s %s%s  %s\n", (*at)->name, (*at)->load ? "r" : "-",
		       (*at)->plan ? "w" : "-", (*at)->summary);
		if ((*at)->missing)
			printf("%-16s %s\n", "", (*at)->missing);
	}
	return EXIT_DONE;
}

static void complete_bash(void)
{
	const struct verb *verb;
	const struct option *option;

	puts("# bash completion for wh\n_wh() {\n\tlocal words");
	puts("\tcase ${COMP_WORDS[1]} in");
	for (verb = verbs; verb->name; verb++) {
		printf("\t%s) words='", verb->name);
		for (option = verb->options; option->name; option++)
			printf("--%s ", option->name);
		for (option = global_options; option->name; option++)
			printf("--%s ", option->name);
		puts("' ;;");
	}
	puts("\t*) words='' ;;\n\tesac");
	puts("\tif [ \"$COMP_CWORD\" = 1 ]; then");
	printf("\t\twords='");
	for (verb = verbs; verb->name; verb++)
		printf("%s ", verb->name);
	puts("'\n\tfi");
	puts("\tmapfile -t COMPREPLY < <(compgen -W \"$words\" -- "
	     "\"${COMP_WORDS[COMP_CWORD]}\")");
	puts("}\ncomplete -o default -F _wh wh");
}

static void complete_zsh(void)
{
	const struct verb *verb;

	puts("#compdef wh\nlocal -a verbs\nverbs=(");
	for (verb = verbs; verb->name; verb++)
		printf("\t\"%s:%s\"\n", verb->name, verb->summary);
	puts(")\nif (( CURRENT == 2 )); then _describe verb verbs\n"
	     "else _arguments '*:file:_files'; fi");
}

static void complete_fish(void)
{
	const struct verb *verb;
	const struct option *option;

	for (verb = verbs; verb->name; verb++) {
		printf("complete -c wh -n __fish_use_subcommand -a %s -d "
		       "\"%s\"\n",
		       verb->name, verb->summary);
		for (option = verb->options; option->name; option++)
			printf("complete -c wh -n "
			       "'__fish_seen_subcommand_from %s' -l %s -d "
			       "\"%s\"\n",
			       verb->name, option->name, option->help);
	}
}

int cmd_complete(struct cli *cli)
{
	const char *shell = cli->args[0];

	if (strcmp(shell, "bash") == 0)
		complete_bash();
	else if (strcmp(shell, "zsh") == 0)
		complete_zsh();
	else if (strcmp(shell, "fish") == 0)
		complete_fish();
	else
		return cli_usage(cli, "it knows bash, zsh and fish, not '%s'",
				 shell);
	return EXIT_DONE;
}
