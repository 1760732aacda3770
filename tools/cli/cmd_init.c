#include "cli.h"

int cmd_init(struct cli *cli)
{
	const char *path = cli->n_args ? cli->args[0] : cli_store_path(cli);

	if (wh_store_create(path, &cli->err))
		return cli_fail(cli);
	if (cli_json(cli))
		cli_print_json(json_pack("{s:o}", "store", json_text(path)));
	else
		cli_say(cli, "made an empty store: %s", cli_escape(path));
	return EXIT_DONE;
}
