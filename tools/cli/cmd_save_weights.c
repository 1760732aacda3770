/* save-weights: the call that all of this is for. */
#include "cli.h"
#include "place_options.h"

/* "lab:" and "lab:resnet" where the store knows a remote `lab`; any other path
 * with a colon is a file's. */
static bool is_remote(struct cli *cli, const char *path)
{
	struct remote remote = {0};
	bool found;

	if (remote_is_name(path) || !remote_is_path(path) ||
	    wh_store_open(cli_store_path(cli), WH_OPEN_READ, &cli->store, NULL))
		return false;
	found = remote_load(cli, path, &remote) == WH_OK;
	remote_free(&remote);
	return found;
}

int cmd_save_weights(struct cli *cli)
{
	const char *path = cli->args[cli->n_args - 1];
	const char *revision = cli->n_args > 1 ? cli->args[0] : "HEAD";
	struct wh_source *source = NULL;
	struct save_request request = {0};
	int code;

	if (is_remote(cli, path))
		return cli_publish(cli, revision, path);
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
