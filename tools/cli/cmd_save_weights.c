/* save-weights: the call that all of this is for. */
#include "cli.h"
#include "place_options.h"

int cmd_save_weights(struct cli *cli)
{
	const char *path = cli->args[cli->n_args - 1];
	const char *revision = cli->n_args > 1 ? cli->args[0] : "HEAD";
	struct wh_source *source = NULL;
	struct save_request request = {0};
	int code;

	if (wh_is_place(path)) {
		code = cli_open(cli, WH_OPEN_READ);
		return code ? code : cli_publish(cli, revision, path);
	}
	code = save_request_fill(cli, path, &request);
	if (!code)
		code = cli_source(cli, revision, &source);
	if (!code)
		code = cli_save(cli, source, path, &request);
	wh_source_close(source);
	save_request_free(&request);
	return code;
}
