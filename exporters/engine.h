/* engine.h: what the engine's parts are to each other. */
#ifndef WH_ENGINE_H
#define WH_ENGINE_H

#include "base/error.h"
#include <weighhouse/weights.h>

/** write.c: all images under `path`: temporaries beside their targets, synced,
 *  then renamed in order. Nothing is visible if it fails. */
enum wh_status write_files(struct wh_plan *plan, const char *path,
			   bool makes_folders,
			   const struct wh_save_options *options,
			   struct wh_saved *saved, struct wh_error *err);

/** write.c: what the plan's source read from is as it was. WH_EMISMATCH. */
enum wh_status check_source(struct wh_plan *plan, struct wh_error *err);

/** copy.c: the bytes of one image into an open file, by several threads where
 *  the source allows. Each tensor's CRC-32C is held against the weighed one:
 *  WH_EMISMATCH. */
struct copying {
	wh_progress_fn *progress;
	void *arg;
	uint64_t done_bytes, total_bytes; /* of all images */
	unsigned threads;
};
enum wh_status copy_image(struct wh_plan *plan, uint32_t image, int fd,
			  struct copying *copying, struct wh_error *err);

/** checkpoint.c: wh_checkpoint_open by content; `*format` is the one that it
 *  is of. */
enum wh_status open_by_content(const char *path,
			       const struct wh_load_options *options,
			       const struct wh_format **format,
			       struct wh_source **source, struct wh_error *err);

/** compare.c: whether the file holds the image's very bytes from `begin` to
 *  `end`. With the file's template (else NULL) whole payloads that lie where
 *  they were are held against their weighed CRC-32C, where they have one. */
enum wh_status compare_range(struct wh_plan *plan, uint32_t image, int fd,
			     const struct wh_template_file *file,
			     uint64_t begin, uint64_t end, bool *equal,
			     struct wh_error *err);

/** Whether the template says of the planned extent that it lies there. */
bool lies_where_it_was(const struct wh_extent *planned,
		       const struct wh_template_file *file);

/** Whether it holds all of them, and no more. */
enum wh_status compare_image(struct wh_plan *plan, uint32_t image, int fd,
			     bool *equal, struct wh_error *err);

/** filter.c: `inner` with the dtypes that the casts say, the first that
 *  concerns a tensor; `*filter` NULL if none does. Borrows `inner`.
 *  WH_EUNSUPPORTED for a cast that there isn't. */
enum wh_status filter_cast(struct wh_source *inner, const struct wh_cast *casts,
			   size_t n_casts, struct wh_source **filter,
			   struct wh_error *err);
/** Warnings of the plan: how many tensors a filter cast, and with what loss. */
enum wh_status filter_tell(struct wh_source *filter, struct wh_plan *plan,
			   struct wh_error *err);

/** subset.c: the tensors of `inner` that are wanted, and their layers; without
 *  graph and attributes, which are of the whole. Borrows `inner`. */
enum wh_status subset_new(struct wh_source *inner, const bool *wanted,
			  struct wh_source **out, struct wh_error *err);

#endif
