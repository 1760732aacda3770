#include "hdf5/keras3/source.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/auto.h"

static void close_source(struct wh_source *base)
{
	struct keras3_source *source = (struct keras3_source *)base;
	uint32_t i;

	for (i = 0; i < source->n_parts; i++)
		wh_source_close(&source->parts[i]->base);
	for (i = 0; i < source->n_files; i++)
		close(source->files[i].fd);
	arena_free(&source->arena);
	free(source);
}

enum wh_status keras3_source_new(uint32_t n_files, uint32_t n_parts,
				 struct keras3_source **out,
				 struct wh_error *err)
{
	struct keras3_source *source = calloc(1, sizeof(*source));

	if (!source)
		return wh_fail_memory(err);
	source->base.ops = &keras3_flat_ops;
	source->files =
		arena_alloc(&source->arena, n_files, sizeof(*source->files));
	source->parts =
		arena_alloc(&source->arena, n_parts, sizeof(*source->parts));
	source->file_of =
		arena_alloc(&source->arena, n_parts, sizeof(*source->file_of));
	if (!source->files || !source->parts || !source->file_of) {
		close_source(&source->base);
		return wh_fail_memory(err);
	}
	*out = source;
	return WH_OK;
}

enum wh_status keras3_source_add_file(struct keras3_source *source,
				      const char *path, const char *suffix,
				      struct wh_error *err)
{
	struct keras3_file *file = &source->files[source->n_files];

	/* Without blocking on a FIFO that somebody put there. */
	file->fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	if (file->fd < 0)
		return wh_fail_errno(err, errno, "can't open '%s'", path);
	source->n_files++;
	if (fstat(file->fd, &file->opened) < 0)
		return wh_fail_errno(err, errno, "can't open '%s'", path);
	if (!S_ISREG(file->opened.st_mode))
		return wh_fail(err, WH_EINVAL, "'%s' is not a regular file",
			       path);
	file->suffix = arena_strdup(&source->arena, suffix);
	return file->suffix ? WH_OK : wh_fail_memory(err);
}

enum wh_status keras3_source_add_part(struct keras3_source *source,
				      uint32_t file, int fd, uint64_t base,
				      uint64_t size, struct wh_error *err)
{
	if (fd < 0)
		fd = fcntl(source->files[file].fd, F_DUPFD_CLOEXEC, 0);
	if (fd < 0)
		return wh_fail_errno(err, errno, "can't open a file again");
	WH_TRY(h5_source_open_part(fd, base, size,
				   &source->parts[source->n_parts], err));
	source->file_of[source->n_parts++] = file;
	return WH_OK;
}

/* ---- Reading ---------------------------------------------------------- */

static enum wh_status read_file(const struct keras3_file *file, uint64_t offset,
				void *buf, size_t len, struct wh_error *err)
{
	struct input_file input = {.fd = file->fd,
				   .size = (uint64_t)file->opened.st_size};
	int failed = input_read(&input, offset, buf, len);

	if (failed > 0)
		return wh_fail_errno(err, failed, "can't read the file");
	if (failed < 0)
		return wh_fail(err, WH_ECORRUPT, "the file has become shorter");
	return WH_OK;
}

enum wh_status keras3_read_run(void *arg, const struct skeleton_run *run,
			       uint64_t skip, void *buf, size_t len,
			       struct wh_error *err)
{
	const struct keras3_source *source = arg;

	return read_file(&source->files[run->file], run->offset + skip, buf,
			 len, err);
}

static enum wh_status read_source(struct wh_source *base, uint32_t index,
				  uint64_t offset, void *buf, size_t len,
				  struct wh_error *err)
{
	struct keras3_source *source = (struct keras3_source *)base;
	const struct keras3_dataset *place;
	enum wh_status status;

	if (len == 0)
		return WH_OK;
	if (index >= base->manifest.n_tensors)
		return skeleton_read(&source->skeleton, offset, buf, len, err);
	place = &source->places[index];
	status = h5_source_read(source->parts[place->part], place->index,
				offset, buf, len, err);
	if (status)
		wh_error_prefix(err, "tensor '%s'",
				base->manifest.tensors[index].key);
	return status;
}

static enum wh_status check_unchanged(struct wh_source *base,
				      struct wh_error *err)
{
	const struct keras3_source *source = (struct keras3_source *)base;
	uint32_t i;

	for (i = 0; i < source->n_files; i++)
		WH_TRY(h5_check_unchanged(source->files[i].fd,
					  &source->files[i].opened, err));
	return WH_OK;
}

const struct wh_source_ops keras3_flat_ops = {
	.read = read_source,
	.unchanged = check_unchanged,
	.close = close_source,
	.concurrent = true,
	.scattered = true,
};

const struct wh_source_ops keras3_packed_ops = {
	.read = read_source,
	.unchanged = check_unchanged,
	.close = close_source,
	.concurrent = true,
};
