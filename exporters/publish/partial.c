#include "publish/partial.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/auto.h"
#include "base/folder.h"
#include "base/sha256.h"
#include "base/text.h"
#include "base/write.h"

/* In the order of how few requests they take: HDF5 says where a dataset lies in
 * blocks that are all over the file. */
static const char *const in_parts[] = {"safetensors", "tf", "h5"};

static bool has_format(const struct manifest *manifest, const char *format)
{
	size_t i;

	for (i = 0; i < manifest->n_files; i++)
		if (strcmp(manifest->files[i].format, format) == 0)
			return true;
	return false;
}

static enum wh_status choose_format(const struct partial *partial,
				    const char **format, struct wh_error *err)
{
	size_t i;

	for (i = 0; i < sizeof(in_parts) / sizeof(in_parts[0]); i++) {
		if (*format && strcmp(*format, in_parts[i]) != 0)
			continue;
		if (has_format(&partial->manifest, in_parts[i])) {
			*format = in_parts[i];
			return WH_OK;
		}
	}
	if (*format && !has_format(&partial->manifest, *format))
		return wh_fail(err, WH_ENOTFOUND,
			       "it was not published as format %s", *format);
	return wh_fail(err, WH_EUNSUPPORTED,
		       "%s files tell where their weights are only to who "
		       "reads them whole: publish it as safetensors, tf or "
		       "h5 to pull some layers",
		       *format ? *format : partial->manifest.files[0].format);
}

static enum wh_status open_file(struct partial *partial,
				struct partial_file *file, struct wh_error *err)
{
	struct content content = {.size = file->file->size};
	struct remote_file there;

	if (asprintf(&file->path, "%s%s", partial->root, file->file->path) <
	    0) {
		file->path = NULL;
		return wh_fail_memory(err);
	}
	if (asprintf(&file->name, "%s/%s", partial->folder, file->file->path) <
	    0) {
		file->name = NULL;
		return wh_fail_memory(err);
	}
	content.path = file->path;
	text_unhex(file->file->sha256, content.sha256, DIGEST_SIZE);
	WH_TRY(partial->place->kind->stat(partial->place, &content, &there,
					  err));
	if (!remote_is_same(&there, &content))
		return wh_fail(err, WH_EMISMATCH,
			       "'%s' is not there as the manifest says",
			       file->path);
	snprintf(file->etag, sizeof(file->etag), "%s", there.etag);
	WH_TRY(make_folders(file->name, err));
	file->fd =
		open(file->name,
		     O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600);
	if (file->fd < 0 || ftruncate(file->fd, (off_t)file->file->size))
		return wh_fail_errno(err, errno, "'%s'", file->name);
	return WH_OK;
}

static enum wh_status open_files(struct partial *partial, const char *format,
				 struct wh_error *err)
{
	const struct manifest *manifest = &partial->manifest;
	size_t i;

	partial->files = calloc(manifest->n_files, sizeof(*partial->files));
	if (!partial->files)
		return wh_fail_memory(err);
	for (i = 0; i < manifest->n_files; i++) {
		if (strcmp(manifest->files[i].format, format) != 0)
			continue;
		partial->files[partial->n].file = &manifest->files[i];
		partial->files[partial->n].fd = -1;
		WH_TRY(open_file(partial, &partial->files[partial->n++], err));
	}
	return WH_OK;
}

enum wh_status partial_open(struct partial *partial,
			    const struct pull_options *options,
			    struct wh_error *err)
{
	const char *format = options->format;

	WH_TRY(pull_find(partial->place, options, &partial->manifest,
			 partial->root, sizeof(partial->root), err));
	if (!partial->manifest.n_files)
		return wh_fail(err, WH_ENOTFOUND, "the manifest lists no file");
	WH_TRY(choose_format(partial, &format, err));
	return open_files(partial, format, err);
}

void partial_close(struct partial *partial)
{
	size_t i;

	for (i = 0; i < partial->n; i++) {
		struct partial_file *file = &partial->files[i];

		if (file->fd >= 0) {
			close(file->fd);
			unlink(file->name);
		}
		free(file->path);
		free(file->name);
	}
	free(partial->files);
	manifest_free(&partial->manifest);
}

/* ---- Runs -----------------------------------------------------------------
 */

struct putting {
	const struct partial_file *file;
	uint64_t end, at;
};

static enum wh_status put(void *arg, uint64_t offset, const void *bytes,
			  size_t len, struct wh_error *err)
{
	struct putting *putting = arg;

	if (offset > putting->end || len > putting->end - offset)
		return wh_fail(err, WH_EREMOTE,
			       "the server sends another range than was asked "
			       "for");
	if (!write_at(putting->file->fd, offset, bytes, len))
		return wh_fail_errno(err, errno, "'%s'", putting->file->name);
	putting->at = offset + len;
	return WH_OK;
}

enum wh_status partial_fetch(struct partial *partial, struct partial_file *file,
			     uint64_t offset, uint64_t length,
			     struct wh_error *err)
{
	struct place *place = partial->place;
	struct remote_range range = {
		.offset = offset, .length = length, .etag = file->etag};
	struct putting putting = {.file = file, .end = offset + length};

	if (offset > file->file->size || length > file->file->size - offset)
		return wh_fail(err, WH_ECORRUPT, "'%s' is too short",
			       file->path);
	if (!length)
		return WH_OK;
	WH_TRY(place->kind->get(place, file->path, &range, put, &putting, err));
	partial->received += length;
	if (putting.at != putting.end)
		return wh_fail(err, WH_EREMOTE,
			       "'%s': less came than was asked for",
			       file->path);
	return WH_OK;
}

enum wh_status partial_fetch_whole(struct partial *partial,
				   struct partial_file *file,
				   struct wh_error *err)
{
	uint8_t digest[DIGEST_SIZE];
	char hex[HEX_SIZE];
	struct sha256 *hash;
	enum wh_status status;
	uint64_t at = 0;

	WH_TRY(partial_fetch(partial, file, 0, file->file->size, err));
	WH_TRY(sha256_new(&hash, err));
	status = sha256_update_file(hash, file->fd, &at, file->file->size,
				    file->name, err);
	if (!status)
		status = sha256_final(hash, digest, err);
	sha256_free(hash);
	if (status)
		return status;
	text_hex(digest, sizeof(digest), hex);
	if (strcmp(hex, file->file->sha256) == 0)
		return WH_OK;
	return wh_fail(err, WH_EMISMATCH,
		       "'%s' arrived with other bytes than the manifest says",
		       file->path);
}
