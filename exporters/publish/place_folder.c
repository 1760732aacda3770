/* A folder of this machine, with the layout of a server: file:PATH. */
#include "publish/place.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/auto.h"
#include "base/folder.h"
#include "base/temporary.h"
#include "base/text.h"
#include "base/write.h"

#define PIECE ((size_t)1 << 20)

struct folder_place {
	struct place base; /* first: they are cast into each other */
	char *folder;
};

static enum wh_status name_of(struct place *base, const char *path, char **name,
			      struct wh_error *err)
{
	const struct folder_place *place = (struct folder_place *)base;

	WH_TRY(place_check_path(path, err));
	if (asprintf(name, "%s/%s", place->folder, path) < 0) {
		*name = NULL;
		return wh_fail_memory(err);
	}
	return WH_OK;
}

static enum wh_status stat_file(struct place *place,
				const struct content *content,
				struct remote_file *file, struct wh_error *err)
{
	char *name wh_free_auto = NULL;
	struct stat at;

	memset(file, 0, sizeof(*file));
	WH_TRY(name_of(place, content->path, &name, err));
	if (stat(name, &at)) {
		if (errno == ENOENT || errno == ENOTDIR)
			return WH_OK;
		return wh_fail_errno(err, errno, "'%s'", name);
	}
	if (!S_ISREG(at.st_mode))
		return wh_fail(err, WH_EEXISTS, "'%s' is no file", name);
	file->exists = file->has_size = true;
	file->size = (uint64_t)at.st_size;
	return WH_OK;
}

static enum wh_status copy_content(const struct content *content, int fd,
				   const char *name, struct wh_error *err)
{
	uint8_t *piece wh_free_auto = malloc(PIECE);
	uint64_t offset;

	if (!piece)
		return wh_fail_memory(err);
	for (offset = 0; offset < content->size; offset += PIECE) {
		uint64_t left = content->size - offset;
		size_t len = (size_t)(left < PIECE ? left : PIECE);

		WH_TRY(content->read(content->arg, offset, piece, len, err));
		if (!write_at(fd, offset, piece, len))
			return wh_fail_errno(err, errno, "'%s'", name);
	}
	if (fsync(fd))
		return wh_fail_errno(err, errno, "'%s'", name);
	return WH_OK;
}

/* Complete under its name, or not there. */
static enum wh_status write_file(const struct content *content,
				 const char *name, struct wh_error *err)
{
	char *temporary wh_free_auto = NULL;
	enum wh_status status;
	int fd = temporary_open(name, &temporary);

	if (fd < 0)
		return wh_fail_errno(err, errno, "'%s'", name);
	status = copy_content(content, fd, name, err);
	if (close(fd) && !status)
		status = wh_fail_errno(err, errno, "'%s'", name);
	if (!status && rename(temporary, name))
		status = wh_fail_errno(err, errno, "'%s'", name);
	if (status) {
		unlink(temporary);
		return status;
	}
	return sync_folder(name, err);
}

static enum wh_status put_file(struct place *place,
			       const struct content *content,
			       struct wh_error *err)
{
	char *name wh_free_auto = NULL;

	WH_TRY(name_of(place, content->path, &name, err));
	WH_TRY(make_folders(name, err));
	return write_file(content, name, err);
}

static enum wh_status replace_file(struct place *place,
				   const struct content *content,
				   const struct remote_file *expected,
				   struct wh_error *err)
{
	(void)expected; /* the last one wins, as everywhere on a disk */
	return put_file(place, content, err);
}

/* What is no file isn't waited for: a pipe would hold the call for ever. */
static enum wh_status open_file(const char *name, int *fd, struct wh_error *err)
{
	struct stat at;

