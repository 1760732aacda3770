/* place_options.h: what publish, pull and save-weights say of a place. */
#ifndef WH_CLI_PLACE_OPTIONS_H
#define WH_CLI_PLACE_OPTIONS_H

#include <weighhouse/publish.h>

#include "cli.h"

/** From the command line. EXIT_DONE, or a usage error told. */
int place_options_fill(struct cli *cli, struct wh_place_options *options);

#define MAX_WORDS 32

/** A comma-separated list as words; `text` is cut up and must be kept. */
int split_words(struct cli *cli, char *text, const char **words);

/** Publishes one revision, and tells about it. */
int cli_publish(struct cli *cli, const char *revision, const char *url);

#endif
