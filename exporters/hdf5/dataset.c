#include "hdf5/dataset.h"

#include <string.h>

#include "base/checked.h"
#include "base/endian.h"
#include "hdf5/session.h"
#include "hdf5/types.h"

#define MAX_CHUNK (UINT64_C(64) << 20) /* bytes: unpacked whole */
/* Bytes that are kept between reads: those of chunks that a range of rows goes
 * through, each of which would else be unpacked for every row. */
#define MAX_CHUNK_ROW (UINT64_C(256) << 20)
#define CHUNK_PLACES  10007 /* of the cache; a prime */
/* Packed data may unpack to this many times what is stored... */
#define MAX_RATIO 100
/* ...and to this many bytes in any case. */
#define UNPACK_FREELY	(UINT64_C(256) << 20)
#define LARGEST_ELEMENT 16u

static enum wh_status describe_type(hid_t object, struct h5_dataset *dataset,
				    struct wh_error *err)
{
	h5_auto hid_t type = H5Dget_type(object);

	if (type < 0)
		return wh_fail(err, WH_ECORRUPT, "its type can't be read");
	dataset->dtype = h5_type_dtype(type, &dataset->swap);
	if (dataset->dtype == WH_DTYPE_NONE)
		return wh_fail(err, WH_EUNSUPPORTED,
			       "its HDF5 datatype is none that weights have");
	return WH_OK;
}

static enum wh_status describe_shape(hid_t object, struct h5_dataset *dataset,
				     struct wh_error *err)
{
	h5_auto hid_t space = H5Dget_space(object);
	H5S_class_t class = H5Sget_simple_extent_type(space);
	int i, rank = H5Sget_simple_extent_ndims(space);
	hsize_t dims[WH_MAX_RANK];
	uint64_t n;

	if ((class != H5S_SIMPLE && class != H5S_SCALAR) || rank < 0 ||
	    rank > (int)WH_MAX_RANK)
		return wh_fail(err, WH_ECORRUPT, "it has no shape");
	if (rank && H5Sget_simple_extent_dims(space, dims, NULL) != rank)
		return wh_fail(err, WH_ECORRUPT, "its shape can't be read");
	dataset->rank = (uint32_t)rank;
	for (i = 0; i < rank; i++)
		dataset->shape[i] = dims[i];
	if (!checked_shape(dataset->shape, dataset->rank, &n) ||
	    !checked_mul(n, wh_dtype_size(dataset->dtype), &dataset->nbytes) ||
	    dataset->nbytes > WH_MAX_NBYTES)
		return wh_fail(err, WH_ECORRUPT, "its shape is too large");
	return WH_OK;
}

static enum wh_status describe_contiguous(hid_t object, hid_t list,
					  uint64_t file_size,
					  struct h5_dataset *dataset,
					  struct wh_error *err)
{
	haddr_t offset;

	if (H5Pget_external_count(list) != 0)
		return wh_fail(err, WH_ECORRUPT,
			       "its data is said to lie in another file, which "
			       "is not read");
	dataset->flat = true;
	if (dataset->nbytes == 0)
		return WH_OK;
	offset = H5Dget_offset(object);
	if (offset == HADDR_UNDEF ||
	    H5Dget_storage_size(object) != dataset->nbytes)
		return wh_fail(err, WH_ECORRUPT,
			       "it declares %llu bytes that the file does not "
			       "have",
			       (unsigned long long)dataset->nbytes);
	if (!range_fits(offset, dataset->nbytes, file_size))
		return wh_fail(err, WH_ECORRUPT,
			       "its data goes beyond the file's end");
	dataset->offset = offset;
	return WH_OK;
}

static enum wh_status add_filter(struct h5_dataset *dataset,
				 H5Z_filter_t filter, struct wh_error *err)
{
	uint32_t i;

	if (filter != H5Z_FILTER_DEFLATE && filter != H5Z_FILTER_SHUFFLE &&
	    filter != H5Z_FILTER_FLETCHER32)
		return wh_fail(err, WH_EUNSUPPORTED,
			       "it is packed by filter %d; deflate, shuffle "
			       "and fletcher32 are read",
			       (int)filter);
	if (H5Zfilter_avail(filter) <= 0)
		return wh_fail(err, WH_EUNSUPPORTED,
			       "libhdf5 was built without filter %d",
			       (int)filter);
	for (i = 0; i < dataset->n_filters; i++)
		if (dataset->filters[i] == filter ||
		    (dataset->filters[i] == H5Z_FILTER_DEFLATE &&
		     filter == H5Z_FILTER_SHUFFLE))
			return wh_fail(err, WH_EUNSUPPORTED,
				       "it is packed by filter %d twice or "
				       "too late",
				       (int)filter);
	dataset->filters[dataset->n_filters++] = filter;
	return WH_OK;
}

