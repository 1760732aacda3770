/* hdf5/sparse_fd.h: a libhdf5 file driver that keeps only what is written.
 *
 * libhdf5 lays a file out on it as it would on disk. Only the 4 KiB pages that
 * it writes are kept; payloads, which are never written, cost nothing however
 * large they are.
 */
#ifndef WH_HDF5_SPARSE_FD_H
#define WH_HDF5_SPARSE_FD_H

#include <stdint.h>

#include "hdf5/late_hdf5.h"
#include "base/auto.h"
#include "base/error.h"

#define SPARSE_PAGE ((size_t)4096)

/** What was written. A zeroed one is empty and valid. */
struct sparse_image {
	struct sparse_page {
		uint64_t number; /* its offset / SPARSE_PAGE */
		uint8_t *bytes;	 /* NULL: a free place */
	} * pages;		 /* open addressing by number */
	size_t n_places, n_pages;
	uint64_t size; /* of the file, once it is closed */
	/* While set, raw data of at most this size is dropped: the one element
	 * that is written to make libhdf5 allocate a dataset. */
	size_t poke_size;
	bool out_of_memory;
	hid_t driver; /* registered from use to drop, else 0 */
};

void sparse_image_free(struct sparse_image *image);

/** `len` bytes from `offset`; what was not written is zero. */
void sparse_image_read(const struct sparse_image *image, uint64_t offset,
		       void *buf, size_t len);

/** Makes files that are created by this access list go to `image`, which must
 *  outlive them. Negative on failure. */
herr_t sparse_fd_use(hid_t fapl, struct sparse_image *image);

/** To be called when those files are closed: until then the driver must stay
 *  registered, for libhdf5 1.10 lets go of it before it calls its close. */
void sparse_fd_drop(struct sparse_image *image);

#endif
