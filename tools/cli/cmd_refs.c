/* branch, tag, switch, reflog. */
#include <stdio.h>
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
typedef enum wh_status rename_fn(struct wh_store *, const char *, const char *,
				 struct wh_error *);

/* What branches and tags have in common. */
struct kind {
	const char *what;
	list_fn *list;
	create_fn *create;
	delete_fn *delete_ref;
	rename_fn *rename; /* NULL: it is fixed */
};

static const struct kind branches = {"branch", wh_branch_list, wh_branch_create,
				     wh_branch_delete, wh_branch_rename};
static const struct kind tags = {"tag", wh_tag_list, wh_tag_create,
				 wh_tag_delete, NULL};

static int tell_ref(struct cli *cli, const struct kind *kind, const char *name,
		    const char *snapshot)
{
	if (cli_json(cli))
		cli_print_json(json_pack(
			"{s:o,s:o}", "name", json_text(name), "snapshot",
			*snapshot ? json_text(snapshot) : json_null()));
	else
		cli_say(cli, "%s %s is %.12s", kind->what, cli_escape(name),
			snapshot);
	return EXIT_DONE;
}

static int create_ref(struct cli *cli, const struct kind *kind)
{
	const char *name = cli->args[0];
	const char *revision = cli->n_args > 1 ? cli->args[1] : "HEAD";
	char id[WH_ID_SIZE];

	if (wh_revision_parse(cli->store, revision, id, &cli->err) ||
	    kind->create(cli->store, name, id, cli_flag(cli, "force"),
			 &cli->err))
		return cli_fail(cli);
	return tell_ref(cli, kind, name, id);
}

struct wanted {
	const char *name;
	char snapshot[WH_ID_SIZE];
};

static int note_snapshot(void *arg, const struct wh_ref *ref)
{
	struct wanted *wanted = arg;

	if (strcmp(ref->name, wanted->name) == 0)
		snprintf(wanted->snapshot, sizeof(wanted->snapshot), "%s",
			 ref->snapshot);
	return 0;
}

/* What it was brings it back. */
static int delete_ref(struct cli *cli, const struct kind *kind)
{
	struct wanted was = {.name = cli->args[0]};

	if (kind->list(cli->store, note_snapshot, &was, &cli->err) ||
	    kind->delete_ref(cli->store, was.name, &cli->err))
		return cli_fail(cli);
	if (cli_json(cli))
		return tell_ref(cli, kind, was.name, "");
	cli_say(cli, "%s %s is gone; it was %.12s", kind->what,
		cli_escape(was.name), *was.snapshot ? was.snapshot : "empty");
	return EXIT_DONE;
}

static int rename_ref(struct cli *cli, const struct kind *kind, const char *to)
{
	if (kind->rename(cli->store, cli->args[0], to, &cli->err))
		return cli_fail(cli);
	cli_say(cli, "%s %s is now %s", kind->what, cli_escape(cli->args[0]),
		cli_escape(to));
	return EXIT_DONE;
}

static int check_request(struct cli *cli, const struct kind *kind)
{
	bool deletes = cli_flag(cli, "delete"), moves = cli_flag(cli, "move");

	if (moves && !kind->rename)
		return cli_usage(cli, "a tag is fixed: make another one");
	if (deletes && moves)
		return cli_usage(cli, "--delete and --move exclude each other");
	if ((deletes || moves) && cli->n_args != 1)
		return cli_usage(cli, "--%s takes a NAME and nothing else",
				 deletes ? "delete" : "move");
	return EXIT_DONE;
}

static int run_refs(struct cli *cli, const struct kind *kind)
{
	int code = check_request(cli, kind);

	if (!code)
		code = cli_open(cli,
				cli->n_args ? WH_OPEN_WRITE : WH_OPEN_READ);
	if (code)
		return code;
	if (cli_flag(cli, "delete"))
		return delete_ref(cli, kind);
	if (cli_flag(cli, "move"))
		return rename_ref(cli, kind, cli_text(cli, "move"));
	if (cli->n_args)
		return create_ref(cli, kind);
	if (kind->list(cli->store, print_ref, cli, &cli->err))
		return cli_fail(cli);
	return EXIT_DONE;
}

int cmd_branch(struct cli *cli)
{
	return run_refs(cli, &branches);
}

int cmd_tag(struct cli *cli)
{
	return run_refs(cli, &tags);
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
	if (wh_reflog(cli->store, cli->n_args ? cli->args[0] : NULL,
		      print_entry, cli, &cli->err))
		return cli_fail(cli);
	return EXIT_DONE;
}