	*fd = open(name, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	if (*fd < 0 || fstat(*fd, &at))
		return wh_fail_errno(err, errno, "'%s'", name);
	if (!S_ISREG(at.st_mode))
		return wh_fail(err, WH_EINVAL, "'%s' is no file", name);
	return WH_OK;
}

static enum wh_status get_file(struct place *place, const char *path,
			       const struct remote_range *range,
			       remote_sink_fn *sink, void *arg,
			       struct wh_error *err)
{
	uint8_t *piece wh_free_auto = malloc(PIECE);
	char *name wh_free_auto = NULL;
	uint64_t offset = range->offset, end = offset + range->length;
	int fd wh_close_auto = -1;
	ssize_t got = 1;

	if (!piece)
		return wh_fail_memory(err);
	WH_TRY(name_of(place, path, &name, err));
	WH_TRY(open_file(name, &fd, err));
	while (got > 0 && (!range->length || offset < end)) {
		got = pread(fd, piece,
			    range->length && end - offset < PIECE
				    ? (size_t)(end - offset)
				    : PIECE,
			    (off_t)offset);
		if (got < 0)
			return wh_fail_errno(err, errno, "'%s'", name);
		if (got > 0)
			WH_TRY(sink(arg, offset, piece, (size_t)got, err));
		offset += (uint64_t)got;
		if (range->max_length &&
		    offset - range->offset > range->max_length)
			return wh_fail(err, WH_ECORRUPT,
				       "'%s' is longer than it should be",
				       name);
	}
	return WH_OK;
}

static enum wh_status remove_file(struct place *place, const char *path,
				  struct wh_error *err)
{
	char *name wh_free_auto = NULL;

	WH_TRY(name_of(place, path, &name, err));
	if (unlink(name) && errno != ENOENT)
		return wh_fail_errno(err, errno, "'%s'", name);
	*strrchr(name, '/') = '\0';
	if (strchr(path, '/'))
		rmdir(name); /* goes if it is empty */
	return WH_OK;
}

static enum wh_status list_aliases(struct place *base, alias_fn *fn, void *arg,
				   struct wh_error *err)
{
	const struct folder_place *place = (struct folder_place *)base;
	DIR *folder = opendir(place->folder);
	enum wh_status status = WH_OK;
	struct dirent *entry;

	if (!folder)
		return errno == ENOENT
			       ? WH_OK
			       : wh_fail_errno(err, errno, "folder '%s'",
					       place->folder);
	while (!status && (errno = 0, entry = readdir(folder))) {
		char *alias wh_free_auto = strdup(entry->d_name);

		if (!alias)
			status = wh_fail_memory(err);
		else if (text_ends(alias, ".json")) {
			alias[strlen(alias) - 5] = '\0';
			status = fn(arg, alias, err);
		}
	}
	if (!status && errno)
		status =
			wh_fail_errno(err, errno, "folder '%s'", place->folder);
	closedir(folder);
	return status;
}

static void close_place(struct place *base)
{
	struct folder_place *place = (struct folder_place *)base;

	free(place->folder);
	free(place);
}

/* file:PATH, file:///PATH */
static enum wh_status open_place(const struct place_settings *settings,
				 struct place **out, struct wh_error *err)
{
	const char *path = strchr(settings->url, ':') + 1;
	struct folder_place *place;
	size_t len;

	if (strncmp(path, "//", 2) == 0)
		path += 2;
	if (!*path)
		return wh_fail(err, WH_EINVAL, "'%s' names no folder",
			       settings->url);
	place = calloc(1, sizeof(*place));
	if (!place)
		return wh_fail_memory(err);
	place->folder = strdup(path);
	if (!place->folder) {
		free(place);
		return wh_fail_memory(err);
	}
	len = strlen(place->folder);
	while (len > 1 && place->folder[len - 1] == '/')
		place->folder[--len] = '\0';
	place->base.hashes_late = true;
	*out = &place->base;
	return WH_OK;
}

static const char *const schemes[] = {"file", NULL};

const struct place_kind folder_place = {
	.name = "folder",
	.schemes = schemes,
	.open = open_place,
	.stat = stat_file,
	.put = put_file,
	.replace = replace_file,
	.get = get_file,
	.remove = remove_file,
	.aliases = list_aliases,
	.close = close_place,
};
