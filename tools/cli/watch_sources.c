#include "watch_sources.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/error.h"
#include "base/sha256.h"

#define MAX_FILES  4096 /* shards of a checkpoint */
#define PIECE_SIZE ((size_t)1 << 20)

void watch_sources_free(struct watch_sources *sources)
{
	while (sources->n)
		free(sources->files[--sources->n].path);
	free(sources->files);
	sources->files = NULL;
}

static void take_out(struct watch_sources *sources, size_t at)
{
	memmove(&sources->files[at], &sources->files[at + 1],
		(sources->n - at - 1) * sizeof(*sources->files));
	sources->n--;
}

bool watch_sources_add(struct watch_sources *sources,
		       const struct watch_source *source)
{
	struct watch_source *moved;
	size_t i;

	if (!sources->wanted)
		return true;
	for (i = 0; i < sources->n; i++) {
		if (strcmp(sources->files[i].path, source->path) != 0)
			continue;
		free(sources->files[i].path);
		take_out(sources, i);
		break;
	}
	moved = realloc(sources->files, (sources->n + 1) * sizeof(*moved));
	if (!moved)
		return false;
	sources->files = moved;
	moved[sources->n] = *source;
	moved[sources->n].path = strdup(source->path);
	if (!moved[sources->n].path)
		return false;
	sources->n++;
	return true;
}

bool watch_sources_next(struct watch_sources *sources,
			struct watch_source *gone)
{
	if (!sources->wanted || sources->n <= sources->keep)
		return false;
	*gone = sources->files[0];
	take_out(sources, 0);
	return true;
}

/* ---- Deleting --------------------------------------------------------------
 */

struct paths {
	char *at[MAX_FILES];
	size_t n;
	bool all;
};

static void note(void *arg, const char *file)
{
	struct paths *paths = arg;

	if (paths->n < MAX_FILES && (paths->at[paths->n] = strdup(file)))
		paths->n++;
	else
		paths->all = false;
}

/* The main file first: without it the others are no checkpoint. */
static enum watch_deletion delete_files(const struct watch_source *source,
					struct paths *paths)
{
	struct checkpoint_state now;
	size_t i;

	checkpoint_look(source->path, &now, note, paths);
	if (!paths->all || !now.exists ||
	    !checkpoint_same(&now, &source->state))
		return WATCH_NOT_AS_BEFORE;
	for (i = 0; i < paths->n; i++)
		if (unlink(paths->at[i]) && errno != ENOENT)
			return WATCH_UNDELETABLE;
	return WATCH_DELETED;
}

enum watch_deletion watch_source_delete(const struct watch_source *source)
{
	struct paths *paths;
	enum watch_deletion how;
	struct stat at;
	int why;

	if (!source->reproducible)
		return WATCH_NOT_REPRODUCIBLE;
	if (stat(source->path, &at) == 0 && S_ISDIR(at.st_mode))
		return WATCH_NOT_FILES;
	paths = calloc(1, sizeof(*paths));
	if (!paths)
		return WATCH_UNDELETABLE;
	paths->all = true;
	how = delete_files(source, paths);
	why = errno;
	while (paths->n)
		free(paths->at[--paths->n]);
	free(paths);
	errno = why;
	return how;
}

/* ---- Reading back ----------------------------------------------------------
 */

static enum wh_status hash_tensor(struct wh_source *snapshot, uint32_t index,
				  struct sha256 *hash, uint8_t *piece,
				  struct wh_error *err)
{
	const struct wh_tensor *tensor = &snapshot->manifest.tensors[index];
	uint8_t digest[SHA256_SIZE];
	uint64_t at;

	WH_TRY(sha256_reset(hash, err));
	for (at = 0; at < tensor->nbytes; at += PIECE_SIZE) {
		uint64_t left = tensor->nbytes - at;
		size_t len = left < PIECE_SIZE ? (size_t)left : PIECE_SIZE;

		WH_TRY(wh_source_read(snapshot, index, at, piece, len, err));
		WH_TRY(sha256_update(hash, piece, len, err));
	}
	WH_TRY(sha256_final(hash, digest, err));
	if (memcmp(digest, tensor->sha256, sizeof(digest)) == 0)
		return WH_OK;
	return wh_fail(err, WH_ECORRUPT,
		       "tensor '%s' is not in the store as it was committed",
		       tensor->key ? tensor->key : "");
}

/* wh_verify would look at all pages of the store, each time. */
enum wh_status watch_source_verify(struct wh_store *store, const char *snapshot,
				   struct wh_error *err)
{
	struct wh_source *source = NULL;
	struct sha256 *hash = NULL;
	uint8_t *piece = malloc(PIECE_SIZE);
	enum wh_status status = WH_OK;
	uint32_t i, n = 0;

	if (!piece)
		return wh_fail_memory(err);
	status = wh_snapshot_open(store, snapshot, &source, err);
	if (!status)
		status = sha256_new(&hash, err);
	if (!status)
		n = source->manifest.n_tensors + source->manifest.n_hidden;
	for (i = 0; i < n && !status; i++)
		status = hash_tensor(source, i, hash, piece, err);
	sha256_free(hash);
	wh_source_close(source);
	free(piece);
	return status;
}
