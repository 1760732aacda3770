/* A plan's images as files: complete under their names, or not there. */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/auto.h"
#include "base/folder.h"
#include "base/sha256.h"
#include "base/temporary.h"
#include "base/text.h"
#include "engine.h"
#include "plan_internal.h"

#define MAX_LINKS 40u /* as the kernel's */

struct target {		 /* of one image */
	char *shown;	 /* as the caller spelled it, with the suffix */
	char *final;	 /* what it is a symlink to, or the same */
	char *temporary; /* NULL once it is renamed */
	int fd;
	char sha256[WH_ID_SIZE];
};

struct writing {
	struct wh_plan *plan;
	const struct wh_save_options *options;
	struct target *targets;
	uint32_t n;
};

static void writing_free(struct writing *writing)
{
	uint32_t i;

	for (i = 0; writing->targets && i < writing->n; i++) {
		struct target *target = &writing->targets[i];

		if (target->fd >= 0)
			close(target->fd);
		if (target->temporary)
			unlink(target->temporary);
		free(target->temporary);
		free(target->shown);
		free(target->final);
	}
	free(writing->targets);
}

/* What the symlink at `path` says, from where it stands; NULL if it is none. */
static char *read_link(const char *path)
{
	const char *slash = strrchr(path, '/');
	int folder = slash ? (int)(slash - path + 1) : 0;
	char said[PATH_MAX], *joined = NULL;
	ssize_t len = readlink(path, said, sizeof(said) - 1);

	if (len < 0)
		return NULL;
	said[len] = '\0';
	if (said[0] == '/')
		folder = 0;
	return asprintf(&joined, "%.*s%s", folder, path, said) < 0 ? NULL
								   : joined;
}

/* A symlink is followed, also to where nothing is yet: what it points to is
 * replaced, not the link. */
static char *follow(const char *path)
{
	char *at = realpath(path, NULL), *next;
	unsigned depth;

	if (at)
		return at;
	at = strdup(path);
	for (depth = 0; at && depth < MAX_LINKS; depth++) {
		next = read_link(at);
		if (!next)
			break;
		free(at);
		at = next;
	}
	return at;
}

static enum wh_status open_target(struct target *target, uint64_t size,
				  struct wh_error *err)
{
	struct stat before;
	bool exists = stat(target->final, &before) == 0;

	if (exists && S_ISDIR(before.st_mode))
		return wh_fail_errno(err, EISDIR, "'%s'", target->shown);
	/* A rename would not ask: who made it read-only wants to keep it. */
	if (exists && faccessat(AT_FDCWD, target->final, W_OK, AT_EACCESS))
		return wh_fail_errno(err, errno, "'%s'", target->shown);
	target->fd = temporary_open(target->final, &target->temporary);
	if (target->fd < 0)
		return wh_fail_errno(err, errno, "'%s'", target->shown);
	if (exists && fchmod(target->fd, before.st_mode & 07777))
		return wh_fail_errno(err, errno, "'%s'", target->shown);
	/* A full disk is told before the first byte, where it can be. */
	if (size && fallocate(target->fd, 0, 0, (off_t)size) &&
	    errno != EOPNOTSUPP && errno != ENOSYS && errno != EINTR)
		return wh_fail_errno(err, errno, "'%s'", target->shown);
	return WH_OK;
}

static enum wh_status open_targets(struct writing *writing, const char *path,
				   struct wh_error *err)
{
	uint32_t i;

	writing->n = wh_plan_n_images(writing->plan);
	writing->targets = calloc(writing->n, sizeof(*writing->targets));
	if (!writing->targets)
		return wh_fail_memory(err);
	for (i = 0; i < writing->n; i++)
		writing->targets[i].fd = -1;
	for (i = 0; i < writing->n; i++) {
		const struct wh_image *image = wh_plan_image(writing->plan, i);
		struct target *target = &writing->targets[i];

		target->shown = wh_image_path(path, image->suffix);
		if (!target->shown)
			return wh_fail_memory(err);
		target->final = follow(target->shown);
		if (!target->final)
			return wh_fail_memory(err);
		WH_TRY(open_target(target, image->size, err));
	}
	return WH_OK;
}

