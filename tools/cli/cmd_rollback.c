/* rollback and undo: a branch moves, no tensor is touched. */
#include "cli.h"

static void tell_move(struct cli *cli, const char *branch,
		      const struct wh_move *move)
{
	if (cli_json(cli))
		cli_print_json(json_pack(
			"{s:o,s:o,s:o}", "branch", json_text(branch), "from",
			*move->from ? json_text(move->from) : json_null(), "to",
			*move->to ? json_text(move->to) : json_null()));
	cli_say(cli, "%s: %.12s -> %.12s", cli_escape(branch),
		*move->from ? move->from : "(empty)",
		*move->to ? move->to : "(empty)");
}

static enum wh_status move_branch(struct cli *cli, struct wh_move *move)
{
	bool keep = cli_flag(cli, "keep-history");
	const struct wh_branch_move request = {
		.branch = cli_text(cli, "branch"),
		.revision = cli->args[0],
		.expect = cli_text(cli, "expect"),
		.why = keep ? cli_text(cli, "message") : NULL,
	};

	if (!keep)
		return wh_branch_move(cli->store, &request, move, &cli->err);
	return wh_rollback_keep(cli->store, &request, move, &cli->err);
}

int cmd_rollback(struct cli *cli)
{
	const char *branch = cli_text(cli, "branch");
	const char *path = cli_text(cli, "write");
	char head[256], id[WH_ID_SIZE];
	struct wh_move move;
	int code = cli_open(cli, WH_OPEN_WRITE);

	if (code)
		return code;
	if (wh_head(cli->store, head, &cli->err))
		return cli_fail(cli);
	/* The file first: if it can't be written the branch stays. */
	if (path && wh_revision_parse(cli->store, cli->args[0], id, &cli->err))
		return cli_fail(cli);
	code = path ? cli_save_revision(cli, id, path,
					cli_text(cli, "save-format"))
		    : EXIT_DONE;
	if (code)
		return code;
	cli->subject = NULL;
	if (move_branch(cli, &move))
		return cli_fail(cli);
	tell_move(cli, branch ? branch : head, &move);
	return EXIT_DONE;
}

int cmd_undo(struct cli *cli)
{
	const char *branch = cli_text(cli, "branch");
	struct wh_move move;
	char head[256];
	int code = cli_open(cli, WH_OPEN_WRITE);

	if (code)
		return code;
	if (wh_head(cli->store, head, &cli->err) ||
	    wh_undo(cli->store, branch, &move, &cli->err))
		return cli_fail(cli);
	tell_move(cli, branch ? branch : head, &move);
	return EXIT_DONE;
}
