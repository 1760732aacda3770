#include "npz/source.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>

#include "base/elements.h"
#include "base/endian.h"

#define BATCH ((size_t)64 << 10) /* bytes; a multiple of every element */

static void drop_stream(struct npz_source *source)
{
	zip_stream_close(source->stream);
	source->stream = NULL;
}

static void drop_spool(struct npz_source *source)
{
	if (source->spool >= 0)
		close(source->spool);
	source->spool = -1;
}

static void close_source(struct wh_source *base)
{
	struct npz_source *source = (struct npz_source *)base;

	drop_stream(source);
	drop_spool(source);
	reader_close(&source->reader);
	ahead_free(&source->ahead);
	arena_free(&source->arena);
	free(source);
}

WH_DEFINE_AUTO(wh_source, wh_source_close);

enum wh_status npz_source_open(const char *path, struct npz_source **out,
			       struct wh_error *err)
{
	struct npz_source *source = calloc(1, sizeof(*source));
	wh_auto(wh_source) held = NULL;

	if (!source)
		return wh_fail_memory(err);
	held = &source->base;
	source->base.ops = &npz_flat_ops;
	source->reader.fd = source->spool = -1;
	WH_TRY(reader_open(&source->reader, path, err));
	*out = source;
	held = NULL;
	return WH_OK;
}

static enum wh_status check_unchanged(struct wh_source *base,
				      struct wh_error *err)
{
	return reader_unchanged(&((struct npz_source *)base)->reader, err);
}

/* ---- Bytes of a payload, as the file orders them
 * ------------------------------- */

static enum wh_status read_stream(struct npz_source *source, uint32_t index,
				  uint64_t offset, void *buf, size_t len,
				  struct wh_error *err)
{
	const struct npz_place *place = &source->places[index];
	enum wh_status status = WH_OK;

	if (!source->stream || source->streamed != index) {
		drop_stream(source);
		WH_TRY(zip_stream_open(&source->archive, place->packed,
				       &source->stream, err));
		source->streamed = index;
	}
	offset += place->header.size;
	if (zip_stream_tell(source->stream) != offset)
		status = zip_stream_seek(source->stream, offset, err);
	if (!status)
		status = zip_stream_read(source->stream, buf, len, err);
	/* It may be further than it says. */
	if (status)
		drop_stream(source);
	return status;
}

static enum wh_status fill_spool(struct npz_source *source, uint32_t index,
				 struct wh_error *err)
{
	enum wh_status status;
	FILE *file;

	drop_spool(source);
	file = tmpfile();
	if (file)
		source->spool = fcntl(fileno(file), F_DUPFD_CLOEXEC, 0);
	if (!file || fclose(file) || source->spool < 0)
		return wh_fail_errno(err, errno, "a temporary file");
	source->spooled = index;
	status = zip_unpack(&source->archive, source->places[index].packed,
			    source->spool, err);
	/* What is damaged is there, but is nothing to be read. */
	if (status)
		drop_spool(source);
	return status;
}

static enum wh_status read_spool(struct npz_source *source, uint32_t index,
				 uint64_t offset, void *buf, size_t len,
				 struct wh_error *err)
{
	struct zip_archive spool;

	if (source->spool < 0 || source->spooled != index)
		WH_TRY(fill_spool(source, index, err));
	spool = (struct zip_archive){
		.fd = source->spool,
		.size = source->places[index].packed->size};
	return zip_pread(&spool, source->places[index].header.size + offset,
			 buf, len, err);
}

static enum wh_status read_raw(struct npz_source *source, uint32_t index,
			       uint64_t offset, void *buf, size_t len,
			       struct wh_error *err)
{
	const struct npz_place *place = &source->places[index];

	if (!place->packed)
		return reader_read_ahead(&source->reader, &source->ahead,
					 place->offset + offset, buf, len, err);
	if (place->header.fortran)
		return read_spool(source, index, offset, buf, len, err);
	return read_stream(source, index, offset, buf, len, err);
}

/* ---- Fortran order
 * ------------------------------------------------------------- */

/* Where the element lies whose first index is 0 and whose others are the C
 * order's `tail`-th, in elements. */
