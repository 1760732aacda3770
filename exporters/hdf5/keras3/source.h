/* hdf5/keras3/source.h: an opened Keras 3 checkpoint as a source.
 *
 * Its files on disk are one HDF5 file; or one archive with an HDF5 file in it;
 * or the JSON text of a sharded checkpoint and a few HDF5 files.
 */
#ifndef WH_HDF5_KERAS3_SOURCE_H
#define WH_HDF5_KERAS3_SOURCE_H

#include "hdf5/keras3/tree.h"
#include <weighhouse/source.h>

/** A file on disk. */
struct keras3_file {
	int fd;
	struct stat opened;
	const char *suffix; /* as wh_image's */
};

struct keras3_source {
	struct wh_source base; /* first: they are cast into each other */
	struct arena arena;
	struct keras3_file *files; /* the arena's; the last is looked for */
	uint32_t n_files;
	struct h5_source **parts; /* HDF5 files; the arena's */
	uint32_t *file_of;	  /* of each part: the file it lies in */
	uint32_t n_parts;
	bool is_unpacked; /* the part was packed: what is read is a copy */
	bool is_renamed;  /* shards have not the names that Keras gives them */
	struct keras3_dataset *places; /* one a tensor; the arena's */
	struct skeleton skeleton;
};

/* The second where a dataset of a part is packed. */
extern const struct wh_source_ops keras3_flat_ops, keras3_packed_ops;

/** The skeleton's `read`; `arg` is the struct keras3_source. */
enum wh_status keras3_read_run(void *arg, const struct skeleton_run *run,
			       uint64_t skip, void *buf, size_t len,
			       struct wh_error *err);

/** An empty one with room for so many files and parts. */
enum wh_status keras3_source_new(uint32_t n_files, uint32_t n_parts,
				 struct keras3_source **source,
				 struct wh_error *err);

/** Opens the next file at `path`; `suffix` is copied. */
enum wh_status keras3_source_add_file(struct keras3_source *source,
				      const char *path, const char *suffix,
				      struct wh_error *err);

/** Makes `size` bytes from `base` of file `file`, or of `fd` where that is not
 *  -1 (then it is taken), the next part. */
enum wh_status keras3_source_add_part(struct keras3_source *source,
				      uint32_t file, int fd, uint64_t base,
				      uint64_t size, struct wh_error *err);

/** The template, if all payloads lie flat in the files. */
enum wh_status keras3_template_make(struct keras3_source *source,
				    struct manifest_builder *builder,
				    uint32_t n_tensors,
				    struct wh_template **made,
				    struct wh_error *err);

#endif
