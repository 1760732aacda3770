/* convert: one format into another, without a store. */
#include "cli.h"

static int open_input(struct cli *cli, const char *path,
		      struct wh_source **source)
{
	struct wh_load_options load = cli_load_options(cli);
	bool reproducible;

	cli->subject = path;
	/* Only a template that gives the file back may be used for it. */
	if (wh_checkpoint_open(path, cli_text(cli, "from"), &load, source,
			       &cli->err) ||
	    wh_checkpoint_prove(*source, path, cli->library, &reproducible,
				&cli->err))
		return cli_fail(cli);
	return EXIT_DONE;
}

int cmd_convert(struct cli *cli)
{
	const char *path = cli->args[1];
	struct wh_source *source = NULL;
	struct save_request request = {0};
	int code = save_request_fill(cli, path, &request);

	if (!code)
		code = open_input(cli, cli->args[0], &source);
	if (!code)
		code = cli_save(cli, source, path, &request);
	wh_source_close(source);
	save_request_free(&request);
	return code;
}
