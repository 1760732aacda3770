#include "tf/state.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "base/auto.h"
#include "base/text.h"
#include "tf/shards.h"
#include "tf/state_file.h"

#define SAVED_VARIABLES "/variables/variables"

static bool is_file(const char *path)
{
	struct stat at;

	return stat(path, &at) == 0 && S_ISREG(at.st_mode);
}

static bool is_folder(const char *path)
{
	struct stat at;

	return stat(path, &at) == 0 && S_ISDIR(at.st_mode);
}

static enum wh_status join(const char *folder, const char *name, char **out,
			   struct wh_error *err)
{
	size_t len = strlen(folder);
	int made;

	if (*name == '/' || !*folder)
		made = asprintf(out, "%s", name);
	else
		made = asprintf(out, "%s%s%s", folder,
				folder[len - 1] == '/' ? "" : "/", name);
	return made < 0 ? wh_fail_memory(err) : WH_OK;
}

static enum wh_status read_state(const char *folder, char **prefix,
				 struct wh_error *err)
{
	__attribute__((cleanup(state_free))) struct state state = {0};

	WH_TRY(state_read(folder, &state, err));
	return join(folder, state.latest, prefix, err);
}

/* ---- Paths
 * ------------------------------------------------------------------------ */

static enum wh_status resolve_folder(const char *folder, char **prefix,
				     struct wh_error *err)
{
	char *saved wh_free_auto = NULL, *index wh_free_auto = NULL;

	if (asprintf(&saved, "%s" SAVED_VARIABLES, folder) < 0 ||
	    asprintf(&index, "%s" SAVED_VARIABLES ".index", folder) < 0)
		return wh_fail_memory(err);
	if (is_file(index)) {
		*prefix = wh_steal(&saved);
		return WH_OK;
	}
	return read_state(folder, prefix, err);
}

static enum wh_status copy_of(const char *path, size_t len, char **out,
			      struct wh_error *err)
{
	*out = strndup(path, len);
	return *out ? WH_OK : wh_fail_memory(err);
}

/* "DIR:ckpt-2" is one of the checkpoints of a folder. */
static enum wh_status resolve_named(const char *path, char **prefix,
				    struct wh_error *err)
{
	const char *colon = strrchr(path, ':');
	char *folder wh_free_auto = NULL;

	*prefix = NULL;
	if (!colon || colon == path || !colon[1])
		return WH_OK;
	folder = strndup(path, (size_t)(colon - path));
	if (!folder)
		return wh_fail_memory(err);
	return is_folder(folder) ? join(folder, colon + 1, prefix, err) : WH_OK;
}

enum wh_status tf_resolve(const char *path, char **prefix, struct wh_error *err)
{
	char *index wh_free_auto = NULL;
	size_t len = strlen(path), tail;

	if (asprintf(&index, "%s.index", path) < 0)
		return wh_fail_memory(err);
	if (is_file(index))
		return copy_of(path, len, prefix, err);
	if (text_ends(path, ".index"))
		return copy_of(path, len - strlen(".index"), prefix, err);
	tail = shard_suffix_length(path);
	if (tail)
		return copy_of(path, len - tail, prefix, err);
	if (is_folder(path))
		return resolve_folder(path, prefix, err);
	WH_TRY(resolve_named(path, prefix, err));
	return *prefix ? WH_OK : copy_of(path, len, prefix, err);
}
