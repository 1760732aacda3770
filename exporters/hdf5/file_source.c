#include "hdf5/file_source.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/array.h"
#include "base/auto.h"
#include "base/elements.h"
#include "base/reader.h"
#include "hdf5/classic/file.h"
#include "hdf5/object.h"
#include "hdf5/session.h"

#define SIGNATURE      "\x89HDF\r\n\x1a\n"
#define SIGNATURE_SIZE 8
#define MAX_USER_BLOCK (UINT64_C(1) << 30)
/* A file has at least so many bytes for each dataset that it names, and its
 * weights have at most so many times its size: hard links to one dataset
 * under a million names are not a model. */
#define MIN_BYTES_A_WEIGHT 64
#define MAX_RATIO	   100
#define UNPACK_FREELY	   (UINT64_C(256) << 20)
/* No metadata of these files is larger: a bound for libhdf5's buffers. */
#define MAX_METADATA_READ (UINT64_C(64) << 20)
/* All chunks are looked up, those that were never stored too. */
#define MAX_CHUNKS (UINT64_C(1) << 20)

void h5_source_close_file(struct h5_source *source)
{
	h5_release(&source->dataset);
	if (source->file > 0)
		H5Fclose(source->file);
	input_fd_drop(&source->input);
	source->dataset = source->file = 0;
}

void h5_source_close_classic(struct h5_source *source)
{
	if (source->classic)
		classic_file_close(source->classic);
	free(source->classic);
	source->classic = NULL;
}

static void close_source(struct wh_source *base)
{
	struct h5_source *source = (struct h5_source *)base;
	struct h5_session session = {0};

	if (source->input.driver > 0 && h5_enter(&session, NULL) == WH_OK) {
		h5_source_close_file(source);
		h5_leave(&session);
	}
	h5_source_close_classic(source);
	if (source->input.fd >= 0)
		close(source->input.fd);
	arena_free(&source->arena);
	free(source->datasets);
	free(source);
}

WH_DEFINE_AUTO(wh_source, wh_source_close);

/* Takes the descriptor. */
static enum wh_status make_source(int fd, struct h5_source **out,
				  struct wh_error *err)
{
	struct h5_source *source = calloc(1, sizeof(*source));

	if (!source) {
		close(fd);
		return wh_fail_memory(err);
	}
	source->base.ops = &h5_flat_ops;
	source->input.fd = fd;
	source->input.max_read = UINT64_MAX;
	*out = source;
	return WH_OK;
}

enum wh_status h5_source_open_part(int fd, uint64_t base, uint64_t size,
				   struct h5_source **out, struct wh_error *err)
{
	struct h5_source *source = NULL;

	WH_TRY(make_source(fd, &source, err));
	if (!source)
		return WH_ENOMEM;
	source->input.base = base;
	source->input.size = size;
	if (fstat(fd, &source->opened) < 0) {
		wh_source_close(&source->base);
		return wh_fail_errno(err, errno, "can't look at the file");
	}
	*out = source;
	return WH_OK;
}

enum wh_status h5_source_open(const char *path, struct h5_source **out,
			      struct wh_error *err)
{
	/* Without blocking on a FIFO that somebody put there. */
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	struct h5_source *source = NULL;
	wh_auto(wh_source) held = NULL;

	if (fd < 0)
		return wh_fail_errno(err, errno, "can't open '%s'", path);
	WH_TRY(h5_source_open_part(fd, 0, 0, &source, err));
	if (!source)
		return WH_ENOMEM;
	held = &source->base;
	if (!S_ISREG(source->opened.st_mode))
		return wh_fail(err, WH_EINVAL, "'%s' is not a regular file",
			       path);
	source->input.size = (uint64_t)source->opened.st_size;
	*out = source;
	held = NULL;
	return WH_OK;
}

/* ---- The file for libhdf5 --------------------------------------------- */

bool h5_source_has_signature(const struct h5_source *source)
{
	uint64_t offset = 0;
	char bytes[SIGNATURE_SIZE];

	while (offset <= MAX_USER_BLOCK &&
	       input_read(&source->input, offset, bytes, sizeof(bytes)) == 0) {
		if (memcmp(bytes, SIGNATURE, sizeof(bytes)) == 0)
			return true;
		offset = offset ? offset * 2 : 512;
	}
	return false;
}

enum wh_status h5_source_start(struct h5_source *source, hid_t *root,
			       struct wh_error *err)
{
	h5_auto hid_t access = H5Pcreate(H5P_FILE_ACCESS);

	source->input.max_read = MAX_METADATA_READ;
	if (input_fd_use(access, &source->input) < 0 ||
	    H5Pset_fclose_degree(access, H5F_CLOSE_STRONG) < 0 ||
	    H5Pset_elink_file_cache_size(access, 0) < 0)
		return wh_fail_memory(err);
	source->file = H5Fopen("weighhouse", H5F_ACC_RDONLY, access);
	if (source->file < 0)
		return h5_fail(err, "a damaged or truncated HDF5 file");
	*root = H5Gopen2(source->file, "/", H5P_DEFAULT);
	if (*root < 0)
		return h5_fail(err, "its root group can't be opened");
	return WH_OK;
}

void h5_source_stop(struct h5_source *source)
{
	uint32_t i;

	for (i = 0; i < source->n_datasets; i++)
		if (source->datasets[i].packed)
			return;
	h5_source_close_file(source);
}

