/* What save-weights and convert have in common. */
#include <ctype.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/folder.h"
#include "base/text.h"
#include "cli.h"

#define MAX_TEXT (64 << 20) /* bytes of a model's to_json() */

/* An answer without the blanks around it, as Python's strip() leaves it; false
 * at the end of input. */
static bool read_answer(char **line, size_t *size)
{
	ssize_t len;
	char *text;

	if (!cli_wait_for(STDIN_FILENO))
		return false;
	len = getline(line, size, stdin);
	if (len < 0)
		return false;
	text = *line;
	while (len && isspace((unsigned char)text[len - 1]))
		text[--len] = '\0';
	memmove(text, text + strspn(text, " \t\r\f\v"),
		(size_t)len + 1 - strspn(text, " \t\r\f\v"));
	return true;
}

/* Keras's own question, and its answers: FORMAT-HDF5.md, section 2. */
static bool ask(const char *path, void *arg)
{
	bool yes = false, known = false;
	char *line = NULL;
	size_t size = 0;

	(void)arg;
	if (!isatty(STDIN_FILENO) || !isatty(STDERR_FILENO))
		return false;
	/* What is typed ahead stays where cli_wait_for sees it. */
	setvbuf(stdin, NULL, _IONBF, 0);
	fprintf(stderr, "[WARNING] %s already exists - overwrite? [y/n]",
		cli_escape(path));
	while (!known && read_answer(&line, &size)) {
		yes = strcasecmp(line, "y") == 0;
		known = yes || strcasecmp(line, "n") == 0;
		if (!known)
			fputs("Enter \"y\" (overwrite) or \"n\" (cancel).",
			      stderr);
	}
	if (!known)
		fputc('\n', stderr);
	if (yes)
		fputs("[TIP] Next time specify overwrite=True!\n", stderr);
	free(line);
	return yes;
}

int cli_read_text(struct cli *cli, const char *option, const char *path,
		  char **text)
{
	FILE *file = fopen(path, "rb");
	size_t size = 0;

	if (!file)
		return cli_usage(cli, "--%s %s: %s", option, path,
				 strerror(errno));
	*text = malloc(MAX_TEXT + 1);
	if (*text)
		size = fread(*text, 1, MAX_TEXT, file);
	fclose(file);
	if (!*text)
		return cli_no_memory(cli);
	(*text)[size] = '\0';
	return EXIT_DONE;
}

void save_request_free(struct save_request *request)
{
	free(request->model_config);
	free(request->map);
}

json_t *saved_files_json(const struct wh_saved_file *files, size_t n)
{
	json_t *list = json_array();
	size_t i;

	for (i = 0; i < n; i++) {
		json_t *file = json_object();

		json_object_set_new(file, "path", json_text(files[i].path));
		json_object_set_new(file, "size",
				    json_integer((json_int_t)files[i].size));
		json_object_set_new(file, "sha256", json_text(files[i].sha256));
		json_array_append_new(list, file);
	}
	return list;
}

