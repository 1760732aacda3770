#include "publish/pull.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/auto.h"
#include "base/folder.h"
#include "base/sha256.h"
#include "base/text.h"
#include "base/write.h"
#include "publish/publication.h"
#include "publish/transfers.h"

#define PART	     ".part" /* what is not complete yet */
#define MAX_RESTARTS 2

struct pulling {
	struct place *place;
	const char *folder;
	const struct pull_options *options;
	struct manifest *manifest;
	char root[600]; /* of the manifest's paths: "v/ID/" */
	uint64_t total;
};

/* ---- Pointer and manifest -------------------------------------------------
 */

static enum wh_status read_pointer(struct place *place, const char *alias,
				   struct pointer *pointer,
				   struct wh_error *err)
{
	enum wh_status status = place_resolve(place, alias, pointer, err);

	if (status == WH_ENOTFOUND)
		wh_error_prefix(err, "nothing is published as '%s'", alias);
	return status;
}

static enum wh_status check_digest(const struct wh_buf *text, const char *hex,
				   struct wh_error *err)
{
	uint8_t digest[DIGEST_SIZE];
	char found[HEX_SIZE];

	WH_TRY(sha256_of(text->data, text->size, digest, err));
	text_hex(digest, sizeof(digest), found);
	if (strcmp(found, hex) != 0)
		return wh_fail(err, WH_EMISMATCH,
			       "the manifest is not the one that the pointer "
			       "means");
	return WH_OK;
}

/* A snapshot's own manifest has its name in folders; a registry knows it as
 * an alias. */
static enum wh_status find_manifest(struct place *place,
				    const struct pull_options *options,
				    struct pointer *pointer,
				    struct wh_error *err)
{
	if (!options->snapshot)
		return read_pointer(place, options->alias, pointer, err);
	if (place->kind->resolve)
		return read_pointer(place, options->snapshot, pointer, err);
	snprintf(pointer->manifest, sizeof(pointer->manifest),
		 "v/%s/MANIFEST.json", options->snapshot);
	return WH_OK;
}

static enum wh_status read_manifest(struct place *place,
				    const struct pull_options *options,
				    struct manifest *manifest, char *path,
				    size_t size, struct wh_error *err)
{
	struct wh_buf text wh_buf_auto = {0};
	struct pointer pointer = {0};

	WH_TRY(find_manifest(place, options, &pointer, err));
	snprintf(path, size, "%s", pointer.manifest);
	WH_TRY(place_read(place, path, &text, err));
	if (*pointer.sha256)
		WH_TRY(check_digest(&text, pointer.sha256, err));
	WH_TRY(manifest_parse(text.data, text.size, manifest, err));
	if (options->snapshot &&
	    strcmp(options->snapshot, manifest->snapshot) != 0) {
		manifest_free(manifest);
		return wh_fail(err, WH_EMISMATCH,
			       "the manifest is another snapshot's");
	}
	return WH_OK;
}

static void drop_other_formats(struct manifest *manifest, const char *format)
{
	size_t i, n = 0;

	for (i = 0; i < manifest->n_files; i++) {
		struct manifest_file *file = &manifest->files[i];

		if (strcmp(file->format, format) == 0) {
			manifest->files[n++] = *file;
			continue;
		}
		free(file->path);
		free(file->format);
	}
	manifest->n_files = n;
}

/* ---- One file -------------------------------------------------------------
 */

struct taking {
	int fd;
	const char *name;
	struct sha256 *hash;
	uint64_t at; /* hashed and written so far */
};

/* A server that ignores the range begins anew; a try that is repeated brings
 * again some of what is there. */
static enum wh_status take(void *arg, uint64_t offset, const void *bytes,
			   size_t len, struct wh_error *err)
{
	struct taking *taking = arg;
	const uint8_t *from = bytes;

	if (offset && offset < taking->at) {
		uint64_t again = taking->at - offset;

		if (again >= len)
			return WH_OK;
		from += again;
		len -= (size_t)again;
	} else if (offset != taking->at) {
		if (offset != 0)
			return wh_fail(err, WH_EREMOTE,
				       "the server sends another range than "
				       "was asked for");
		WH_TRY(sha256_reset(taking->hash, err));
		taking->at = 0;
	}
	WH_TRY(sha256_update(taking->hash, from, len, err));
	if (!write_at(taking->fd, taking->at, from, len))
		return wh_fail_errno(err, errno, "'%s'", taking->name);
	taking->at += len;
	return WH_OK;
}

