/* What save-weights and convert have in common. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <unistd.h>

#include "base/text.h"
#include "cli.h"

#define MAX_CONFIG (64 << 20) /* bytes of a model's to_json() */

/* Keras's own question, and its answers: FORMAT-HDF5.md, section 2. */
static bool ask(const char *path, void *arg)
{
	char line[64];
	char *at, *end;

	(void)arg;
	if (!isatty(STDIN_FILENO))
		return false;
	printf("[WARNING] %s already exists - overwrite? [y/n]",
	       cli_escape(path));
	for (;;) {
		fflush(stdout);
		if (!fgets(line, sizeof(line), stdin))
			return false;
		at = line + strspn(line, " \t");
		end = at + strcspn(at, " \t\r\n");
		*end = '\0';
		if (strcasecmp(at, "y") == 0)
			break;
		if (strcasecmp(at, "n") == 0)
			return false;
		printf("Enter \"y\" (overwrite) or \"n\" (cancel).");
	}
	printf("[TIP] Next time specify overwrite=True!\n");
	return true;
}

static int read_config(struct cli *cli, const char *path, char **text)
{
	FILE *file = fopen(path, "rb");
	size_t size = 0;

	if (!file)
		return cli_usage(cli, "--model-config %s: %s", path,
				 strerror(errno));
	*text = malloc(MAX_CONFIG + 1);
	if (*text)
		size = fread(*text, 1, MAX_CONFIG, file);
	fclose(file);
	if (!*text)
		return EXIT_FAILED;
	(*text)[size] = '\0';
	return EXIT_DONE;
}

static int take_choices(struct cli *cli, struct save_request *request)
{
	const char *root = cli_text(cli, "root");
	const char *bfloat16 = cli_text(cli, "bfloat16");

	if (root && strcmp(root, "checkpoint") == 0)
		request->options.plan.root = WH_ROOT_CHECKPOINT;
	else if (root && strcmp(root, "model") != 0)
		return cli_usage(cli, "--root is model or checkpoint, not '%s'",
				 root);
	if (bfloat16 && strcmp(bfloat16, "opaque") == 0)
		request->options.plan.bfloat16_opaque = true;
	else if (bfloat16 && strcmp(bfloat16, "widen") != 0)
		return cli_usage(cli, "--bfloat16 is widen or opaque, not '%s'",
				 bfloat16);
	return EXIT_DONE;
}

int save_request_fill(struct cli *cli, struct save_request *request)
{
	struct wh_save_options *options = &request->options;
	const char *config = cli_text(cli, "model-config");
	int64_t number;
	int code;

	memset(request, 0, sizeof(*request));
	code = take_choices(cli, request);
	if (!code && config)
		code = read_config(cli, config, &request->model_config);
	if (code)
		return code;
	options->plan.model_config = request->model_config;
	if (cli_flag(cli, "no-overwrite"))
		options->overwrite = WH_OVERWRITE_ASK;
	options->confirm = ask;
	options->canonical = cli_flag(cli, "canonical");
	options->verify = cli_flag(cli, "verify");
	options->digests = cli_json(cli);
	options->plan.skip_unsupported = cli_flag(cli, "skip-unsupported");
	options->library = cli->library;
	options->progress = cli_progress;

	options->warn = cli_warn;
	options->arg = cli;
	options->options = &request->checkpoint;
	if (cli_integer(cli, "max-shard-size", &number) && number > 0)
		request->checkpoint.experimental_sharding_max_shard_size =
			(uint64_t)number;
	if (cli_integer(cli, "threads", &number) && number > 0)
		options->threads = (unsigned)number;
	request->checkpoint.enable_async = cli_flag(cli, "enable-async");
	request->checkpoint.experimental_io_device = cli_text(cli, "io-device");
	request->checkpoint.experimental_skip_slot_variables =
		cli_flag(cli, "skip-slot-variables");
	return EXIT_DONE;
}

void save_request_free(struct save_request *request)
{
	free(request->model_config);
}

static json_t *saved_json(const struct wh_saved *saved)
{
	json_t *files = json_array(), *row = json_object();
	size_t i;

	for (i = 0; i < saved->n_files; i++) {
		json_t *file = json_object();

		json_object_set_new(file, "path",
				    json_text(saved->files[i].path));
		json_object_set_new(
			file, "size",
			json_integer((json_int_t)saved->files[i].size));
		json_object_set_new(file, "sha256",
				    json_text(saved->files[i].sha256));
		json_array_append_new(files, file);
	}
	json_object_set_new(row, "format", json_text(saved->format));
	json_object_set_new(row, "files", files);
	json_object_set_new(row, "reproduced", json_boolean(saved->reproduced));
	return row;
}

static void tell_saved(struct cli *cli, const struct wh_saved *saved)
{
	size_t i;

	if (cli_json(cli)) {
		cli_print_json(saved_json(saved));
		return;
	}
	for (i = 0; i < saved->n_files; i++)
		cli_say(cli, "%s  %s  %s%s", saved->format,
			cli_size(cli, saved->files[i].size),
			cli_escape(saved->files[i].path),
			saved->reproduced ? "  (as it was imported)" : "");
}

static int save_one(struct cli *cli, struct wh_source *source, const char *path,
		    struct save_request *request)
{
	struct wh_saved saved = {0};

	cli->subject = path;
	if (wh_save_source(source, path, &request->options, &saved, &cli->err))
		return cli_fail(cli);
	tell_saved(cli, &saved);
	wh_saved_free(&saved);
	return EXIT_DONE;
}

/* "h5,tf" into PATH/model.h5 and PATH/model. */
static int save_each(struct cli *cli, struct wh_source *source,
		     const char *folder, struct save_request *request)
{
	char *list = strdup(cli_text(cli, "save-format")), *rest = list;
	int code = EXIT_DONE;
	char *name;

	while (!code && list && (name = strsep(&rest, ","))) {
		const struct wh_format *format =
			wh_format_by_name(cli->library, name);
		char path[4096];

		snprintf(path, sizeof(path), "%smodel%s", folder,
			 format && format->suffixes[0] ? format->suffixes[0]
						       : "");
		request->options.save_format = name;
		code = save_one(cli, source, path, request);
	}
	free(list);
	return code;
}

int cli_save(struct cli *cli, struct wh_source *source, const char *path,
	     struct save_request *request)
{
	const char *formats = cli_text(cli, "save-format");
	size_t len = strlen(path);

	if (formats &&
	    (strchr(formats, ',') || (len && path[len - 1] == '/'))) {
		if (!len || path[len - 1] != '/')
			return cli_usage(cli, "several formats need a PATH "
					      "that ends in '/'");
		return save_each(cli, source, path, request);
	}
	request->options.save_format = formats;
	return save_one(cli, source, path, request);
}
