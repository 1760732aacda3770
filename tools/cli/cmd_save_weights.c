/* save-weights: the call that all of this is for. */
#include <string.h>
#include <unistd.h>

#include "cli.h"

/* To stdout: formats of one file, and not onto a terminal. */
static int save_to_stdout(struct cli *cli, struct wh_source *source,
			  struct save_request *request)
{
	const char *name = cli_text(cli, "save-format");
	const struct wh_format *format;

	if (wh_choose_format(name ? "-" : "-.h5", name, cli->library, &format,
			     &cli->err))
		return cli_fail(cli);
	if (isatty(STDOUT_FILENO))
		return cli_usage(cli, "binary data is not written to a "
				      "terminal");
	if (wh_save_stream(source, format, STDOUT_FILENO, &request->options,
			   &cli->err))
		return cli_fail(cli);
	return EXIT_DONE;
}

/* The format is chosen before the store is opened: a bad --save-format or a
 * missing library is told first, as in Keras. */
static int check_format(struct cli *cli, const char *path)
{
	const char *formats = cli_text(cli, "save-format");
	const struct wh_format *format;
	size_t len = strlen(path);

	if (strcmp(path, "-") == 0 || (formats && strchr(formats, ',')) ||
	    (len && path[len - 1] == '/' && formats))
		return EXIT_DONE;
	if (wh_choose_format(path, formats, cli->library, &format, &cli->err))
		return cli_fail(cli);
	return EXIT_DONE;
}

int cmd_save_weights(struct cli *cli)
{
	const char *path = cli->args[cli->n_args - 1];
	struct wh_source *source = NULL;
	struct save_request request;
	int code = check_format(cli, path);

	if (code)
		return code;
	code = save_request_fill(cli, &request);
	if (!code)
		code = cli_source(cli, cli->n_args > 1 ? cli->args[0] : "HEAD",
				  &source);
	if (!code)
		code = strcmp(path, "-") == 0
			       ? save_to_stdout(cli, source, &request)
			       : cli_save(cli, source, path, &request);
	wh_source_close(source);
	save_request_free(&request);
	return code;
}