static uint64_t locate_tail(const struct npy_header *header, uint64_t tail)
{
	uint64_t index[WH_MAX_RANK], at = 0;
	uint32_t i;

	for (i = header->rank - 1; i > 0; i--) {
		index[i] = tail % header->shape[i];
		tail /= header->shape[i];
	}
	for (i = header->rank - 1; i > 0; i--)
		at = (at + index[i]) * header->shape[i - 1];
	return at;
}

/* Of `n_rows` rows from `row`, the elements from `tail` on, `n_tails` of each:
 * in the file, the rows of one tail lie together. */
static enum wh_status gather(struct npz_source *source, uint32_t index,
			     uint64_t row, uint64_t n_rows, uint64_t tail,
			     uint64_t n_tails, uint8_t *out,
			     struct wh_error *err)
{
	const struct npy_header *header = &source->places[index].header;
	size_t size = wh_dtype_size(header->dtype), i;
	uint64_t room = BATCH / size, t, k;
	uint8_t batch[BATCH];

	for (t = 0; t < n_tails; t++) {
		uint64_t at = locate_tail(header, tail + t) + row;

		for (k = 0; k < n_rows; k += room) {
			size_t n =
				(size_t)(n_rows - k < room ? n_rows - k : room);

			WH_TRY(read_raw(source, index, (at + k) * size, batch,
					n * size, err));
			for (i = 0; i < n; i++)
				memcpy(out + ((k + i) * n_tails + t) * size,
				       batch + i * size, size);
		}
	}
	return WH_OK;
}

static enum wh_status read_fortran(struct npz_source *source, uint32_t index,
				   uint64_t first, uint64_t n, uint8_t *out,
				   struct wh_error *err)
{
	const struct npy_header *header = &source->places[index].header;
	size_t size = wh_dtype_size(header->dtype);
	uint64_t row_length = header->nbytes / size / header->shape[0];

	while (n) {
		uint64_t tail = first % row_length, some = row_length - tail;
		uint64_t n_rows = 1;

		if (some > n)
			some = n;
		if (some == row_length)
			n_rows = n / row_length;
		WH_TRY(gather(source, index, first / row_length, n_rows, tail,
			      some, out, err));
		out += n_rows * some * size;
		first += n_rows * some;
		n -= n_rows * some;
	}
	return WH_OK;
}

/* ---- A payload, as it is inside
 * ------------------------------------------------ */

struct reading {
	struct npz_source *source;
	uint32_t index;
};

static enum wh_status make_elements(void *arg, uint64_t first, size_t n,
				    uint8_t *out, struct wh_error *err)
{
	const struct reading *reading = arg;
	const struct npy_header *header =
		&reading->source->places[reading->index].header;
	size_t size = wh_dtype_size(header->dtype);

	if (header->fortran)
		WH_TRY(read_fortran(reading->source, reading->index, first, n,
				    out, err));
	else
		WH_TRY(read_raw(reading->source, reading->index, first * size,
				out, n * size, err));
	if (header->swap)
		swap_elements(out, n * size, header->swap);
	return WH_OK;
}

static enum wh_status read_tensor(struct wh_source *base, uint32_t index,
				  uint64_t offset, void *buf, size_t len,
				  struct wh_error *err)
{
	struct npz_source *source = (struct npz_source *)base;
	struct reading reading = {source, index};
	enum wh_status status;

	if (len == 0)
		return WH_OK;
	if (index >= base->manifest.n_tensors)
		return skeleton_read(&source->skeleton, offset, buf, len, err);
	status =
		elements_read(make_elements, &reading,
			      wh_dtype_size(source->places[index].header.dtype),
			      offset, buf, len, err);
	if (status)
		wh_error_prefix(err, "tensor '%s'",
				base->manifest.tensors[index].key);
	return status;
}

const struct wh_source_ops npz_flat_ops = {
	.read = read_tensor,
	.unchanged = check_unchanged,
	.close = close_source,
	.concurrent = true,
	.scattered = true,
};

const struct wh_source_ops npz_packed_ops = {
	.read = read_tensor,
	.unchanged = check_unchanged,
	.close = close_source,
	.concurrent = false,
};
