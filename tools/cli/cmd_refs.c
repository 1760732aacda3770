/* branch, tag, switch, reflog. */
#include <string.h>

#include "cli.h"

static int print_ref(void *arg, const struct wh_ref *ref)
{
	const struct cli *cli = arg;

	if (cli_json(cli)) {
		cli_print_json(json_pack(
			"{s:o,s:o}", "name", json_text(ref->name), "snapshot",
			*ref->snapshot ? json_text(ref->snapshot)
				       : json_null()));
		return 0;
	}
	printf("%s %-24s %.12s\n", ref->head ? "*" : " ", cli_escape(ref->name),
	       *ref->snapshot ? ref->snapshot : "(empty)");
	return 0;
}

typedef enum wh_status list_fn(struct wh_store *, wh_ref_fn *, void *,
			       struct wh_error *);
typedef enum wh_status create_fn(struct wh_store *, const char *, const char *,
				 bool, struct wh_error *);
typedef enum wh_status delete_fn(struct wh_store *, const char *,
				 struct wh_error *);

static int change(struct cli *cli, create_fn *create, delete_fn *delete_ref)
{
	const char *name = cli->args[0], *to = cli_text(cli, "move");
	enum wh_status status;

	if (to && create != wh_branch_create)
		return cli_usage(cli, "a tag is fixed: make another one");
	if (cli_flag(cli, "delete"))
		status = delete_ref(cli->store, name, &cli->err);
	else if (to)
		status = wh_branch_rename(cli->store, name, to, &cli->err);
	else
		status = create(cli->store, name,
				cli->n_args > 1 ? cli->args[1] : "HEAD",
				cli_flag(cli, "force"), &cli->err);
	return status ? cli_fail(cli) : EXIT_DONE;
}

static int run_refs(struct cli *cli, list_fn *list, create_fn *create,
		    delete_fn *delete_ref)
{
	int code = cli_open(cli, cli->n_args ? WH_OPEN_WRITE : WH_OPEN_READ);

	if (code)
		return code;
	if (cli->n_args)
		return change(cli, create, delete_ref);
	if (cli_flag(cli, "delete") || cli_flag(cli, "move"))
		return cli_usage(cli, "it takes a NAME");
	if (list(cli->store, print_ref, cli, &cli->err))
		return cli_fail(cli);
	return EXIT_DONE;
}

int cmd_branch(struct cli *cli)
{
	return run_refs(cli, wh_branch_list, wh_branch_create,
			wh_branch_delete);
}

int cmd_tag(struct cli *cli)
{
	return run_refs(cli, wh_tag_list, wh_tag_create, wh_tag_delete);
}

int cmd_switch(struct cli *cli)
{
	int code = cli_open(cli, WH_OPEN_WRITE);

	if (code)
		return code;
	if (wh_switch(cli->store, cli->args[0], &cli->err))
		return cli_fail(cli);
	if (cli_json(cli))
		cli_print_json(
			json_pack("{s:o}", "branch", json_text(cli->args[0])));
	cli_say(cli, "HEAD is %s", cli_escape(cli->args[0]));
	return EXIT_DONE;
}

static int print_entry(void *arg, const struct wh_reflog_entry *entry)
{
	const struct cli *cli = arg;

	if (cli_json(cli))
		cli_print_json(json_pack(
			"{s:o,s:o,s:o,s:o,s:o}", "branch",
			json_text(entry->branch), "from",
			*entry->from ? json_text(entry->from) : json_null(),
			"to", *entry->to ? json_text(entry->to) : json_null(),
			"why", json_text(entry->why), "time",
			json_text(cli_time_utc(entry->time))));
	else
		printf("%s  %-16s %.12s -> %.12s  %s\n", cli_time(entry->time),
		       cli_escape(entry->branch),
		       *entry->from ? entry->from : "(none)      ",
		       *entry->to ? entry->to : "(none)",
		       cli_escape(entry->why));
	return cli_interrupted();
}

int cmd_reflog(struct cli *cli)
{
	int code = cli_open(cli, WH_OPEN_READ);

	if (code)
		return code;
	cli_page(cli);
	if (wh_reflog(cli->store, cli->n_args ? cli->args[0] : NULL,
		      print_entry, cli, &cli->err))
		return cli_fail(cli);
	return EXIT_DONE;
}
