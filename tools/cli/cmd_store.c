/* du, config, migrate: the store itself. */
#include <inttypes.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/auto.h"
#include "base/text.h"
#include "cli.h"
#include "place_options.h"

/* ---- du
 * ---------------------------------------------------------------------- */

static enum wh_usage_by usage_by(const struct cli *cli)
{
	static const char *const names[] = {"snapshot", "layer", "tensor",
					    "run", "file"};
	int i;

	for (i = 0; i < 5; i++)
		if (cli_is(cli, "by", names[i]))
			return (enum wh_usage_by)i;
	return WH_BY_SNAPSHOT;
}

static int print_what(void *arg, const struct wh_snapshot *s)
{
	(void)arg;
	snapshot_put_step(s);
	snapshot_put_message(s);
	return 0;
}

static int print_usage(void *arg, const struct wh_usage *u)
{
	struct cli *cli = arg;

	if (cli_json(cli))
		cli_print_json(json_pack(
			"{s:o,s:b,s:I,s:I,s:I,s:I}", "name", json_text(u->name),
			"rest", u->rest, "nbytes", (json_int_t)u->nbytes,
			"stored_bytes", (json_int_t)u->stored_bytes,
			"shared_bytes", (json_int_t)u->shared_bytes,
			"own_bytes", (json_int_t)u->own_bytes));
	if (cli_json(cli))
		return cli_interrupted();
	printf("%10s %10s %10s %10s  %s", cli_size(cli, u->nbytes),
	       cli_size(cli, u->stored_bytes), cli_size(cli, u->shared_bytes),
	       cli_size(cli, u->own_bytes), cli_escape(u->name));
	/* An id says nothing; a snapshot that goes meanwhile has no more. */
	if (usage_by(cli) == WH_BY_SNAPSHOT && !u->rest)
		wh_snapshot_get(cli->store, u->name, print_what, NULL, NULL);
	putchar('\n');
	return cli_interrupted();
}

int cmd_du(struct cli *cli)
{
	int code = cli_open(cli, WH_OPEN_READ);

	if (code)
		return code;
	if (!cli_json(cli))
		printf("%10s %10s %10s %10s  %s\n", "weights", "stored",
		       "shared", "own", "what");
	if (wh_usage(cli->store, usage_by(cli), print_usage, cli, &cli->err))
		return cli_fail(cli);
	return EXIT_DONE;
}

/* ---- config
 * -------------------------------------------------------------------- */

static int print_setting(void *arg, const char *key, const char *value)
{
	const struct cli *cli = arg;

	if (cli_json(cli))
		cli_print_json(json_pack("{s:o,s:o}", "key", json_text(key),
					 "value", json_text(value)));
	else
		printf("%s = %s\n", cli_escape(key), cli_escape(value));
	return 0;
}

static int print_one_setting(struct cli *cli, const char *key)
{
	char *value = NULL;

	if (wh_config_get(cli->store, key, &value, &cli->err))
		return cli_fail(cli);
	if (value)
		print_setting(cli, key, value);
	free(value);
	return EXIT_DONE;
}

static int change_setting(struct cli *cli, const char *key, const char *value)
{
	char *kept wh_free_auto = value ? remote_kept(key, value) : NULL;

	if (value && !kept)
		return cli_no_memory(cli);
	if (wh_config_set(cli->store, key, kept, &cli->err))
		return cli_fail(cli);
	return EXIT_DONE;
}

int cmd_config(struct cli *cli)
{
	bool unset = cli_flag(cli, "unset");
	bool changes = cli->n_args > 1 || unset;
	int code = cli_open(cli, changes ? WH_OPEN_WRITE : WH_OPEN_READ);

	if (code)
		return code;
	if (unset && cli->n_args != 1)
		return cli_usage(cli, "--unset takes a KEY");
	if (cli->n_args == 1 && !unset)
		return print_one_setting(cli, cli->args[0]);
	if (changes)
		return change_setting(cli, cli->args[0],
				      unset ? NULL : cli->args[1]);
	if (wh_config_list(cli->store, print_setting, cli, &cli->err))
		return cli_fail(cli);
	return EXIT_DONE;
}

int cmd_migrate(struct cli *cli)
{
	const char *path = cli_store_path(cli);

	if (wh_store_migrate(path, &cli->err)) {
		int code;

		cli->no_store = true;
		code = cli_fail(cli);

		return code == EXIT_NOT_FOUND ? EXIT_NO_STORE : code;
	}
	cli_say(cli, "%s is of this version", cli_escape(path));
	return EXIT_DONE;
}