/* What an earlier try left, hashed again. */
static enum wh_status hash_there(struct taking *taking, uint64_t size,
				 struct wh_error *err)
{
	/* One byte more tells that it is longer. */
	WH_TRY(sha256_update_file(taking->hash, taking->fd, &taking->at,
				  size + 1, taking->name, err));
	if (taking->at <= size)
		return WH_OK;
	taking->at = 0; /* longer than it should be: anew */
	return sha256_reset(taking->hash, err);
}

static enum wh_status take_rest(struct pulling *pulling, const char *path,
				const struct manifest_file *file,
				struct taking *taking, struct wh_error *err)
{
	struct place *place = pulling->place;
	struct content content = {.path = path, .size = file->size};
	struct remote_range range = {.offset = taking->at,
				     .max_length = file->size,
				     .goes_on = true};
	struct remote_file there = {0};

	if (taking->at == file->size)
		return WH_OK;
	/* A weak ETag, or none, costs a second try where the file is another:
	 * the digest tells. */
	if (taking->at) {
		text_unhex(file->sha256, content.sha256, DIGEST_SIZE);
		WH_TRY(place->kind->stat(place, &content, &there, err));
	}
	range.etag = there.etag;
	return place->kind->get(place, path, &range, take, taking, err);
}

static enum wh_status check_taken(struct taking *taking,
				  const struct manifest_file *file,
				  struct wh_error *err)
{
	uint8_t digest[DIGEST_SIZE];
	char hex[HEX_SIZE];

	WH_TRY(sha256_final(taking->hash, digest, err));
	text_hex(digest, sizeof(digest), hex);
	if (taking->at == file->size && strcmp(hex, file->sha256) == 0)
		return WH_OK;
	return wh_fail(err, WH_EMISMATCH,
		       "'%s' arrived with other bytes than the manifest says",
		       file->path);
}

static enum wh_status take_file(struct pulling *pulling, const char *path,
				const struct manifest_file *file,
				struct taking *taking, struct wh_error *err)
{
	WH_TRY(hash_there(taking, file->size, err));
	WH_TRY(take_rest(pulling, path, file, taking, err));
	WH_TRY(check_taken(taking, file, err));
	if (ftruncate(taking->fd, (off_t)file->size) || fsync(taking->fd))
		return wh_fail_errno(err, errno, "'%s'", taking->name);
	return WH_OK;
}

static enum wh_status open_part(struct pulling *pulling,
				const struct manifest_file *file, char **name,
				struct taking *taking, struct wh_error *err)
{
	if (asprintf(name, "%s/%s" PART, pulling->folder, file->path) < 0) {
		*name = NULL;
		return wh_fail_memory(err);
	}
	WH_TRY(make_folders(*name, err));
	taking->name = *name;
	taking->fd =
		open(*name, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0666);
	if (taking->fd < 0)
		return wh_fail_errno(err, errno, "'%s'", *name);
	return sha256_new(&taking->hash, err);
}

/* A file that turns out wrong may have been resumed on bytes that are: once
 * more, from the start. */
static enum wh_status pull_file(struct pulling *pulling,
				const struct manifest_file *file,
				struct wh_error *err)
{
	struct taking taking = {.fd = -1};
	char *name wh_free_auto = NULL;
	char *path wh_free_auto = NULL;
	enum wh_status status;
	int i;

	if (asprintf(&path, "%s%s", pulling->root, file->path) < 0) {
		path = NULL;
		return wh_fail_memory(err);
	}
	status = open_part(pulling, file, &name, &taking, err);
	for (i = 0; !status && i < MAX_RESTARTS; i++) {
		status = take_file(pulling, path, file, &taking, err);
		if (status != WH_EMISMATCH || i + 1 == MAX_RESTARTS)
			break;
		taking.at = 0;
		status = sha256_reset(taking.hash, err);
		if (!status && ftruncate(taking.fd, 0))
			status = wh_fail_errno(err, errno, "'%s'", name);
	}
	sha256_free(taking.hash);
	if (taking.fd >= 0)
		close(taking.fd);
	if (status == WH_EMISMATCH)
		unlink(name);
	return status;
}

