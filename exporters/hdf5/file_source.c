#include "hdf5/file_source.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/auto.h"
#include "base/endian.h"
#include "hdf5/session.h"

void h5_source_close_file(struct h5_source *source)
{
	h5_release(&source->dataset);
	if (source->file > 0)
		H5Fclose(source->file);
	input_fd_drop(&source->input);
	source->dataset = source->file = 0;
}

static void close_source(struct wh_source *base)
{
	struct h5_source *source = (struct h5_source *)base;
	struct h5_session session = {0};

	if (source->input.driver > 0 && h5_enter(&session, NULL) == WH_OK) {
		h5_source_close_file(source);
		h5_leave(&session);
	}
	if (source->input.fd >= 0)
		close(source->input.fd);
	arena_free(&source->arena);
	free(source->datasets);
	free(source);
}

WH_DEFINE_AUTO(wh_source, wh_source_close);

enum wh_status h5_source_open(const char *path, struct h5_source **out,
			      struct wh_error *err)
{
	struct h5_source *source = calloc(1, sizeof(*source));
	wh_auto(wh_source) held = NULL;

	if (!source)
		return wh_fail_memory(err);
	held = &source->base;
	source->base.ops = &h5_source_ops;
	/* Without blocking on a FIFO that somebody put there. */
	source->input.fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	if (source->input.fd < 0)
		return wh_fail_errno(err, errno, "can't open '%s'", path);
	if (fstat(source->input.fd, &source->opened) < 0)
		return wh_fail_errno(err, errno, "can't open '%s'", path);
	if (!S_ISREG(source->opened.st_mode))
		return wh_fail(err, WH_EINVAL, "'%s' is not a regular file",
			       path);
	source->input.size = (uint64_t)source->opened.st_size;
	source->input.max_read = UINT64_MAX;
	*out = source;
	held = NULL;
	return WH_OK;
}

static enum wh_status read_file(const struct h5_source *source, uint64_t offset,
				void *buf, size_t len, struct wh_error *err)
{
	int failed = input_read(&source->input, offset, buf, len);

	if (failed > 0)
		return wh_fail_errno(err, failed, "can't read the HDF5 file");
	if (failed < 0)
		return wh_fail(err, WH_ECORRUPT,
			       "the HDF5 file has become shorter");
	return WH_OK;
}

/* Bytes of a big-endian payload: whole elements are read around them. */
static enum wh_status read_swapped(const struct h5_source *source,
				   const struct h5_dataset *dataset,
				   uint64_t offset, uint8_t *out, size_t len,
				   struct wh_error *err)
{
	uint8_t batch[4096];

	while (len) {
		size_t skip = (size_t)(offset % dataset->swap);
		size_t some = sizeof(batch), take;

		if (some > skip + len)
			some = (skip + len + dataset->swap - 1) /
			       dataset->swap * dataset->swap;
		WH_TRY(read_file(source, dataset->offset + offset - skip, batch,
				 some, err));
		swap_elements(batch, some, dataset->swap);
		take = some - skip < len ? some - skip : len;
		memcpy(out, batch + skip, take);
		out += take;
		offset += take;
		len -= take;
	}
	return WH_OK;
}

static enum wh_status read_flat(const struct h5_source *source,
				const struct h5_dataset *dataset,
				uint64_t offset, void *buf, size_t len,
				struct wh_error *err)
{
	if (dataset->swap && (offset % dataset->swap || len % dataset->swap))
		return read_swapped(source, dataset, offset, buf, len, err);
	WH_TRY(read_file(source, dataset->offset + offset, buf, len, err));
	if (dataset->swap)
		swap_elements(buf, len, dataset->swap);
	return WH_OK;
}

/* Through libhdf5, one dataset open at a time: it holds unpacked chunks. */
static enum wh_status read_packed(struct h5_source *source, uint32_t index,
				  uint64_t offset, void *buf, size_t len,
				  struct wh_error *err)
{
	h5_session_auto struct h5_session session = {0};
	struct h5_dataset *dataset = &source->datasets[index];

	WH_TRY(h5_enter(&session, err));
	if (source->dataset <= 0 || source->dataset_index != index) {
		h5_release(&source->dataset);
		source->dataset = h5_dataset_reopen(source->file, dataset);
		source->dataset_index = index;
	}
	if (source->dataset < 0)
		return wh_fail(err, WH_ECORRUPT, "it can't be opened again");
	if (!dataset->checked)
		WH_TRY(h5_chunks_check(source->dataset, dataset, err));
	dataset->checked = true;
	return h5_dataset_read(source->dataset, dataset, offset, buf, len, err);
}

/* The run that byte `at` of the skeleton is in. */
static const struct skeleton_run *find_run(const struct h5_source *source,
					   uint64_t at)
{
	uint32_t low = 0, high = source->n_runs;

	while (high - low > 1) {
		uint32_t middle = low + (high - low) / 2;

		if (source->runs[middle].start <= at)
			low = middle;
		else
			high = middle;
	}
	return &source->runs[low];
}

static enum wh_status read_skeleton(const struct h5_source *source,
				    uint64_t offset, uint8_t *out, size_t len,
				    struct wh_error *err)
{
	while (len) {
		const struct skeleton_run *run = find_run(source, offset);
		uint64_t within = offset - run->start;
		size_t some = len;

		if (some > run->length - within)
			some = (size_t)(run->length - within);
		WH_TRY(read_file(source, run->offset + within, out, some, err));
		out += some;
		offset += some;
		len -= some;
	}
	return WH_OK;
}

static enum wh_status read_source(struct wh_source *base, uint32_t index,
				  uint64_t offset, void *buf, size_t len,
				  struct wh_error *err)
{
	struct h5_source *source = (struct h5_source *)base;
	enum wh_status status;

	if (len == 0)
		return WH_OK;
	if (index >= base->manifest.n_tensors)
		return read_skeleton(source, offset, buf, len, err);
	status = source->datasets[index].flat
			 ? read_flat(source, &source->datasets[index], offset,
				     buf, len, err)
			 : read_packed(source, index, offset, buf, len, err);
	if (status)
		wh_error_prefix(err, "tensor '%s'",
				base->manifest.tensors[index].key);
	return status;
}

static enum wh_status check_unchanged(struct wh_source *base,
				      struct wh_error *err)
{
	const struct h5_source *source = (struct h5_source *)base;
	const struct stat *then = &source->opened;
	struct stat now;

	if (fstat(source->input.fd, &now) < 0)
		return wh_fail_errno(err, errno, "can't look at the HDF5 file");
	if (now.st_dev != then->st_dev || now.st_ino != then->st_ino ||
	    now.st_size != then->st_size ||
	    now.st_mtim.tv_sec != then->st_mtim.tv_sec ||
	    now.st_mtim.tv_nsec != then->st_mtim.tv_nsec ||
	    now.st_ctim.tv_sec != then->st_ctim.tv_sec ||
	    now.st_ctim.tv_nsec != then->st_ctim.tv_nsec)
		return wh_fail(err, WH_EMISMATCH,
			       "the HDF5 file has changed since it was opened");
	return WH_OK;
}

const struct wh_source_ops h5_source_ops = {
	.read = read_source,
	.unchanged = check_unchanged,
	.close = close_source,
	.concurrent = true,
};
