/* Stores and sources as the command line names them. */
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/text.h"
#include "cli.h"

const char *cli_store_path(const struct cli *cli)
{
	const char *path = cli_text(cli, "store");

	if (!path)
		path = getenv("WH_STORE");
	return path && *path ? path : "weights.wh";
}

/* Once: a verb opens the store that it writes to once. */
static void warn_of_network(struct cli *cli)
{
	const char *kind = wh_store_network(cli->store);
	char sentence[160];

	if (!kind)
		return;
	snprintf(sentence, sizeof(sentence),
		 "the store lies on %s, where locks may not hold between "
		 "machines: write from one machine at a time",
		 kind);
	cli_warn(cli, sentence);
}

int cli_open(struct cli *cli, enum wh_open mode)
{
	const char *path = cli_store_path(cli);
	enum wh_status status;

	if (cli_flag(cli, "verbose"))
		fprintf(stderr, "wh %s: store %s\n", cli->verb->name,
			cli_escape(path));
	status = wh_store_open(path, mode, &cli->store, &cli->err);
	if (!status && mode == WH_OPEN_WRITE)
		warn_of_network(cli);
	if (!status)
		return EXIT_DONE;
	cli->no_store = true;
	cli_fail(cli);
	if (status == WH_ENOTFOUND)
		return EXIT_NO_STORE;
	return status == WH_ECORRUPT	   ? EXIT_DAMAGED
	       : status == WH_EUNSUPPORTED ? EXIT_MISSING
	       : status == WH_EBUSY	   ? EXIT_BUSY
					   : EXIT_FAILED;
}

static int load_plugin(struct cli *cli, const char *path)
{
	if (!cli->library && wh_library_new(&cli->library, &cli->err))
		return cli_fail(cli);
	if (wh_library_load(cli->library, path, &cli->err))
		return cli_fail(cli);
	return EXIT_DONE;
}

int cli_load_plugins(struct cli *cli)
{
	const char *given = getenv("WH_PLUGINS"), *path;
	char *list = strdup(given ? given : ""), *rest = list;
	int code = EXIT_DONE, at = 0;

	while (!code && list && (path = strsep(&rest, ":")))
		if (*path)
			code = load_plugin(cli, path);
	free(list);
	while (!code && (path = cli_next(cli, "plugin", &at)))
		code = load_plugin(cli, path);
	return code;
}

struct wh_load_options cli_load_options(const struct cli *cli)
{
	const char *given = getenv("WH_UNTRUSTED");
	bool untrusted = cli_flag(cli, "untrusted") || (given && *given);

	return (struct wh_load_options){
		.library = cli->library,
		.isolation = untrusted ? WH_APART_LIMITED : WH_APART,
	};
}

bool range_cut(const char *text, struct range *range)
{
	char *dots;

	range->text = strdup(text);
	if (!range->text)
		return false;
	range->to = range->text;
	dots = strstr(range->text, "..");
	while (dots && dots[2] == '/') /* of a file's path */
		dots = strstr(dots + 3, "..");
	if (!dots)
		return true;
	*dots = '\0';
	range->from = dots == range->text ? "HEAD" : range->text;
	range->to = dots[2] ? dots + 2 : "HEAD";
	return true;
}

bool cli_glob_weight(const char *glob, const char *layer, const char *name)
{
	size_t len = strlen(name);
	char *plain;
	bool fits;

	if (text_glob(glob, name) || text_glob(glob, layer))
		return true;
	if (len < 2 || strcmp(name + len - 2, ":0") != 0)
		return false;
	plain = strndup(name, len - 2);
	fits = plain && text_glob(glob, plain);
	free(plain);
	return fits;
}

void cli_hint_at_path(struct cli *cli, const char *name)
{
	if (cli->err.status == WH_ENOTFOUND && access(name, F_OK) == 0)
		snprintf(cli->hint, sizeof(cli->hint),
			 "on the disk it is 'file:%.200s'", cli_escape(name));
}

int cli_source(struct cli *cli, const char *name, struct wh_source **source)
{
	int code;

	cli->subject = name;
	if (strncmp(name, "file:", 5) == 0) {
		struct wh_load_options load = cli_load_options(cli);

		if (wh_checkpoint_open(name + 5, NULL, &load, source,
				       &cli->err))
			return cli_fail(cli);
		return EXIT_DONE;
	}
	if (!cli->store) {
		code = cli_open(cli, WH_OPEN_READ);
		if (code)
			return code;
	}
	if (wh_snapshot_open(cli->store, name, source, &cli->err)) {
		cli_hint_at_path(cli, name);
		return cli_fail(cli);
	}
	return EXIT_DONE;
}
