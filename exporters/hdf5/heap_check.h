/* hdf5/heap_check.h: where variable-length strings say that they lie.
 *
 * libhdf5 1.10 believes the number of an object in a global heap: one that is
 * not there makes it read outside of its memory. So each is looked for in the
 * file first.
 */
#ifndef WH_HDF5_HEAP_CHECK_H
#define WH_HDF5_HEAP_CHECK_H

#include "base/error.h"
#include "hdf5/input_fd.h"

/** Whether each of the `n` strings of an attribute is in the heap collection
 *  that it names. `name` is for messages. WH_ECORRUPT; WH_ENOMEM. */
enum wh_status heap_check(hid_t attribute, uint64_t n, const char *name,
			  const struct input_file *input, struct wh_error *err);

#endif
