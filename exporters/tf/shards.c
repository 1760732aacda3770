#include "tf/shards.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/auto.h"
#include "base/reader.h"
#include "tf/bundle.h"
#include "tf/table.h"

#define MAX_INDEX ((size_t)1 << 30)
#define DATA	  ".data-"
#define OF	  "-of-"

static size_t parse_digits(const char *at, uint32_t *value)
{
	size_t n;

	*value = 0;
	for (n = 0; at[n] >= '0' && at[n] <= '9' && n < 9; n++)
		*value = *value * 10 + (uint32_t)(at[n] - '0');
	return n >= 5 ? n : 0;
}

bool shard_parse_numbers(const char *text, uint32_t *shard, uint32_t *of)
{
	size_t n = parse_digits(text, shard);

	if (!n || strncmp(text + n, OF, strlen(OF)) != 0)
		return false;
	text += n + strlen(OF);
	n = parse_digits(text, of);
	return n && text[n] == '\0';
}

bool shard_parse_suffix(const char *suffix, uint32_t *shard, uint32_t *of)
{
	return strncmp(suffix, DATA, strlen(DATA)) == 0 &&
	       shard_parse_numbers(suffix + strlen(DATA), shard, of);
}

size_t shard_suffix_length(const char *path)
{
	const char *slash = strrchr(path, '/');
	const char *at = slash ? slash : path;
	uint32_t shard, of;

	while ((at = strstr(at, DATA))) {
		if (shard_parse_suffix(at, &shard, &of))
			return strlen(at);
		at++;
	}
	return 0;
}

enum wh_status read_whole_file(const char *path, size_t limit, uint8_t **bytes,
			       size_t *len, struct stat *opened,
			       struct wh_error *err)
{
	/* Without blocking on a FIFO that somebody put there. */
	int fd wh_close_auto = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	uint8_t *made;
	ssize_t got;
	size_t size;

	if (fd < 0 || fstat(fd, opened))
		return wh_fail_errno(err, errno, "'%s'", path);
	if (!S_ISREG(opened->st_mode))
		return wh_fail(err, WH_EINVAL, "'%s' is no regular file", path);
	size = (size_t)opened->st_size;
	if (size > limit)
		return wh_fail(err, WH_ECORRUPT, "'%s' is too large", path);
	made = malloc(size + 1);
	if (!made)
		return wh_fail_memory(err);
	got = read_at(fd, 0, made, size);
	if (got < 0 || (size_t)got < size) {
		free(made);
		return wh_fail_errno(err, got < 0 ? errno : EIO, "'%s'", path);
	}
	*bytes = made;
	*len = size;
	return WH_OK;
}

/* The first entry is the header; the rest is not looked at. */
static enum wh_status take_header(void *arg, const uint8_t *key, size_t key_len,
				  const uint8_t *value, size_t value_len,
				  struct wh_error *err)
{
	struct bundle_header *header = arg;

	(void)key;
	if (header->n_shards || key_len)
		return WH_OK;
	return bundle_read_header(value, value_len, header, err);
}

enum wh_status shard_count(const char *prefix, uint32_t *n_shards,
			   struct wh_error *err)
{
	uint8_t *bytes wh_free_auto = NULL;
	char *path wh_free_auto = NULL;
	struct bundle_header header = {0};
	struct stat opened;
	size_t len;

	if (asprintf(&path, "%s.index", prefix) < 0)
		return wh_fail_memory(err);
	WH_TRY(read_whole_file(path, MAX_INDEX, &bytes, &len, &opened, err));
	WH_TRY(table_read(bytes, len, take_header, &header, err));
	*n_shards = header.n_shards;
	return WH_OK;
}

enum wh_status shards_init(struct shard_files *files, const char *prefix,
			   uint32_t n_shards, struct wh_error *err)
{
	uint32_t i;

	files->prefix = strdup(prefix);
	files->files = calloc(n_shards, sizeof(*files->files));
	if (!files->prefix || !files->files)
		return wh_fail_memory(err);
	files->n_shards = n_shards;
	for (i = 0; i < n_shards; i++)
		files->files[i].fd = -1;
	return WH_OK;
}

void shards_free(struct shard_files *files)
{
	uint32_t i;

	for (i = 0; i < files->n_shards; i++)
		if (files->files[i].fd >= 0)
			close(files->files[i].fd);
	ahead_free(&files->ahead);
	free(files->files);
	free(files->prefix);
}

static enum wh_status shard_path(const struct shard_files *files,
				 uint32_t shard, char **path,
				 struct wh_error *err)
{
	if (asprintf(path, "%s" DATA "%05u" OF "%05u", files->prefix, shard,
		     files->n_shards) < 0)
		return wh_fail_memory(err);
	return WH_OK;
}

enum wh_status shards_open(struct shard_files *files, uint32_t shard,
			   struct wh_error *err)
{
	struct shard_file *file = &files->files[shard];
	char *path wh_free_auto = NULL;

	if (file->fd >= 0)
		return WH_OK;
	WH_TRY(shard_path(files, shard, &path, err));
	file->fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	if (file->fd < 0 || fstat(file->fd, &file->opened))
		return wh_fail_errno(err, errno, "'%s'", path);
	if (!S_ISREG(file->opened.st_mode))
		return wh_fail(err, WH_ECORRUPT, "'%s' is no regular file",
			       path);
	return WH_OK;
}

enum wh_status shards_read(struct shard_files *files, uint32_t shard,
			   uint64_t offset, void *buf, size_t len,
			   struct wh_error *err)
{
	ssize_t got = ahead_read(&files->ahead, files->files[shard].fd, offset,
				 buf, len);

	if (got < 0)
		return wh_fail_errno(err, errno, "shard %u", shard);
	if ((size_t)got < len)
		return wh_fail(err, WH_ECORRUPT, "shard %u ends early", shard);
	return WH_OK;
}

static enum wh_status check_same(const char *path, const struct stat *opened,
				 struct wh_error *err)
{
	struct stat now;

	if (stat(path, &now) == 0 && stat_is_same(&now, opened))
		return WH_OK;
	return wh_fail(err, WH_EMISMATCH, "'%s' changed while it was read",
		       path);
}

enum wh_status shards_unchanged(const struct shard_files *files,
				struct wh_error *err)
{
	char *index wh_free_auto = NULL;
	uint32_t i;

	if (asprintf(&index, "%s.index", files->prefix) < 0)
		return wh_fail_memory(err);
	WH_TRY(check_same(index, &files->index, err));
	for (i = 0; i < files->n_shards; i++) {
		char *path wh_free_auto = NULL;

		if (files->files[i].fd < 0)
			continue;
		WH_TRY(shard_path(files, i, &path, err));
		WH_TRY(check_same(path, &files->files[i].opened, err));
	}
	return WH_OK;
}
