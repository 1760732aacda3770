/* pull: what was published, as files or as a snapshot. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/auto.h"
#include "base/error.h"
#include "base/text.h"
#include "place_options.h"

static void tell_pulled(struct cli *cli, const struct wh_pulled *pulled)
{
	json_t *row;
	size_t i;

	cli_progress_end(cli);
	for (i = 0; i < pulled->n_files; i++)
		cli_say(cli, "%10s  %s", cli_size(cli, pulled->files[i].size),
			cli_escape(pulled->files[i].path));
	if (!cli_json(cli))
		return;
	row = json_object();
	json_object_set_new(row, "snapshot", json_text(pulled->snapshot));
	json_object_set_new(row, "tree", json_text(pulled->tree));
	json_object_set_new(row, "files",
			    saved_files_json(pulled->files, pulled->n_files));
	cli_print_json(row);
}

/* How many --only there are. */
static int take_globs(const struct cli *cli, const char **globs)
{
	int n = 0, at = 0;

	while (n < MAX_WORDS && (globs[n] = cli_next(cli, "only", &at)))
		n++;
	globs[n] = NULL;
	return n;
}

static int pull_into(struct cli *cli, const char *folder,
		     struct wh_pulled *pulled)
{
	struct wh_pull_options options = {.progress = cli_progress, .arg = cli};
	const char *only[MAX_WORDS + 1] = {NULL};
	const char *what = cli->n_args > 1 ? cli->args[1] : NULL;
	uint8_t digest[32];
	struct remote remote = {0};
	int code = remote_find(cli, cli->args[0], &remote);

	if (!code)
		code = place_options_fill(cli, &remote, &options.place);
	if (code) {
		remote_free(&remote);
		return code;
	}
	if (what && text_unhex(what, digest, sizeof(digest)))
		options.snapshot = what;
	else
		options.alias = what;
	options.format = cli_text(cli, "save-format");
	if (take_globs(cli, only))
		options.only = only;
	if (wh_pull(remote.url, folder, &options, pulled, &cli->err)) {
		if (!options.snapshot && !options.format && !options.only)
			hint_at_aliases(cli, cli->args[0]);
		code = cli_fail(cli);
	}
	remote_free(&remote);
	return code;
}

/* ---- Into the store -------------------------------------------------------
 */

static int tell_commit(struct cli *cli, const struct wh_pulled *pulled,
		       const struct commit_outcome *outcome)
{
	bool same = strcmp(pulled->tree, outcome->result.tree) == 0;
	json_t *row;

	cli_progress_end(cli);
	if (!same)
		cli_warn(cli, "the files hold all values but not all that the "
			      "publisher's store knew: the tree's id is "
			      "another");
	cli_say(cli, "%.12s on %s%s", outcome->result.snapshot,
		cli_escape(outcome->result.branch),
		same ? ", the tree that was published" : "");
	if (!cli_json(cli))
		return EXIT_DONE;
	row = json_object();
	json_object_set_new(row, "snapshot",
			    json_text(outcome->result.snapshot));
	json_object_set_new(row, "tree", json_text(outcome->result.tree));
	json_object_set_new(row, "files",
			    saved_files_json(pulled->files, pulled->n_files));
	json_object_set_new(row, "alarms",
			    outcome->alarms ? outcome->alarms : json_array());
	cli_print_json(row);
	return EXIT_DONE;
}

static int commit_pulled(struct cli *cli, const struct wh_pulled *pulled)
{
	struct wh_commit_options options = {
		.branch = cli_text(cli, "branch"),
		.message = cli_text(cli, "message"),
		.has_step = pulled->has_step,
		.step = pulled->step,
		.has_epoch = pulled->has_epoch,
		.epoch = pulled->epoch,
		.progress = cli_progress,
		.arg = cli,
	};
	struct commit_outcome outcome = {.alarms = NULL};
	char message[200];
	int code;

	if (!options.message) {
		snprintf(message, sizeof(message), "pulled %.12s",
			 pulled->snapshot);
		options.message = message;
	}
	code = cli_commit_path(cli, pulled->checkpoint, &options, &outcome);
	return code ? code : tell_commit(cli, pulled, &outcome);
}

