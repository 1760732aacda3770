/* Which checkpoints the paths given to import mean. */
#include <dirent.h>
#include <glob.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/text.h"
#include "checkpoint_path.h"
#include "import.h"

static int add_path(struct cli *cli, struct import_list *list, const char *path)
{
	struct import_file *moved;
	char *resolved;
	size_t i;

	resolved = checkpoint_of(path);
	if (!resolved)
		return EXIT_DONE; /* a state file */
	for (i = 0; i < list->n; i++)
		if (strcmp(list->files[i].path, resolved) == 0) {
			free(resolved);
			return EXIT_DONE;
		}
	moved = realloc(list->files, (list->n + 1) * sizeof(*moved));
	if (!moved) {
		free(resolved);
		return cli_no_memory(cli);
	}
	list->files = moved;
	memset(&moved[list->n], 0, sizeof(*moved));
	moved[list->n++].path = resolved;
	return EXIT_DONE;
}

static int nothing_in(struct cli *cli, const char *path, const char *what)
{
	snprintf(cli->err.message, sizeof(cli->err.message), "'%s' %s",
		 cli_escape(path), what);
	cli->err.status = WH_ENOTFOUND;
	return cli_fail(cli);
}

/* ---- Folders
 * ------------------------------------------------------------------- */

/* TensorFlow's first version has no suffix: such a file is known by what is in
 * it. */
static bool has_no_suffix(const struct cli *cli, const char *path)
{
	const struct wh_format *tf = wh_format_by_name(cli->library, "tf");
	struct stat at;

	return tf && tf->probe && stat(path, &at) == 0 && S_ISREG(at.st_mode) &&
	       tf->probe(path);
}

static int add_entry(struct cli *cli, struct import_list *list,
		     const char *folder, const char *name)
{
	size_t len = strlen(folder);
	int code = EXIT_DONE;
	char *path;

	if (asprintf(&path, "%s%s%s", folder,
		     len && folder[len - 1] == '/' ? "" : "/", name) < 0)
		return cli_no_memory(cli);
	if (checkpoint_name(cli->library, name) ||
	    (!checkpoint_name_is_temporary(name) && has_no_suffix(cli, path)))
		code = add_path(cli, list, path);
	free(path);
	return code;
}

static int add_entries(struct cli *cli, struct import_list *list,
		       const char *folder)
{
	int code = EXIT_DONE;
	struct dirent *at;
	DIR *listing;

	listing = opendir(folder);
	while (listing && !code && (at = readdir(listing)))
		if (at->d_name[0] != '.')
			code = add_entry(cli, list, folder, at->d_name);
	if (listing)
		closedir(listing);
	return code;
}

bool import_takes_of(struct cli *cli, const char *folder)
{
	struct import_list list = {0};
	bool any = !add_entries(cli, &list, folder) && list.n;

	import_list_free(&list);
	return any;
}

/* All that is in it; a SavedModel is one checkpoint. */
static int add_folder(struct cli *cli, struct import_list *list,
		      const char *folder)
{
	size_t before = list->n;
	int code;

	if (checkpoint_is_saved_model(folder))
		return add_path(cli, list, folder);
	code = add_entries(cli, list, folder);
	if (!code && list->n == before)
		return nothing_in(cli, folder, "holds no checkpoint");
	return code;
}

/* ---- Paths and patterns
 * ------------------------------------------------------------------- */

static int add_one(struct cli *cli, struct import_list *list, const char *path)
{
	struct stat at;

	if (stat(path, &at) == 0 && S_ISDIR(at.st_mode))
		return add_folder(cli, list, path);
	return add_path(cli, list, path);
}

/* Expanded here as well as by the shell: a quoted pattern is one argument. */
int import_add(struct cli *cli, struct import_list *list, const char *pattern)
{
	struct stat at;
	glob_t found;
	size_t i;
	int code = EXIT_DONE;

	if (stat(pattern, &at) == 0 || !strpbrk(pattern, "*?["))
		return add_one(cli, list, pattern);
	if (glob(pattern, 0, NULL, &found) != 0)
		return nothing_in(cli, pattern, "matches no file");
	for (i = 0; i < found.gl_pathc && !code; i++)
		code = add_one(cli, list, found.gl_pathv[i]);
	globfree(&found);
	return code;
}
