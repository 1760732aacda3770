/* hdf5/file_source.h: an opened HDF5 file as a source. */
#ifndef WH_HDF5_FILE_SOURCE_H
#define WH_HDF5_FILE_SOURCE_H

#include <stdbool.h>
#include <sys/stat.h>

#include "base/arena.h"
#include "core/manifest.h"
#include "core/skeleton.h"
#include "hdf5/dataset.h"
#include "hdf5/input_fd.h"
#include <weighhouse/source.h>

struct classic_file;

/** What is kept of a dataset: files have thousands that lie flat. */
struct h5_kept {
	enum wh_dtype dtype;
	unsigned swap; /* as in struct h5_dataset, these all */
	uint32_t rank;
	const uint64_t *shape;
	uint64_t nbytes, offset;
	struct h5_dataset *packed; /* all of it; NULL if it lies flat */
};

struct h5_source {
	struct wh_source base; /* first: they are cast into each other */
	struct arena arena;
	struct input_file input;
	struct stat opened; /* the file as it was */
	hid_t file;    /* open while tensors are read through libhdf5, else 0 */
	hid_t dataset; /* the one that was read last, or 0 */
	struct classic_file *classic; /* while it is read without libhdf5 */
	uint32_t dataset_index;
	struct h5_kept *datasets; /* one a tensor; malloc'd */
	uint32_t n_datasets;
	size_t room;
	uint64_t total;	   /* bytes of all payloads */
	uint64_t n_chunks; /* of all that are packed */
	struct skeleton skeleton;
};

/* The second once a dataset is packed. */
extern const struct wh_source_ops h5_flat_ops, h5_packed_ops;

/** The skeleton's `read`; `arg` is the struct h5_source. */
enum wh_status h5_read_run(void *arg, const struct skeleton_run *run,
			   uint64_t skip, void *buf, size_t len,
			   struct wh_error *err);

/** Opens the file at `path`; no libhdf5 yet. WH_ENOTFOUND, WH_EIO, WH_EINVAL
 *  if it is no regular file. The caller closes the source. */
enum wh_status h5_source_open(const char *path, struct h5_source **source,
			      struct wh_error *err);

/** Closes what libhdf5 has open of it, in a session. */
void h5_source_close_file(struct h5_source *source);
/** The same of an HDF5 file that is `size` bytes of `fd` from `base` on; takes
 *  the descriptor, also where it fails. */
enum wh_status h5_source_open_part(int fd, uint64_t base, uint64_t size,
				   struct h5_source **source,
				   struct wh_error *err);

/** Whether there is an HDF5 file, by its signature. */
bool h5_source_has_signature(const struct h5_source *source);

/** Opens the file for libhdf5, and its root group into `*root`, which the
 *  caller releases. In a session. WH_ECORRUPT. */
enum wh_status h5_source_start(struct h5_source *source, hid_t *root,
			       struct wh_error *err);

/** Closes it again, once all is known, unless packed tensors need it. */
void h5_source_stop(struct h5_source *source);

/** Frees what classic/ has of it; all views must be closed. */
void h5_source_close_classic(struct h5_source *source);

/** Keeps a dataset that was described, as the next of source->datasets; in
 *  `*kept` where, until the next is kept. Shapes are in the source's arena.
 * WH_ECORRUPT if the file's payloads take more than `max_nbytes` (0: no limit),
 * more than could be in it, or are too many for its size. */
enum wh_status h5_source_keep(struct h5_source *source,
			      const struct h5_dataset *dataset,
			      uint64_t max_nbytes, struct h5_kept **kept,
			      struct wh_error *err);

/** `len` bytes from `offset` of the payload of dataset `index`. */
enum wh_status h5_source_read(struct h5_source *source, uint32_t index,
			      uint64_t offset, void *buf, size_t len,
			      struct wh_error *err);

/** WH_EMISMATCH if the file is not what `then` says. */
enum wh_status h5_check_unchanged(int fd, const struct stat *then,
				  struct wh_error *err);

/** Gives the manifest its template, if all payloads lie flat. */
enum wh_status h5_template_make(struct h5_source *source,
				struct manifest_builder *builder,
				struct wh_template **made,
				struct wh_error *err);

#endif
