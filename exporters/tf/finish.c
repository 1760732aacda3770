/* What is left to do after a save: the state file, and files that nothing
 * speaks of any more. CheckpointManager's rules are those of
 * python/checkpoint/checkpoint_management.py, 2.21. */
#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "base/auto.h"
#include "base/text.h"
#include "tf/shards.h"
#include "tf/state.h"
#include "tf/state_file.h"

static enum wh_status split(const char *prefix, char **folder,
			    const char **base, struct wh_error *err)
{
	const char *slash = strrchr(prefix, '/');

	*base = slash ? slash + 1 : prefix;
	*folder = slash ? strndup(prefix, (size_t)(slash - prefix + 1))
			: strdup("");
	return *folder ? WH_OK : wh_fail_memory(err);
}

/* Shards of this prefix that the new index does not speak of. */
static void remove_surplus(const char *folder, const char *base,
			   uint32_t n_shards)
{
	DIR *listing = opendir(*folder ? folder : ".");
	size_t len = strlen(base);
	struct dirent *at;

	while (listing && (at = readdir(listing))) {
		uint32_t shard, of;

		if (strncmp(at->d_name, base, len) == 0 &&
		    shard_parse_suffix(at->d_name + len, &shard, &of) &&
		    of != n_shards)
			unlinkat(dirfd(listing), at->d_name, 0);
	}
	if (listing)
		closedir(listing);
}

/* ---- CheckpointManager
 * ------------------------------------------------------ */

static double now(void)
{
	struct timespec at;

	clock_gettime(CLOCK_REALTIME, &at);
	return (double)at.tv_sec + (double)at.tv_nsec / 1e9;
}

/* The name of a listed checkpoint in the folder; NULL if it lies elsewhere:
 * what a state file says may not reach out of its folder. */
static const char *name_in_folder(const char *folder, const char *path)
{
	char *real wh_free_auto = NULL;
	size_t len;

	if (*path == '/') {
		real = realpath(*folder ? folder : ".", NULL);
		len = real ? strlen(real) : 0;
		if (!real || strncmp(path, real, len) != 0 || path[len] != '/')
			return NULL;
		path += len + 1;
	}
	return strchr(path, '/') || !*path ? NULL : path;
}

static void delete_checkpoint(const char *folder, const char *path)
{
	const char *base = name_in_folder(folder, path);
	char *index wh_free_auto = NULL;

	if (!base || asprintf(&index, "%s%s.index", folder, base) < 0)
		return;
	/* The index first: without it the rest is no checkpoint. */
	unlink(index);
	remove_surplus(folder, base, 0);
}

/* As a new CheckpointManager finds the folder. A list without timestamps is
 * not the manager's own, and leaves nothing to be deleted. */
static enum wh_status recover(const char *folder, double clock,
			      struct state *state, struct wh_error *err)
{
	struct wh_error missing;
	enum wh_status status = state_read(folder, state, &missing);
	uint32_t i;

	if (status == WH_ENOMEM)
		return wh_fail_memory(err);
	if (status)
		state_free(state);
	if (!state->has_last_preserved) {
		state->last_preserved = status ? clock - 1 : 0;
		state->has_last_preserved = true;
	}
	if (state->last_preserved > clock)
		state->last_preserved = clock;
	for (i = 0; i < state->n_entries;) {
		struct state_entry *at = &state->entries[i];

		if (state->n_timestamps == 0)
			at->timestamp = state->last_preserved;
		if (at->timestamp > clock)
			at->timestamp = clock;
		if (at->timestamp > state->last_preserved)
			i++;
		else
			state_remove(state, i);
	}
	return WH_OK;
}

/* However the list calls it: else it would be deleted with the old ones. */
static enum wh_status append(const char *folder, struct state *state,
			     const char *base, struct wh_error *err)
{
	uint32_t i;

	for (i = 0; i < state->n_entries; i++) {
		const char *name =
			name_in_folder(folder, state->entries[i].path);

		if (name && strcmp(name, base) == 0)
			state_remove(state, i--);
	}
	free(state->latest);
	state->latest = strdup(base);
	if (!state->latest)
		return wh_fail_memory(err);
	WH_TRY(state_add(state, base, now(), err));
	state->n_timestamps = state->n_entries;
	return WH_OK;
}

/* Takes the oldest off the list; whether it is to be deleted. */
static bool sweep_one(struct state *state,
		      const struct wh_state_options *options, char **path)
{
	double oldest = state->entries[0].timestamp;
	double hours = options->keep_checkpoint_every_n_hours;
	bool keeps =
		hours > 0 && oldest - hours * 3600 >= state->last_preserved;

	if (keeps)
		state->last_preserved = oldest;
	*path = NULL;
	if (!keeps)
		*path = wh_steal(&state->entries[0].path);
	state_remove(state, 0);
	state->n_timestamps = state->n_entries;
	return !keeps;
}

/* The list is written before anything is deleted, so that it never names what
 * is not there. */
static enum wh_status manage(const char *folder, const char *base,
			     const struct wh_state_options *options,
			     struct wh_error *err)
{
	__attribute__((cleanup(state_free))) struct state state = {0},
							  gone = {0};
	enum wh_status status;
	uint32_t i;

	WH_TRY(recover(folder, now(), &state, err));
	WH_TRY(append(folder, &state, base, err));
	while (options->max_to_keep && state.n_entries > options->max_to_keep) {
		char *path wh_free_auto = NULL;

		if (sweep_one(&state, options, &path))
			WH_TRY(state_add(&gone, path, 0, err));
	}
	status = state_write(folder, &state, err);
	for (i = 0; i < gone.n_entries && !status; i++)
		delete_checkpoint(folder, gone.entries[i].path);
	return status;
}

static enum wh_status name_alone(const char *folder, const char *base,
				 struct wh_error *err)
{
	__attribute__((cleanup(state_free))) struct state state = {0};

	state.latest = strdup(base);
	if (!state.latest)
		return wh_fail_memory(err);
	WH_TRY(state_add(&state, base, 0, err));
	return state_write(folder, &state, err);
}

enum wh_status tf_finish(const char *prefix,
			 const struct wh_state_options *options,
			 struct wh_error *err)
{
	char *folder wh_free_auto = NULL;
	const char *base;
	uint32_t n_shards;

	WH_TRY(split(prefix, &folder, &base, err));
	/* Only what this very index says may decide what is deleted. */
	if (shard_count(prefix, &n_shards, NULL) == WH_OK)
		remove_surplus(folder, base, n_shards);
	if (options->state == WH_STATE_UNTOUCHED)
		return WH_OK;
	/* TensorFlow's own words, and as there after the data is written. */
	if (!*folder && strcmp(base, STATE_NAME) == 0)
		return wh_fail(err, WH_EINVAL,
			       "Save path 'checkpoint' conflicts with path "
			       "used for checkpoint state.  Please use a "
			       "different save path.");
	if (options->state == WH_STATE_MANAGED)
		return manage(folder, base, options, err);
	return name_alone(folder, base, err);
}
