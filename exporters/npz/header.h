/* npz/header.h: the header of a .npy file (numpy/lib/format.py, 1.0 to 3.0).
 *
 *	"\x93NUMPY" | major, minor | header's length | header | payload
 *
 * The length is a uint16 in 1.0, a uint32 in 2.0 and 3.0, little-endian. The
 * header is a literal Python dict of three keys, blanks and a newline:
 *
 *	{'descr': '<f4', 'fortran_order': False, 'shape': (2, 3), }
 */
#ifndef WH_NPZ_HEADER_H
#define WH_NPZ_HEADER_H

#include "base/buf.h"
#include <weighhouse/tensor.h>

#define NPY_MAGIC      "\x93NUMPY"
#define NPY_MAGIC_SIZE 6u
/* NumPy's own limit: it parses by Python's parser, which longer ones hurt. */
#define NPY_MAX_HEADER 10000u
/* Magic, version, the longer length, the header. */
#define NPY_MAX_HEAD (NPY_MAGIC_SIZE + 2u + 4u + NPY_MAX_HEADER)

struct npy_header {
	enum wh_dtype dtype;
	uint32_t rank;
	uint64_t shape[WH_MAX_RANK];
	bool fortran;	 /* the first index runs fastest */
	uint8_t swap;	 /* element width to reverse, or 0 */
	size_t size;	 /* bytes in front of the payload */
	uint64_t nbytes; /* of the payload */
};

/** Reads a header from the first `len` bytes of a file of which there are at
 *  least min(size, NPY_MAX_HEAD). WH_ECORRUPT; WH_EUNSUPPORTED for dtypes that
 *  aren't read: objects are pickles, which nothing here ever runs. */
enum wh_status npy_header_read(const uint8_t *bytes, size_t len,
			       struct npy_header *header, struct wh_error *err);

/** Appends the header that numpy.save writes, padded to 64 bytes. */
enum wh_status npy_header_write(const struct wh_tensor *tensor,
				struct wh_buf *out, struct wh_error *err);

/** "<f4"; NULL for what NumPy has no dtype for. */
const char *npy_descr(enum wh_dtype dtype);

#endif
