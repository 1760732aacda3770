/* core/skeleton.h: what is left of a checkpoint's files without the payloads,
 * as the hidden tensor of its template.
 *
 * An importer lists where payloads lie, then covers each file from its start to
 * its end: payloads where they are, and what is between them as runs of the
 * skeleton, in the files' order.
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
	struct arena *arena;
	struct skeleton_run *runs; /* by `start`; the arena's */
	size_t n_runs, room;
	uint64_t size;	 /* bytes of all */
	uint32_t tensor; /* its index in the manifest */
	skeleton_read_fn *read;
	void *arg;
};

/** A payload, or a part of one, and the file that it lies in. */
struct payload {
	uint32_t file; /* its number, as of a run */
	struct wh_extent extent;
};

/** Those of all files; a zeroed one is empty.
 *	struct payloads payloads payloads_auto = {0}; */
struct payloads {
	struct payload *list; /* malloc'd */
	size_t n, room;
	size_t n_covered;
	bool sorted;
};
void payloads_free(struct payloads *payloads);
#define payloads_auto __attribute__((cleanup(payloads_free)))

/** In any order. One without a byte is left out. */
enum wh_status payloads_add(struct payloads *payloads, uint32_t file,
			    const struct wh_extent *extent,
			    struct wh_error *err);

/** A template of so many files, to be covered one after the other; it and the
 *  skeleton, which will be tensor `tensor`, are the arena's. */
enum wh_status skeleton_begin(struct skeleton *skeleton, struct arena *arena,
			      uint32_t tensor, skeleton_read_fn *read,
			      void *arg, const char *format, uint32_t n_files,
			      struct wh_template **made, struct wh_error *err);

/** The file, whose size and suffix are given, gets its extents: of the payloads
 *  in file `number`, and of the skeleton. A payload that begins in one before
 * it is left out: of tensors that share bytes, as hard links do, the first one
 * has them. Files come by ascending numbers, and when all payloads are listed.
 */
enum wh_status skeleton_cover(struct skeleton *skeleton,
			      struct payloads *payloads, uint32_t number,
			      struct wh_template_file *file,
			      struct wh_error *err);

/** Whether each tensor (of those that are `wanted`; NULL: all) has a place of
 *  its own in the template's files. */
bool skeleton_places(const struct wh_manifest *manifest, const bool *wanted);

/** `len` bytes of the skeleton from `offset` on; all must be there. */
enum wh_status skeleton_read(const struct skeleton *skeleton, uint64_t offset,
			     void *buf, size_t len, struct wh_error *err);

#endif