/* The files are only on their way: they go once they are committed, and stay
 * where a pull was cut off, so that it goes on. */
static void remove_files(const char *folder, const struct wh_pulled *pulled)
{
	size_t i;

	for (i = 0; i < pulled->n_files; i++)
		unlink(pulled->files[i].path);
	rmdir(folder);
}

/* A turn: also one that was given up, once its folder is gone. */
static enum wh_status wait_for_turn(struct cli *cli, int fd)
{
	if (flock(fd, LOCK_EX | LOCK_NB) == 0)
		return WH_OK;
	if (errno == EWOULDBLOCK)
		cli_warn(cli, "another pull into this store is under way; "
			      "this one waits for it");
	while (flock(fd, LOCK_EX)) {
		if (errno != EINTR)
			return WH_OK; /* a file system without locks */
		if (cli_interrupted())
			return wh_fail(&cli->err, WH_ECANCELLED, "cancelled");
	}
	return WH_OK;
}

/* Two that pull at once would commit each other's files. */
static enum wh_status hold_folder(struct cli *cli, const char *folder, int *out)
{
	struct stat held, named;

	for (;;) {
		int fd;

		if (mkdir(folder, 0777) && errno != EEXIST)
			break;
		fd = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
		if (fd < 0 && errno == ENOENT)
			continue; /* it went meanwhile */
		if (fd < 0)
			break;
		if (wait_for_turn(cli, fd)) {
			close(fd);
			return WH_ECANCELLED;
		}
		if (fstat(fd, &held) == 0 && stat(folder, &named) == 0 &&
		    held.st_dev == named.st_dev &&
		    held.st_ino == named.st_ino) {
			*out = fd;
			return WH_OK;
		}
		close(fd);
	}
	return wh_fail_errno(&cli->err, errno, "'%s'", folder);
}

static int pull_to_store(struct cli *cli)
{
	struct wh_pulled pulled = {0};
	char *folder wh_free_auto = NULL;
	int held wh_close_auto = -1;
	int code = cli_open(cli, WH_OPEN_WRITE);

	if (code)
		return code;
	if (asprintf(&folder, "%s-pull", wh_store_path(cli->store)) < 0) {
		folder = NULL;
		return cli_no_memory(cli);
	}
	if (hold_folder(cli, folder, &held))
		return cli_fail(cli);
	code = pull_into(cli, folder, &pulled);
	if (!code) {
		code = commit_pulled(cli, &pulled);
		if (!code)
			cli_apply_publish_rules(cli, cli_progress);
		remove_files(folder, &pulled);
	} else {
		rmdir(folder); /* goes if it is empty */
	}
	wh_pulled_free(&pulled);
	return code;
}

int cmd_pull(struct cli *cli)
{
	const char *folder = cli_text(cli, "output");
	struct wh_pulled pulled = {0};
	int code = EXIT_DONE;

	if (!wh_is_place(cli->args[0]) && !remote_is_path(cli->args[0]))
		return cli_usage(cli, "'%s' is no remote and no URL of a place",
				 cli->args[0]);
	if (!folder && cli_text(cli, "only"))
		return cli_usage(cli, "--only needs -o FOLDER: a part of a "
				      "model is no snapshot");
	if (!folder)
		return pull_to_store(cli);
	if (!wh_is_place(cli->args[0]))
		code = cli_open(cli, WH_OPEN_READ);
	if (code)
		return code;
	code = pull_into(cli, folder, &pulled);
	if (!code)
		tell_pulled(cli, &pulled);
	wh_pulled_free(&pulled);
	return code;
}
