/* load-weights: a snapshot's values into a checkpoint that is there already,
 * by the matching rules of Keras and TensorFlow. */
#include <stdlib.h>
#include <string.h>

#include "cli.h"

static const char *const rules[] = {"auto", "layers", "names", "objects"};

static int take_rule(struct cli *cli, struct wh_load_weights_options *options)
{
	const char *rule = cli_text(cli, "match");
	size_t i;

	for (i = 0; rule && i < sizeof(rules) / sizeof(rules[0]); i++)
		if (strcmp(rule, rules[i]) == 0)
			options->matching = (enum wh_matching)i;
	if (cli_flag(cli, "by-name")) {
		if (rule && options->matching != WH_MATCH_NAMES)
			return cli_usage(cli,
					 "--by-name and --match %s exclude "
					 "each other",
					 rule);
		options->matching = WH_MATCH_NAMES;
	}
	return EXIT_DONE;
}

static int take_assertion(struct cli *cli,
			  struct wh_load_weights_options *options)
{
	int n = 0;

	if (cli_flag(cli, "assert-consumed") && ++n)
		options->assertion = WH_ASSERT_CONSUMED;
	if (cli_flag(cli, "assert-existing-objects-matched") && ++n)
		options->assertion = WH_ASSERT_EXISTING_OBJECTS_MATCHED;
	if (cli_flag(cli, "expect-partial") && ++n)
		options->assertion = WH_EXPECT_PARTIAL;
	if (n > 1)
		return cli_usage(cli, "--assert-consumed, "
				      "--assert-existing-objects-matched and "
				      "--expect-partial exclude each other");
	return EXIT_DONE;
}

static void tell(struct cli *cli, const struct wh_loaded *loaded,
		 const struct wh_saved *saved)
{
	json_t *row;

	if (!cli_json(cli)) {
		cli_say(cli, "%s loaded, %u kept, %u unused  %s",
			cli_count(loaded->n_loaded, "weight"), loaded->n_kept,
			loaded->n_unused, cli_escape(cli_text(cli, "into")));
		return;
	}
	row = json_object();
	json_object_set_new(row, "match", json_text(rules[loaded->matching]));
	json_object_set_new(row, "loaded", json_integer(loaded->n_loaded));
	json_object_set_new(row, "kept", json_integer(loaded->n_kept));
	json_object_set_new(row, "unused", json_integer(loaded->n_unused));
	json_object_set_new(row, "skipped", json_integer(loaded->n_skipped));
	json_object_set_new(row, "format", json_text(saved->format));
	json_object_set_new(row, "files",
			    saved_files_json(saved->files, saved->n_files));
	cli_print_json(row);
}

static int load(struct cli *cli, const char *path,
		const struct wh_load_weights_options *options)
{
	const char *revision = cli->n_args ? cli->args[0] : "HEAD";
	struct wh_save_options saving = {.progress = cli_progress,
					 .arg = cli,
					 .verify = cli_flag(cli, "verify"),
					 .digests = cli_json(cli)};
	struct wh_source *source = NULL;
	struct wh_loaded loaded = {0};
	struct wh_saved saved = {0};
	enum wh_status status;
	int64_t threads;
	int code = cli_source(cli, revision, &source);

	if (code)
		return code;
	if (cli_integer(cli, "threads", &threads) && threads > 0)
		saving.threads = (unsigned)threads;
	cli->subject = path;
	status = wh_load_into(source, path, options, &saving, &loaded, &saved,
			      &cli->err);
	wh_source_close(source);
	if (status) {
		int failed = cli_fail(cli);

		/* Nobody has to wait: what doesn't fit will not fit later. */
		return status == WH_EMISMATCH ? EXIT_FAILED : failed;
	}
	tell(cli, &loaded, &saved);
	wh_saved_free(&saved);
	return EXIT_DONE;
}

int cmd_load_weights(struct cli *cli)
{
	struct wh_checkpoint_options checkpoint = {
		.experimental_io_device = cli_text(cli, "io-device"),
		.experimental_skip_slot_variables =
			cli_flag(cli, "skip-slot-variables")};
	struct wh_load_weights_options options = {
		.skip_mismatch = cli_flag(cli, "skip-mismatch"),
		.cast = cli_flag(cli, "cast"),
		.options = &checkpoint,
		.library = cli->library,
		.isolation = cli_load_options(cli).isolation,
		.warn = cli_warn,
		.progress = cli_progress,
		.arg = cli};
	const char *path = cli_text(cli, "into");
	const char *config = cli_text(cli, "model-config");
	const char *map = cli_text(cli, "map");
	char *text = NULL, *map_text = NULL;
	int code;

	if (!path)
		return cli_usage(cli, "it needs --into FILE");
	code = take_rule(cli, &options);
	if (!code)
		code = take_assertion(cli, &options);
	if (!code && config)
		code = cli_read_text(cli, "model-config", config, &text);
	if (!code && map)
		code = cli_read_text(cli, "map", map, &map_text);
	options.model_config = text;
	options.map = map_text;
	if (!code)
		code = load(cli, path, &options);
	free(text);
	free(map_text);
	return code;
}
