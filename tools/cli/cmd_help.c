/* help, version, formats: wh about itself. */
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
	if (strcmp(cli->args[0], "revisions") == 0) {
		print_revisions_help(stdout);
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
	const struct wh_component *at;
	json_t *row;

	if (!cli_json(cli)) {
		printf("wh %s\n", wh_version());
		for (at = wh_components(); at->name; at++)
			printf("%-12s %-10s %s\n", at->name,
			       *at->version ? at->version : "-", at->use);
		return EXIT_DONE;
	}
	row = json_pack("{s:s}", "wh", wh_version());
	for (at = wh_components(); at->name; at++)
		json_object_set_new(row, at->name,
				    *at->version ? json_string(at->version)
						 : json_null());
	cli_print_json(row);
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
