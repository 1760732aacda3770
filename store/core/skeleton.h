/* core/skeleton.h: what is left of a checkpoint's files without the payloads,
 * as the hidden tensor of its template.
 *
 * An importer covers each file from its start to its end: payloads where they
 * lie, and what is between them as runs of the skeleton, in the files' order.
 */
#ifndef WH_CORE_SKELETON_H
#define WH_CORE_SKELETON_H

#include <weighhouse/source.h>

#include "base/arena.h"
#include "base/error.h"

struct skeleton_run {
	uint64_t start;		 /* in the skeleton */
	uint64_t offset, length; /* in the file */
	uint32_t file;		 /* whichever number the importer gave it */
};

/** Bytes of a run, from `skip` on, out of its file. `arg` is the importer's
 *  source. */
typedef enum wh_status skeleton_read_fn(void *arg,
					const struct skeleton_run *run,
					uint64_t skip, void *buf, size_t len,
					struct wh_error *err);

struct skeleton {
	struct skeleton_run *runs; /* by `start`; the arena's */
	uint32_t n_runs;
	uint64_t size;	 /* bytes of all */
	uint32_t tensor; /* its index in the manifest */
	skeleton_read_fn *read;
	void *arg;
};

/** An empty one, which will be tensor `tensor`, with room for so many runs: one
 *  a file and one a payload are enough. */
enum wh_status skeleton_begin(struct skeleton *skeleton, struct arena *arena,
			      uint64_t max_runs, uint32_t tensor,
			      skeleton_read_fn *read, void *arg,
			      struct wh_error *err);

/** A file of a template while it is covered. `file->size` and room for its
 *  extents, two a payload and one, are the caller's. */
struct cover {
	struct skeleton *skeleton;
	struct wh_template_file *file;
	uint32_t number; /* of its runs */
	uint64_t at;	 /* so many bytes are covered */
};
/** The payload, or the part of one, that lies at `extent->offset`. They come by
 *  offset; one that begins in what is covered is left out: of tensors that
 *  share bytes, as hard links do, the first one has them. */
void cover_payload(struct cover *cover, const struct wh_extent *extent);
/** What is left, up to the file's end. */
void cover_end(struct cover *cover);

/** `len` bytes of the skeleton from `offset` on; all must be there. */
enum wh_status skeleton_read(const struct skeleton *skeleton, uint64_t offset,
			     void *buf, size_t len, struct wh_error *err);

#endif
