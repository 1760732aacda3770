/* hdf5/attribute_read.h: names and texts from attributes of unknown files. */
#ifndef WH_HDF5_ATTRIBUTE_READ_H
#define WH_HDF5_ATTRIBUTE_READ_H

#include <stdbool.h>
#include <stdint.h>

#include "hdf5/late_hdf5.h"
#include "base/arena.h"
#include "base/error.h"
#include "hdf5/input_fd.h"
#include "hdf5/name_list.h"

/** Appends the names of one attribute: variable-length or fixed-length strings
 *  of any padding; a scalar is a list of one. `arena` receives everything.
 *  WH_ECORRUPT for other types and for what is out of bounds, WH_EUNSUPPORTED
 *  for names longer than WH_MAX_NAME. */
enum wh_status h5_names_append(hid_t object, const char *name,
			       struct input_file *input, struct arena *arena,
			       struct name_list *list, struct wh_error *err);

/** A single string of any size up to 16 MiB; `*text` is NULL if there is no
 *  such attribute. */
enum wh_status h5_text_read(hid_t object, const char *name,
			    struct input_file *input, struct arena *arena,
			    const char **text, size_t *size,
			    struct wh_error *err);

/** A single integer from 0 to `max`; `*found` says whether there is one. */
enum wh_status h5_count_read(hid_t object, const char *name, uint32_t max,
			     uint32_t *count, bool *found,
			     struct wh_error *err);

bool h5_has_attribute(hid_t object, const char *name);

#endif
