/* hdf5/keras3/layout.h: a file of Keras 3's layout, laid out in memory. */
#ifndef WH_HDF5_KERAS3_LAYOUT_H
#define WH_HDF5_KERAS3_LAYOUT_H

#include "hdf5/sparse_fd.h"
#include "mapping/keras3.h"

/** Lays out the values of shard `shard` into `image` (empty), all but the
 *  payloads, and puts the offset of each one's payload into `offset_of`
 *  (IMAGE_NOWHERE for those without bytes, others untouched). An object begins
 *  in the shard of the value before it. WH_EUNSUPPORTED for names that HDF5
 *  can't hold or that clash. */
enum wh_status keras3_layout_write(const struct wh_manifest *manifest,
				   const struct keras3_objects *objects,
				   uint32_t shard, struct sparse_image *image,
				   uint64_t *offset_of, struct wh_error *err);

#endif