static enum wh_status describe_filters(hid_t list, struct h5_dataset *dataset,
				       struct wh_error *err)
{
	int i, n = H5Pget_nfilters(list);
	unsigned options = 0;

	if (H5Pget_chunk_opts(list, &options) < 0)
		return wh_fail(err, WH_ECORRUPT, "its chunks can't be told");
	dataset->plain_edges = options & H5D_CHUNK_DONT_FILTER_PARTIAL_CHUNKS;
	for (i = 0; i < n; i++) {
		unsigned flags, config;
		size_t n_values = 0;

		WH_TRY(add_filter(dataset,
				  H5Pget_filter2(list, (unsigned)i, &flags,
						 &n_values, NULL, 0, NULL,
						 &config),
				  err));
	}
	return WH_OK;
}

/* The bytes and the number of the chunks; in `*row` the bytes of all chunks
 * that a range of rows goes through. */
static bool measure_chunks(struct h5_dataset *dataset, uint64_t *row)
{
	uint32_t i;

	*row = dataset->chunk_size = wh_dtype_size(dataset->dtype);
	dataset->n_chunks = 1;
	for (i = 0; i < dataset->rank; i++) {
		uint64_t chunk = dataset->chunk[i], across;

		if (chunk == 0)
			return false;
		across = (dataset->shape[i] - 1) / chunk + 1;
		if (!checked_mul(dataset->chunk_size, chunk,
				 &dataset->chunk_size) ||
		    !checked_mul(dataset->n_chunks, across,
				 &dataset->n_chunks) ||
		    !checked_mul(*row, chunk, row) ||
		    (i > 0 && !checked_mul(*row, across, row)))
			return false;
	}
	return true;
}

static enum wh_status describe_chunked(hid_t object, hid_t list,
				       uint64_t file_size,
				       struct h5_dataset *dataset,
				       struct wh_error *err)
{
	uint64_t row, stored;

	WH_TRY(describe_filters(list, dataset, err));
	if (dataset->nbytes == 0)
		return WH_OK;
	if (H5Pget_chunk(list, (int)dataset->rank, dataset->chunk) !=
		    (int)dataset->rank ||
	    !measure_chunks(dataset, &row) || dataset->chunk_size > MAX_CHUNK)
		return wh_fail(err, WH_ECORRUPT,
			       "its chunks are larger than %llu bytes",
			       (unsigned long long)MAX_CHUNK);
	stored = H5Dget_storage_size(object);
	if (stored == 0)
		return wh_fail(err, WH_ECORRUPT,
			       "it declares %llu bytes, but none are stored",
			       (unsigned long long)dataset->nbytes);
	if (stored > file_size)
		return wh_fail(err, WH_ECORRUPT,
			       "its chunks are larger than the file");
	if (dataset->nbytes > UNPACK_FREELY &&
	    dataset->nbytes / MAX_RATIO > stored)
		return wh_fail(err, WH_ECORRUPT,
			       "%llu stored bytes would unpack to %llu",
			       (unsigned long long)stored,
			       (unsigned long long)dataset->nbytes);
	/* What isn't packed libhdf5 reads where it lies, if there is no cache.
	 * Else it would make room for as many bytes as the file says that a
	 * chunk has, and read beyond them where those are too few. */
	if (dataset->n_filters == 0)
		return WH_OK;
	if (row > MAX_CHUNK_ROW)
		return wh_fail(err, WH_EUNSUPPORTED,
			       "its chunks run across its rows: reading it "
			       "takes %llu bytes of them at once",
			       (unsigned long long)row);
	dataset->cache = row;
	return WH_OK;
}

static enum wh_status describe_storage(hid_t object, uint64_t file_size,
				       struct h5_dataset *dataset,
				       struct wh_error *err)
{
	/* Released in any case: 1.10.8 crashes at exit over one of a virtual
	 * dataset that was left open. */
	h5_auto hid_t list = H5Dget_create_plist(object);

	switch ((int)H5Pget_layout(list)) {
	case H5D_CONTIGUOUS:
		return describe_contiguous(object, list, file_size, dataset,
					   err);
	case H5D_CHUNKED:
		return describe_chunked(object, list, file_size, dataset, err);
	case H5D_COMPACT:
		return WH_OK;
	case H5D_VIRTUAL:
		return wh_fail(err, WH_ECORRUPT,
			       "it is virtual: its data lies in other files, "
			       "which are not read");
	default:
		return wh_fail(err, WH_ECORRUPT, "its storage is unknown");
	}
}