static enum wh_status hash_file(struct target *target, struct wh_error *err)
{
	uint8_t digest[SHA256_SIZE];
	struct sha256 *hash;
	enum wh_status status;
	uint64_t at = 0;

	WH_TRY(sha256_new(&hash, err));
	status = sha256_update_file(hash, target->fd, &at, UINT64_MAX,
				    target->shown, err);
	if (!status)
		status = sha256_final(hash, digest, err);
	sha256_free(hash);
	if (!status)
		text_hex(digest, sizeof(digest), target->sha256);
	return status;
}

static enum wh_status check_written(struct writing *writing, uint32_t i,
				    struct wh_error *err)
{
	bool equal;

	if (!writing->options->verify)
		return WH_OK;
	WH_TRY(compare_image(writing->plan, i, writing->targets[i].fd, &equal,
			     err));
	if (equal)
		return WH_OK;
	return wh_fail(err, WH_EIO, "'%s' reads back differently",
		       writing->targets[i].shown);
}

static enum wh_status fill_targets(struct writing *writing,
				   struct wh_error *err)
{
	struct copying copying = {
		.progress = writing->options->progress,
		.arg = writing->options->arg,
		.total_bytes = plan_size(writing->plan),
		.threads = writing->options->threads,
	};
	uint32_t i;

	for (i = 0; i < writing->n; i++) {
		struct target *target = &writing->targets[i];
		enum wh_status status =
			copy_image(writing->plan, i, target->fd, &copying, err);

		if (status) {
			wh_error_prefix(err, "'%s'", target->shown);
			return status;
		}
		if (writing->options->digests)
			WH_TRY(hash_file(target, err));
		WH_TRY(check_written(writing, i, err));
		if (fsync(target->fd))
			return wh_fail_errno(err, errno, "'%s'", target->shown);
	}
	return WH_OK;
}

enum wh_status check_source(struct wh_plan *plan, struct wh_error *err)
{
	struct wh_source *source = wh_plan_source(plan);

	if (!source->ops->unchanged)
		return WH_OK;
	return source->ops->unchanged(source, err);
}

/* In the images' order: what readers look for comes last. */
static enum wh_status publish(struct writing *writing, struct wh_error *err)
{
	uint32_t i;

	for (i = 0; i < writing->n; i++) {
		struct target *target = &writing->targets[i];
		int fd = target->fd;

		target->fd = -1;
		if (close(fd))
			return wh_fail_errno(err, errno, "'%s'", target->shown);
		if (rename(target->temporary, target->final))
			return wh_fail_errno(err, errno, "'%s'", target->shown);
		free(target->temporary);
		target->temporary = NULL;
		WH_TRY(sync_folder(target->final, err));
	}
	return WH_OK;
}

static enum wh_status fill_saved(struct writing *writing,
				 struct wh_saved *saved, struct wh_error *err)
{
	uint32_t i;

	if (!saved)
		return WH_OK;
	saved->files = calloc(writing->n, sizeof(*saved->files));
	if (!saved->files)
		return wh_fail_memory(err);
	saved->n_files = writing->n;
	for (i = 0; i < writing->n; i++) {
		struct target *target = &writing->targets[i];

		saved->files[i].path = wh_steal(&target->shown);
		saved->files[i].size = wh_plan_image(writing->plan, i)->size;
		memcpy(saved->files[i].sha256, target->sha256,
		       sizeof(target->sha256));
	}
	return WH_OK;
}

void wh_saved_free(struct wh_saved *saved)
{
	size_t i;

	for (i = 0; i < saved->n_files; i++)
		free(saved->files[i].path);
	free(saved->files);
	memset(saved, 0, sizeof(*saved));
}

enum wh_status write_files(struct wh_plan *plan, const char *path,
			   bool makes_folders,
			   const struct wh_save_options *options,
			   struct wh_saved *saved, struct wh_error *err)
{
	struct writing writing = {.plan = plan, .options = options};
	enum wh_status status = plan_check(plan, err);

	if (!status && makes_folders)
		status = make_folders(path, err);
	if (!status)
		status = open_targets(&writing, path, err);
	if (!status)
		status = fill_targets(&writing, err);
	if (!status)
		status = check_source(plan, err);
	if (!status)
		status = publish(&writing, err);
	if (!status)
		status = fill_saved(&writing, saved, err);
	writing_free(&writing);
	return status;
}
