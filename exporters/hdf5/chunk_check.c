/* libhdf5 1.10 believes that a chunk unpacks to its size: one that unpacks to
 * less is read beyond its memory, one that unpacks to more takes all of it. So
 * each is unpacked once before, to nowhere. Datasets without filters are read
 * where they lie (dataset.c).
 *
 * A stored chunk went through the dataset's filters in order: shuffle keeps
 * its size, fletcher32 adds a checksum of 4 bytes, deflate packs; its mask
 * tells those that were left out (HDF5 File Format Specification, III.A.1 and
 * IV.A.2.l). Chunks that reach over the edge may be left as they are, without
 * a mask (IV.A.2.i, version 4). */
#include <stdlib.h>

#include <zlib.h>

#include "base/auto.h"
#include "hdf5/dataset.h"
#include "hdf5/session.h"

#define CHECKSUM_SIZE 4u
#define UNPACK_BATCH  ((size_t)64 << 10)

struct checking {
	hid_t object;
	const struct h5_dataset *dataset;
	uint8_t *stored; /* one chunk as it lies in the file */
	size_t capacity;
	uint8_t *batch;
};

/* What one chunk has to be. */
struct packed {
	uint64_t unpacked, tail; /* bytes; checksums behind what is deflated */
	bool deflated;
};

static struct packed measure(const struct h5_dataset *dataset, uint32_t mask)
{
	struct packed packed = {.unpacked = dataset->chunk_size};
	uint32_t i;

	for (i = 0; i < dataset->n_filters; i++) {
		if (mask & UINT32_C(1) << i)
			continue;
		if (dataset->filters[i] == H5Z_FILTER_DEFLATE)
			packed.deflated = true;
		else if (dataset->filters[i] == H5Z_FILTER_FLETCHER32 &&
			 packed.deflated)
			packed.tail += CHECKSUM_SIZE;
		else if (dataset->filters[i] == H5Z_FILTER_FLETCHER32)
			packed.unpacked += CHECKSUM_SIZE;
	}
	return packed;
}

/* Whether `len` bytes inflate to `wanted`, no fewer and no more. */
static bool inflates_to(const struct checking *checking, size_t len,
			uint64_t wanted)
{
	z_stream stream = {.next_in = checking->stored, .avail_in = (uInt)len};
	uint64_t total = 0;
	int status;

	if (inflateInit(&stream) != Z_OK)
		return false;
	do {
		stream.next_out = checking->batch;
		stream.avail_out = UNPACK_BATCH;
		status = inflate(&stream, Z_NO_FLUSH);
		total += UNPACK_BATCH - stream.avail_out;
	} while (status == Z_OK && total <= wanted);
	inflateEnd(&stream);
	return status == Z_STREAM_END && total == wanted;
}

static enum wh_status fail_chunk(struct wh_error *err)
{
	return wh_fail(err, WH_ECORRUPT, "its data can't be read or unpacked");
}

static enum wh_status reserve(struct checking *checking, hsize_t size,
			      struct wh_error *err)
{
	uint8_t *grown;

	/* What deflate can't shrink, it lengthens by far less than half. */
	if (size > checking->dataset->chunk_size * 3 / 2 + 1024)
		return fail_chunk(err);
	if (size <= checking->capacity)
		return WH_OK;
	grown = realloc(checking->stored, (size_t)size);
	if (!grown)
		return wh_fail_memory(err);
	checking->stored = grown;
	checking->capacity = (size_t)size;
	return WH_OK;
}

static bool is_over_edge(const struct h5_dataset *dataset,
			 const hsize_t *offset)
{
	uint32_t i;

	for (i = 0; i < dataset->rank; i++)
		if (dataset->shape[i] - offset[i] < dataset->chunk[i])
			return true;
	return false;
}

static enum wh_status unpack(struct checking *checking, const hsize_t *offset,
			     hsize_t size, struct wh_error *err)
{
	struct packed packed;
	uint32_t mask = 0;
	bool good;

	WH_TRY(reserve(checking, size, err));
	if (H5Dread_chunk(checking->object, H5P_DEFAULT, offset, &mask,
			  checking->stored) < 0)
		return fail_chunk(err);
	packed = measure(checking->dataset, mask);
	if (size < packed.tail)
		return fail_chunk(err);
	size -= packed.tail;
	good = packed.deflated
		       ? inflates_to(checking, (size_t)size, packed.unpacked)
		       : size == packed.unpacked;
	return good ? WH_OK : fail_chunk(err);
}

static enum wh_status check_chunk(struct checking *checking,
				  const hsize_t *offset, struct wh_error *err)
{
	const struct h5_dataset *dataset = checking->dataset;
	hsize_t size = 0;

	/* None at all, or an error of some versions: the fill value. */
	if (H5Dget_chunk_storage_size(checking->object, offset, &size) < 0 ||
	    size == 0)
		return WH_OK;
	if (!dataset->plain_edges || !is_over_edge(dataset, offset))
		return unpack(checking, offset, size, err);
	return size == dataset->chunk_size ? WH_OK : fail_chunk(err);
}

/* The next chunk in C order; false after the last. */
static bool step(const struct h5_dataset *dataset, hsize_t *offset)
{
	uint32_t i = dataset->rank;

	while (i-- > 0) {
		offset[i] += dataset->chunk[i];
		if (offset[i] < dataset->shape[i])
			return true;
		offset[i] = 0;
	}
	return false;
}

enum wh_status h5_chunks_check(hid_t object, const struct h5_dataset *dataset,
			       struct wh_error *err)
{
	struct checking checking = {.object = object, .dataset = dataset};
	hsize_t offset[WH_MAX_RANK] = {0};
	enum wh_status status;

	if (dataset->n_filters == 0 || dataset->nbytes == 0)
		return WH_OK;
	checking.batch = malloc(UNPACK_BATCH);
	status = checking.batch ? WH_OK : wh_fail_memory(err);
	while (!status) {
		status = check_chunk(&checking, offset, err);
		if (!step(dataset, offset))
			break;
	}
	free(checking.stored);
	free(checking.batch);
	return status;
}