static json_t *saved_json(const struct wh_saved *saved)
{
	json_t *row = json_object();

	json_object_set_new(row, "format", json_text(saved->format));
	json_object_set_new(row, "files",
			    saved_files_json(saved->files, saved->n_files));
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

/* Keras 3, from where the model came, does not load what the rule of Keras 2
 * makes of the name. */
static void warn_of_hdf5(struct cli *cli, const struct wh_source *source,
			 const char *path, const char *save_format)
{
	const char *origin = source->manifest.origin_format;
	char text[512];

	if (save_format || !text_ends(path, ".keras") || !origin ||
	    strcmp(origin, "keras3") != 0)
		return;
	snprintf(text, sizeof(text),
		 "'%.300s' is HDF5, as in Keras 2; --save-format keras3 "
		 "writes an archive of Keras 3",
		 path);
	cli_warn(cli, text);
}

static int save_one(struct cli *cli, struct wh_source *source, const char *path,
		    struct save_request *request)
{
	struct wh_saved saved = {0};

	cli->subject = path;
	warn_of_hdf5(cli, source, path, request->options.save_format);
	if (wh_save_source(source, path, &request->options, &saved,
			   &cli->err)) {
		if (cli_interrupted())
			return EXIT_INTERRUPTED;
		if (cli->err.sys_errno == ENOENT)
			snprintf(cli->hint, sizeof(cli->hint),
				 "its folder must be there, as for Keras");
		return cli_fail(cli);
	}
	tell_saved(cli, &saved);
	wh_saved_free(&saved);
	return EXIT_DONE;
}

/* One of "h5,tf" in the folder PATH/ as PATH/model.h5, PATH/model. */
typedef int each_fn(struct cli *cli, const char *path, const char *format,
		    void *arg);

static int for_each_format(struct cli *cli, const char *folder, each_fn *fn,
			   void *arg)
{
	char *list = strdup(cli_text(cli, "save-format")), *rest = list;
	int code = EXIT_DONE;
	char *name;

	while (!code && list && (name = strsep(&rest, ","))) {
		const struct wh_format *format =
			wh_format_by_name(cli->library, name);
		char *path;

		if (asprintf(&path, "%smodel%s", folder,
			     format && format->suffixes[0] ? format->suffixes[0]
							   : "") < 0)
			break;
		code = fn(cli, path, name, arg);
		free(path);
	}
	free(list);
	return code;
}

/* Who sees these expects another format, and Keras's rule makes them prefixes
 * all the same. Endings of a plug-in don't come here. */
static const struct {
	const char *suffix, *whose;
} not_written[] = {
	{".pt", "PyTorch"},
	{".pth", "PyTorch"},
	{".bin", "PyTorch"},
	{".onnx", "ONNX"},
	{".tflite", "TensorFlow Lite"},
	{".pb", "SavedModel"},
	{".gguf", "GGUF"},
	{".pkl", "pickle"},
	{".msgpack", "Flax"},
};

static const char *whose_suffix(const char *path)
{
	size_t i;

	for (i = 0; i < sizeof(not_written) / sizeof(not_written[0]); i++)
		if (text_ends(path, not_written[i].suffix))
			return not_written[i].whose;
	return text_ends(path, ".H5") ? "HDF5" : NULL;
}

static bool ends_as_folder(const char *path)
{
	size_t len = strlen(path);

	return len && path[len - 1] == '/';
}

static bool is_there_as_folder(const char *path)
{
	struct stat at;

	return stat(path, &at) == 0 && S_ISDIR(at.st_mode);
}

static void warn_of_prefix(struct cli *cli, const char *path,
			   const struct wh_format *format)
{
	const char *whose = whose_suffix(path);
	char text[768];

	if (strcmp(format->name, "tf") != 0)
		return;
	if (ends_as_folder(path) || is_there_as_folder(path)) {
		bool ends = ends_as_folder(path);

		snprintf(
			text, sizeof(text),
			"'%.200s' is a folder, and the checkpoint %.200s.index "
			"%s it, as in Keras; '%.200s%sckpt' has a name there",
			path, path, ends ? "in" : "beside", path,
			ends ? "" : "/");
		cli_warn(cli, text);
		return;
	}
	if (!whose)
		return;
	snprintf(text, sizeof(text),
		 "'%.300s' is the prefix of a TensorFlow checkpoint, as in "
		 "Keras, and no %s file; --save-format says what is meant",
		 path, whose);
	cli_warn(cli, text);
}

static int check_one(struct cli *cli, const char *path, const char *name,
		     void *arg)
{
	const struct wh_format *format;

	(void)arg;
	if (wh_choose_format(path, name, cli->library, &format, &cli->err))
		return cli_fail(cli);
	if (!name || is_there_as_folder(path))
		warn_of_prefix(cli, path, format);
	return EXIT_DONE;
}

struct saving {
	struct wh_source *source;
	struct save_request *request;
};

static int save_each(struct cli *cli, const char *path, const char *name,
		     void *arg)
{
	struct saving *saving = arg;

	saving->request->options.save_format = name;
	return save_one(cli, saving->source, path, saving->request);
}

/* A stream has no suffix; without --save-format it is HDF5. */
static const char *stream_name(const char *formats)
{
	return formats ? "stdout" : "stdout.h5";
}

/* The format of PATH, and each of a list, is told before anything opens: a bad
 * --save-format first, then a missing library, as in Keras. */
static int check_target(struct cli *cli, const char *path)
{
	const char *formats = cli_text(cli, "save-format");

	if (formats && strchr(formats, ',') && !ends_as_folder(path))
		return cli_usage(cli, "several formats need a PATH that ends "
				      "in '/'");
	if (formats && ends_as_folder(path))
		return for_each_format(cli, path, check_one, NULL);
	if (strcmp(path, "-") != 0)
		return check_one(cli, path, formats, NULL);
	if (isatty(STDOUT_FILENO))
		return cli_usage(cli, "binary data is not written to a "
				      "terminal");
	return check_one(cli, stream_name(formats), formats, NULL);
}

/* Either option makes it CheckpointManager's list. */
static int take_state(struct cli *cli, struct wh_state_options *state)
{
	const char *hours = cli_text(cli, "keep-checkpoint-every-n-hours");
	int64_t keep;

	if (cli_integer(cli, "max-to-keep", &keep)) {
		if (keep > UINT32_MAX)
			return cli_usage(cli, "--max-to-keep is too large");
		state->max_to_keep = (uint32_t)keep;
		state->state = WH_STATE_MANAGED;
	}
	if (!hours)
		return EXIT_DONE;
	if (!text_to_double(hours, &state->keep_checkpoint_every_n_hours) ||
	    !(state->keep_checkpoint_every_n_hours > 0))
		return cli_usage(cli,
				 "--keep-checkpoint-every-n-hours: '%s' is no "
				 "number of hours",
				 hours);
	state->state = WH_STATE_MANAGED;
	return EXIT_DONE;
}

/* "float32", or "bfloat16=float32" for tensors of that dtype alone. */
static int take_cast(struct cli *cli, const char *given, struct wh_cast *cast)
{
	const char *equals = strchr(given, '=');
	char from[32] = "";

	cast->to = wh_dtype_from_name(equals ? equals + 1 : given);
	cast->from = WH_DTYPE_NONE;
	if (equals) {
		snprintf(from, sizeof(from), "%.*s", (int)(equals - given),
			 given);
		cast->from = wh_dtype_from_name(from);
	}
	if (!cast->to || (equals && !cast->from))
		return cli_usage(cli, "--cast %s: there is no such dtype",
				 given);
	return EXIT_DONE;
}

static int take_casts(struct cli *cli, struct save_request *request)
{
	struct wh_plan_options *plan = &request->options.plan;
	const char *given;
	int at = 0, code = EXIT_DONE;

	while (!code && (given = cli_next(cli, "cast", &at))) {
		if (plan->n_casts == SAVE_MAX_CASTS)
			return cli_usage(cli, "at most %d --cast",
					 SAVE_MAX_CASTS);
		code = take_cast(cli, given, &request->casts[plan->n_casts++]);
	}
	plan->casts = request->casts;
	return code;
}

int save_request_fill(struct cli *cli, const char *path,
		      struct save_request *request)
{
	struct wh_save_options *options = &request->options;
	const char *config = cli_text(cli, "model-config");
	int64_t number;
	int code;

	memset(request, 0, sizeof(*request));
	code = check_target(cli, path);
	if (!code && config)
		code = cli_read_text(cli, "model-config", config,
				     &request->model_config);
	if (!code && cli_text(cli, "map"))
		code = cli_read_text(cli, "map", cli_text(cli, "map"),
				     &request->map);
	if (!code)
		code = take_state(cli, &options->state);
	if (!code)
		code = take_casts(cli, request);
	if (code)
		return code;
	options->plan.model_config = request->model_config;
	options->plan.map = request->map;
	options->plan.object = cli_text(cli, "object");
	if (cli_is(cli, "root", "model"))
		options->plan.root = WH_ROOT_MODEL;
	if (cli_is(cli, "root", "checkpoint"))
		options->plan.root = WH_ROOT_CHECKPOINT;
	if (cli_is(cli, "root", "universal"))
		options->plan.root = WH_ROOT_UNIVERSAL;
	if (cli_is(cli, "shard-policy", "tensorflow"))
		options->plan.shard_policy = WH_SHARD_TENSORFLOW;
	if (cli_integer(cli, "save-counter", &number) && number > 0)
		options->plan.save_counter = (uint64_t)number;
	options->plan.bfloat16_opaque = cli_is(cli, "bfloat16", "opaque");
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
		options->plan.max_shard_size = (uint64_t)number;
	if (cli_integer(cli, "threads", &number) && number > 0)
		options->threads = (unsigned)number;
	request->checkpoint.enable_async = cli_flag(cli, "enable-async");
	request->checkpoint.experimental_io_device = cli_text(cli, "io-device");
	request->checkpoint.experimental_skip_slot_variables =
		cli_flag(cli, "skip-slot-variables");
	return EXIT_DONE;
}

static int save_to_stdout(struct cli *cli, struct wh_source *source,
			  struct save_request *request)
{
	const char *name = cli_text(cli, "save-format");
	const struct wh_format *format;

	if (wh_choose_format(stream_name(name), name, cli->library, &format,
			     &cli->err) ||
	    wh_save_stream(source, format, STDOUT_FILENO, &request->options,
			   &cli->err))
		return cli_fail(cli);
	return EXIT_DONE;
}

int cli_save(struct cli *cli, struct wh_source *source, const char *path,
	     struct save_request *request)
{
	const char *formats = cli_text(cli, "save-format");
	struct saving saving = {source, request};

	if (strcmp(path, "-") == 0)
		return save_to_stdout(cli, source, request);
	if (formats && ends_as_folder(path)) {
		if (make_folders(path, &cli->err))
			return cli_fail(cli);
		return for_each_format(cli, path, save_each, &saving);
	}
	request->options.save_format = formats;
	return save_one(cli, source, path, request);
}

int cli_save_revision(struct cli *cli, const char *revision, const char *path,
		      const char *format)
{
	struct wh_save_options options = {
		.save_format = format,
		.library = cli->library,
		.progress = cli_progress,
		.warn = cli_warn,
		.arg = cli,
	};

	cli->subject = path;
	if (wh_save_weights(cli->store, revision, path, &options, &cli->err))
		return cli_fail(cli);
	cli_progress_end(cli);
	return EXIT_DONE;
}