static enum wh_status check_total(const struct h5_source *source,
				  uint64_t max_nbytes, struct wh_error *err)
{
	uint64_t size = source->input.size;

	if (size / MIN_BYTES_A_WEIGHT < source->n_datasets)
		return wh_fail(err, WH_ECORRUPT,
			       "the file names more weights than it can hold");
	if (source->n_chunks > MAX_CHUNKS)
		return wh_fail(err, WH_ECORRUPT,
			       "the file's weights lie in more than %llu "
			       "chunks",
			       (unsigned long long)MAX_CHUNKS);
	if (max_nbytes && source->total > max_nbytes)
		return wh_fail(err, WH_ECORRUPT,
			       "the file's weights take more than %llu bytes",
			       (unsigned long long)max_nbytes);
	if (source->total > UNPACK_FREELY && source->total / MAX_RATIO > size)
		return wh_fail(err, WH_ECORRUPT,
			       "the file's weights would take more than %d "
			       "times its size",
			       MAX_RATIO);
	return WH_OK;
}

static enum wh_status copy_dataset(struct arena *arena,
				   const struct h5_dataset *dataset,
				   struct h5_kept *kept, struct wh_error *err)
{
	uint64_t *shape = arena_alloc(arena, dataset->rank, sizeof(*shape));

	if (!shape)
		return wh_fail_memory(err);
	if (dataset->rank)
		memcpy(shape, dataset->shape, dataset->rank * sizeof(*shape));
	*kept = (struct h5_kept){.dtype = dataset->dtype,
				 .swap = dataset->swap,
				 .rank = dataset->rank,
				 .shape = shape,
				 .nbytes = dataset->nbytes,
				 .offset = dataset->offset};
	if (dataset->flat)
		return WH_OK;
	kept->packed = arena_alloc(arena, 1, sizeof(*kept->packed));
	if (!kept->packed)
		return wh_fail_memory(err);
	*kept->packed = *dataset;
	return WH_OK;
}

enum wh_status h5_source_keep(struct h5_source *source,
			      const struct h5_dataset *dataset,
			      uint64_t max_nbytes, struct h5_kept **kept,
			      struct wh_error *err)
{
	struct h5_kept own;

	WH_TRY(array_grow(&source->datasets, source->n_datasets, &source->room,
			  sizeof(*source->datasets), err));
	source->total += dataset->nbytes;
	source->n_chunks += dataset->n_chunks <= MAX_CHUNKS ? dataset->n_chunks
							    : MAX_CHUNKS + 1;
	WH_TRY(check_total(source, max_nbytes, err));
	WH_TRY(copy_dataset(&source->arena, dataset, &own, err));
	if (own.packed)
		source->base.ops = &h5_packed_ops;
	*kept = &source->datasets[source->n_datasets++];
	**kept = own;
	return WH_OK;
}

/* ---- Reading ---------------------------------------------------------- */

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

struct reading {
	const struct h5_source *source;
	const struct h5_kept *dataset;
};

static enum wh_status read_payload(void *arg, uint64_t offset, uint8_t *out,
				   size_t len, struct wh_error *err)
{
	const struct reading *reading = arg;

	return read_file(reading->source, reading->dataset->offset + offset,
			 out, len, err);
}

static enum wh_status read_flat(const struct h5_source *source,
				const struct h5_kept *dataset, uint64_t offset,
				void *buf, size_t len, struct wh_error *err)
{
	struct reading reading = {source, dataset};

	return elements_read_swapped(read_payload, &reading, dataset->swap,
				     offset, buf, len, err);
}

/* Through libhdf5, one dataset open at a time: it holds unpacked chunks. */
static enum wh_status read_packed(struct h5_source *source, uint32_t index,
				  uint64_t offset, void *buf, size_t len,
				  struct wh_error *err)
{
	h5_session_auto struct h5_session session = {0};
	struct h5_dataset *dataset = source->datasets[index].packed;

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

enum wh_status h5_read_run(void *arg, const struct skeleton_run *run,
			   uint64_t skip, void *buf, size_t len,
			   struct wh_error *err)
{
	return read_file(arg, run->offset + skip, buf, len, err);
}

enum wh_status h5_source_read(struct h5_source *source, uint32_t index,
			      uint64_t offset, void *buf, size_t len,
			      struct wh_error *err)
{
	const struct h5_kept *dataset = &source->datasets[index];

	return dataset->packed
		       ? read_packed(source, index, offset, buf, len, err)
		       : read_flat(source, dataset, offset, buf, len, err);
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
		return skeleton_read(&source->skeleton, offset, buf, len, err);
	status = h5_source_read(source, index, offset, buf, len, err);
	if (status)
		wh_error_prefix(err, "tensor '%s'",
				base->manifest.tensors[index].key);
	return status;
}

enum wh_status h5_check_unchanged(int fd, const struct stat *then,
				  struct wh_error *err)
{
	struct stat now;

	if (fstat(fd, &now) < 0)
		return wh_fail_errno(err, errno, "can't look at the HDF5 file");
	if (!stat_is_same(&now, then))
		return wh_fail(err, WH_EMISMATCH,
			       "the HDF5 file has changed since it was opened");
	return WH_OK;
}

static enum wh_status check_unchanged(struct wh_source *base,
				      struct wh_error *err)
{
	const struct h5_source *source = (struct h5_source *)base;

	return h5_check_unchanged(source->input.fd, &source->opened, err);
}

const struct wh_source_ops h5_packed_ops = {
	.read = read_source,
	.unchanged = check_unchanged,
	.close = close_source,
	.concurrent = true,
};

const struct wh_source_ops h5_flat_ops = {
	.read = read_source,
	.unchanged = check_unchanged,
	.close = close_source,
	.concurrent = true,
	.scattered = true,
};