enum wh_status h5_dataset_describe(hid_t object, uint64_t file_size,
				   struct h5_dataset *dataset,
				   struct wh_error *err)
{
	*dataset = (struct h5_dataset){0};
	WH_TRY(describe_type(object, dataset, err));
	WH_TRY(describe_shape(object, dataset, err));
	return describe_storage(object, file_size, dataset, err);
}

static hid_t make_access(uint64_t cache)
{
	hid_t access = H5Pcreate(H5P_DATASET_ACCESS);

	if (H5Pset_chunk_cache(access, CHUNK_PLACES, (size_t)cache, 0.75) < 0) {
		H5Pclose(access);
		return -1;
	}
	return access;
}

hid_t h5_dataset_reopen(hid_t file, const struct h5_dataset *dataset)
{
	h5_auto hid_t access = make_access(dataset->cache);

	return access < 0 ? -1 : H5Dopen2(file, dataset->path, access);
}

/* The largest block of whole rows (of some dimension) that begins at element
 * `first` and has at most `n` elements; returns its size. */
static uint64_t choose_block(const struct h5_dataset *dataset, uint64_t first,
			     uint64_t n, hsize_t *start, hsize_t *count)
{
	uint64_t stride = 1, block = 0;
	uint32_t i = dataset->rank;

	while (i-- > 0) {
		uint64_t index = first / stride % dataset->shape[i];

		start[i] = index;
		count[i] = 1;
		if (first % stride == 0 && n >= stride) {
			uint64_t rows = dataset->shape[i] - index;

			if (rows > n / stride)
				rows = n / stride;
			if (rows * stride >= block) {
				block = rows * stride;
				count[i] = rows;
				memcpy(count + i + 1, dataset->shape + i + 1,
				       (dataset->rank - i - 1) *
					       sizeof(*count));
			}
		}
		stride *= dataset->shape[i];
	}
	return block;
}

static enum wh_status read_block(hid_t object, hid_t type, hid_t file_space,
				 uint64_t n, void *out, struct wh_error *err)
{
	hsize_t size = n;
	h5_auto hid_t space = H5Screate_simple(1, &size, NULL);

	if (H5Dread(object, type, space, file_space, H5P_DEFAULT, out) < 0)
		return wh_fail(err, WH_ECORRUPT,
			       "its data can't be read or unpacked");
	return WH_OK;
}

static enum wh_status read_elements(hid_t object,
				    const struct h5_dataset *dataset,
				    uint64_t first, uint64_t n, uint8_t *out,
				    struct wh_error *err)
{
	h5_auto hid_t type = H5Dget_type(object);
	h5_auto hid_t space = H5Dget_space(object);
	size_t size = wh_dtype_size(dataset->dtype);
	hsize_t start[WH_MAX_RANK], count[WH_MAX_RANK];

	while (n) {
		uint64_t block = 1;

		if (dataset->rank) {
			block = choose_block(dataset, first, n, start, count);
			if (H5Sselect_hyperslab(space, H5S_SELECT_SET, start,
						NULL, count, NULL) < 0)
				return wh_fail(err, WH_ECORRUPT,
					       "its shape has changed");
		}
		WH_TRY(read_block(object, type, space, block, out, err));
		swap_elements(out, (size_t)(block * size),
			      dataset->swap ? dataset->swap : 1);
		out += block * size;
		first += block;
		n -= block;
	}
	return WH_OK;
}

/* A part of one element. */
static enum wh_status read_part(hid_t object, const struct h5_dataset *dataset,
				uint64_t offset, uint8_t *out, size_t len,
				struct wh_error *err)
{
	size_t size = wh_dtype_size(dataset->dtype);
	uint8_t element[LARGEST_ELEMENT];

	WH_TRY(read_elements(object, dataset, offset / size, 1, element, err));
	memcpy(out, element + offset % size, len);
	return WH_OK;
}

enum wh_status h5_dataset_read(hid_t object, const struct h5_dataset *dataset,
			       uint64_t offset, void *buf, size_t len,
			       struct wh_error *err)
{
	size_t size = wh_dtype_size(dataset->dtype), some;
	uint8_t *out = buf;

	if (offset % size) {
		some = size - (size_t)(offset % size);
		if (some > len)
			some = len;
		WH_TRY(read_part(object, dataset, offset, out, some, err));
		out += some;
		offset += some;
		len -= some;
	}
	some = len / size * size;
	WH_TRY(read_elements(object, dataset, offset / size, some / size, out,
			     err));
	if (len == some)
		return WH_OK;
	return read_part(object, dataset, offset + some, out + some, len - some,
			 err);
}
