/* hdf5/dataset.h: what a dataset is, and reading those that don't lie flat. */
#ifndef WH_HDF5_DATASET_H
#define WH_HDF5_DATASET_H

#include <stdbool.h>
#include <stdint.h>

#include "hdf5/late_hdf5.h"
#include "base/error.h"
#include <weighhouse/tensor.h>

#define H5_MAX_FILTERS 3 /* each of those that are read, once */

struct h5_dataset {
	enum wh_dtype dtype;
	unsigned swap; /* element width to reverse, or 0 */
	uint32_t rank;
	uint64_t shape[WH_MAX_RANK];
	uint64_t nbytes; /* of the payload */
	bool flat;	 /* the payload lies in the file, in one piece */
	uint64_t offset; /* where, if flat and not empty */
	/* Chunked ones: */
	hsize_t chunk[WH_MAX_RANK];
	uint64_t chunk_size; /* bytes, unpacked */
	uint64_t n_chunks;
	H5Z_filter_t filters[H5_MAX_FILTERS]; /* in the order of packing */
	uint32_t n_filters;
	bool plain_edges; /* chunks that reach over the edge are not packed */
	uint64_t cache; /* bytes of chunks to keep while reading it; 0: none */
	bool checked;	  /* by h5_chunks_check */
	const char *path; /* from the root; set once it is kept */
};

/** Describes an open dataset of a file of `file_size` bytes. WH_ECORRUPT,
 *  WH_EUNSUPPORTED for types and storage that are no weights: external and
 *  virtual ones, unallocated ones, unknown filters, too large chunks, data
 *  that would unpack to very much more than the file. */
enum wh_status h5_dataset_describe(hid_t object, uint64_t file_size,
				   struct h5_dataset *dataset,
				   struct wh_error *err);

/** chunk_check.c: unpacks every chunk once. libhdf5 would read beyond its
 *  memory for one that is too short: no h5_dataset_read without this.
 *  WH_ECORRUPT. */
enum wh_status h5_chunks_check(hid_t object, const struct h5_dataset *dataset,
			       struct wh_error *err);

/** Opens a dataset that was described, for h5_dataset_read; negative on
 *  failure. */
hid_t h5_dataset_reopen(hid_t file, const struct h5_dataset *dataset);

/** Reads `len` bytes from byte `offset` of the payload, little-endian,
 *  through libhdf5. */
enum wh_status h5_dataset_read(hid_t object, const struct h5_dataset *dataset,
			       uint64_t offset, void *buf, size_t len,
			       struct wh_error *err);

#endif
