/* hdf5/attribute_write.h: attributes exactly as h5py 3 makes them for Keras. */
#ifndef WH_HDF5_ATTRIBUTE_WRITE_H
#define WH_HDF5_ATTRIBUTE_WRITE_H

#include <stdint.h>

#include "hdf5/late_hdf5.h"
#include "base/error.h"

/** What Keras lets an attribute hold; libhdf5's own limit is 64 KiB. */
#define H5_ATTRIBUTE_LIMIT 64512u

/** A list of names: variable-length strings, an empty list as float64 (0,);
 *  one that is too long split into `name`0, `name`1, ... of fixed-length
 *  strings. WH_EUNSUPPORTED if a single name is over the limit. */
enum wh_status h5_names_write(hid_t object, const char *name,
			      const char *const *names, uint32_t n_names,
			      struct wh_error *err);

/** A scalar variable-length string, ASCII. */
enum wh_status h5_text_write(hid_t object, const char *name, const char *text,
			     struct wh_error *err);

/** The same flagged as UTF-8, which is what h5py makes of Python's str. */
enum wh_status h5_utf8_write(hid_t object, const char *name, const char *text,
			     struct wh_error *err);

/** In how many parts a list is written: 1 unless it must be split. */
uint32_t h5_names_parts(const char *name, uint32_t n_names, size_t longest);

#endif
