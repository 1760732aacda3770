/* plan.h: a checkpoint laid out before a byte moves.
 *
 * An exporter only plans: every file of the checkpoint is an image, a sorted,
 * gapless list of extents. One engine (write.c) moves the bytes of all
 * formats, to files, servers and streams.
 */
#ifndef WEIGHHOUSE_PLAN_H
#define WEIGHHOUSE_PLAN_H

#include <weighhouse/buffer.h>
#include <weighhouse/source.h>

#ifdef __cplusplus
extern "C" {
#endif

/** One file of the checkpoint. */
struct wh_image {
	char *suffix;  /* what follows the destination's path: "", ".index";
			  see wh_image_path */
	uint64_t size; /* bytes */
	struct wh_extent *extents; /* sorted, gapless over [0, size) */
	size_t n_extents, extents_capacity;
	struct wh_buf literals; /* what WH_LITERAL extents take from */
	bool commits; /* readers look for this file: it becomes visible last */
};

struct wh_plan;

/** An empty plan over `source`, which it borrows and which must outlive it.
 *  The caller ends it with wh_plan_free, which takes NULL. */
WH_API enum wh_status wh_plan_new(struct wh_source *source,
				  struct wh_plan **plan, struct wh_error *err);
WH_API void wh_plan_free(struct wh_plan *plan);

/** The source that it was made over. */
WH_API struct wh_source *wh_plan_source(struct wh_plan *plan);

/** Images stand in the order in which they may become visible. `index` is below
 *  their number; the pointer is valid until the next image is added. */
WH_API uint32_t wh_plan_n_images(const struct wh_plan *plan);
WH_API struct wh_image *wh_plan_image(struct wh_plan *plan, uint32_t index);

/** Adds an empty image after the others; `suffix` is copied. The pointer is
 *  valid until the next image is added. */
WH_API enum wh_status wh_plan_add_image(struct wh_plan *plan,
					const char *suffix, bool commits,
					struct wh_image **image,
					struct wh_error *err);

/** The path of the file that an image becomes, malloc'd: `path`, then
 *  `suffix`. A suffix OLD*NEW takes OLD off the path's end first, where the
 *  path ends so: ".st*-1.st" makes "a/m-1.st" of "a/m.st". NULL without
 *  memory. */
WH_API char *wh_image_path(const char *path, const char *suffix);

/** Appends literal bytes at the image's end. Neighbouring literals join. */
WH_API enum wh_status wh_image_literal(struct wh_image *image,
				       const void *bytes, size_t len,
				       struct wh_error *err);

/** Appends `length` bytes of a tensor's payload from byte `start`. */
WH_API enum wh_status wh_image_payload(struct wh_image *image, uint32_t tensor,
				       uint64_t start, uint64_t length,
				       struct wh_error *err);

/** Makes room for `n` extents more at once; optional. WH_ENOMEM. */
WH_API enum wh_status wh_image_reserve(struct wh_image *image, size_t n,
				       struct wh_error *err);

/** Appends any extent; its offset must be the image's size so far. */
WH_API enum wh_status wh_image_extent(struct wh_image *image,
				      const struct wh_extent *extent,
				      struct wh_error *err);

/** Records a sentence on what the format can't hold or had to assume; copied,
 *  shown by the command. */
WH_API enum wh_status wh_plan_warn(struct wh_plan *plan, struct wh_error *err,
				   const char *format, ...) WH_PRINTF(3, 4);
/** These sentences, in the order in which they came; they are the plan's.
 *  `index` is below their number. */
WH_API uint32_t wh_plan_n_warnings(const struct wh_plan *plan);
WH_API const char *wh_plan_warning(const struct wh_plan *plan, uint32_t index);

/** `len` bytes from `offset` of an image, as the file will have them. Safe
 *  from several threads at once where the source's read is.
 *  WH_EINVAL if the range is not in the image; else as the source's read. */
WH_API enum wh_status wh_plan_read(struct wh_plan *plan, uint32_t image,
				   uint64_t offset, void *buf, size_t len,
				   struct wh_error *err);

#ifdef __cplusplus
}
#endif
#endif