/* ---- All of them ----------------------------------------------------------
 */

static enum wh_status pull_one(void *arg, size_t index, struct wh_error *err)
{
	struct pulling *pulling = arg;

	return pull_file(pulling, &pulling->manifest->files[index], err);
}

static bool poll_user(void *arg)
{
	struct pulling *pulling = arg;
	const struct pull_options *options = pulling->options;
	struct http_meter *meter = pulling->place->meter;
	uint64_t done = meter ? atomic_load(&meter->received) : 0;

	if (done > pulling->total)
		done = pulling->total;
	return !options->progress ||
	       options->progress(options->arg, done, pulling->total);
}

/* In the manifest's order: what readers look for comes last. */
static enum wh_status show_files(const struct pulling *pulling,
				 struct wh_error *err)
{
	size_t i;

	for (i = 0; i < pulling->manifest->n_files; i++) {
		const char *path = pulling->manifest->files[i].path;
		char *part wh_free_auto = NULL;
		char *final wh_free_auto = NULL;

		if (asprintf(&part, "%s/%s" PART, pulling->folder, path) < 0)
			part = NULL;
		if (asprintf(&final, "%s/%s", pulling->folder, path) < 0)
			final = NULL;
		if (!part || !final)
			return wh_fail_memory(err);
		if (rename(part, final))
			return wh_fail_errno(err, errno, "'%s'", final);
		WH_TRY(sync_folder(final, err));
	}
	return WH_OK;
}

static enum wh_status pull_files(struct pulling *pulling, struct wh_error *err)
{
	struct transfers transfers = {
		.n = pulling->manifest->n_files,
		.parallel = pulling->place->parallel,
		.transfer = pull_one,
		.arg = pulling,
		.meter = pulling->place->meter,
		.poll = poll_user,
		.poll_arg = pulling,
	};
	size_t i;

	for (i = 0; i < pulling->manifest->n_files; i++)
		pulling->total += pulling->manifest->files[i].size;
	WH_TRY(transfers_run(&transfers, err));
	return show_files(pulling, err);
}

enum wh_status pull_find(struct place *place,
			 const struct pull_options *options,
			 struct manifest *manifest, char *root, size_t size,
			 struct wh_error *err)
{
	char *slash;

	WH_TRY(read_manifest(place, options, manifest, root, size, err));
	slash = strrchr(root, '/');
	slash = slash ? slash + 1 : root;
	*slash = '\0';
	return WH_OK;
}

/* In a thread of its own too, so that Ctrl-C is heard. */
static enum wh_status find_out(void *arg, size_t index, struct wh_error *err)
{
	struct pulling *pulling = arg;

	(void)index;
	return pull_find(pulling->place, pulling->options, pulling->manifest,
			 pulling->root, sizeof(pulling->root), err);
}

static enum wh_status pull_manifest(struct pulling *pulling,
				    struct wh_error *err)
{
	struct transfers alone = {.n = 1,
				  .parallel = 1,
				  .transfer = find_out,
				  .arg = pulling,
				  .meter = pulling->place->meter,
				  .poll = poll_user,
				  .poll_arg = pulling};

	return transfers_run(&alone, err);
}

enum wh_status pull_run(struct place *place, const char *folder,
			const struct pull_options *options,
			struct manifest *manifest, struct wh_error *err)
{
	struct pulling pulling = {.place = place,
				  .folder = folder,
				  .options = options,
				  .manifest = manifest};
	enum wh_status status;

	WH_TRY(pull_manifest(&pulling, err));
	if (options->format)
		drop_other_formats(manifest, options->format);
	status = manifest->n_files
			 ? pull_files(&pulling, err)
			 : wh_fail(err, WH_ENOTFOUND,
				   "it was not published as format %s",
				   options->format ? options->format : "any");
	if (status)
		manifest_free(manifest);
	return status;
}
