#include "cli.h"

int cmd_convert(struct cli *cli)
{
	struct wh_load_options load = {.library = cli->library};
	struct wh_source *source = NULL;
	struct save_request request;
	bool reproducible;
	int code = save_request_fill(cli, &request);

	cli->subject = cli->args[0];
	if (!code && wh_checkpoint_open(cli->args[0], cli_text(cli, "from"),
					&load, &source, &cli->err))
		code = cli_fail(cli);
	/* Only a template that gives the file back may be used for it. */
	if (!code && wh_checkpoint_prove(source, cli->args[0], cli->library,
					 &reproducible, &cli->err))
		code = cli_fail(cli);
	if (!code)
		code = cli_save(cli, source, cli->args[1], &request);
	wh_source_close(source);
	save_request_free(&request);
	return code;
}
