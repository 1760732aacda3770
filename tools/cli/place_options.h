/* place_options.h: what publish, pull and save-weights say of a place. */
#ifndef WH_CLI_PLACE_OPTIONS_H
#define WH_CLI_PLACE_OPTIONS_H

#include <weighhouse/publish.h>

#include "cli.h"

#define REMOTE_NAME_SIZE 65 /* with the NUL */

/** A place by its URL or by a remote's name. The texts are owned: free them
 *  with remote_free. */
struct remote {
	char *url, *profile, *endpoint, *token_env, *token_file, *protect;
	char name[REMOTE_NAME_SIZE]; /* "" for a URL */
};

/** `name` may be a URL, or with a path below the remote's: "lab:resnet". A
 *  remote's name needs the open store. EXIT_DONE, or
 *  what is wrong, told. */
int remote_find(struct cli *cli, const char *name, struct remote *remote);
/** The same, with what is wrong in cli->err. */
enum wh_status remote_load(struct cli *cli, const char *name,
			   struct remote *remote);
void remote_free(struct remote *remote);

/** How a setting is kept: a path of a remote's URL (file:) or token file as an
 *  absolute one, since other commands are run in other folders. malloc'd. */
char *remote_kept(const char *key, const char *value);

/** Whether `text` is the name of a remote, by its form. */
bool remote_is_name(const char *text);
/** The same, or such a name with ":PATH" behind it. */
bool remote_is_path(const char *text);

/** As the remote's settings say alone. */
void place_options_of(const struct remote *remote,
		      struct wh_place_options *options);

/** And as the command line says. EXIT_DONE, or a usage error told. */
int place_options_fill(struct cli *cli, const struct remote *remote,
		       struct wh_place_options *options);

#define MAX_WORDS 32

/** A comma-separated list as words; `text` is cut up and must be kept. */
int split_words(struct cli *cli, char *text, const char **words);
/** The same; the number of words, which may be none. */
int cut_words(char *text, const char **words);

/** Aliases that only --force moves or removes: the remote's, and those of the
 *  setting `protected-aliases`. */
struct protected_aliases {
	char *texts[2]; /* owned, cut up */
	const char *words[2 * MAX_WORDS];
};
enum wh_status protected_load(struct cli *cli, const struct remote *remote,
			      struct protected_aliases *aliases);
void protected_free(struct protected_aliases *aliases);

/** remote_ask.c: `wh remote ls NAME` and `wh remote test NAME`. */
int cli_list_aliases(struct cli *cli, const char *name);
int cli_test_place(struct cli *cli, const char *name);

/** After WH_ENOTFOUND for an alias: the next step is to list them. */
void hint_at_aliases(struct cli *cli, const char *place);

/** publish_rules.c: `wh publish` with --save, --drop or --policies. */
int cli_set_rule(struct cli *cli);
int cli_list_rules(struct cli *cli);

/** Publishes one revision to a URL or remote, and tells about it. */
int cli_publish(struct cli *cli, const char *revision, const char *url);

#endif
