/* hdf5/object.h: opening objects of a file that may be hostile. */
#ifndef WH_HDF5_OBJECT_H
#define WH_HDF5_OBJECT_H

#include <stdbool.h>

#include "hdf5/late_hdf5.h"
#include "base/error.h"

#define H5_MAX_DEPTH 32 /* components of a name */

/** Whether a name means the same to HDF5 as to everyone: no empty, "." or ".."
 *  component, no leading slash, at most H5_MAX_DEPTH components. */
bool h5_name_is_plain(const char *name);

/** Opens the group (dataset) that `path` means below `at`, component by
 *  component and through hard links alone: a soft or an external link could
 *  lead to other files. The caller releases `*object`. WH_ECORRUPT, naming
 *  what is wrong with which component. */
enum wh_status h5_group_open(hid_t at, const char *path, hid_t *object,
			     struct wh_error *err);
enum wh_status h5_dataset_open(hid_t at, const char *path, hid_t *object,
			       struct wh_error *err);

/** Whether `at` has a link of that name, of any kind. */
bool h5_has(hid_t at, const char *name);

/** Fails with WH_ECORRUPT, `what`, and libhdf5's own innermost reason. */
enum wh_status h5_fail(struct wh_error *err, const char *what);

#endif
