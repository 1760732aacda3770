/* core/manifest.h: building a manifest, piece by piece, in an arena.
 *
 * Importers and the store fill a manifest_builder, which grows, checks limits
 * and names, and refuses duplicates; manifest_finish hands over the result.
 */
#ifndef WH_CORE_MANIFEST_H
#define WH_CORE_MANIFEST_H

#include "base/arena.h"
#include "base/error.h"
#include <weighhouse/source.h>

struct manifest_builder;

/** `arena` receives everything that the manifest points to; the builder's own
 *  memory goes with manifest_builder_free. */
enum wh_status manifest_builder_new(struct arena *arena,
				    struct manifest_builder **builder,
				    struct wh_error *err);
void manifest_builder_free(struct manifest_builder *builder);

/** Adds a tensor, its index in `*index` (may be NULL). Strings and the shape
 *  are copied. `nbytes` is checked against dtype and shape (bar string and
 *  variant). WH_ECORRUPT for bad names, duplicates, limits. */
enum wh_status manifest_add_tensor(struct manifest_builder *builder,
				   const char *key, enum wh_dtype dtype,
				   uint32_t rank, const uint64_t *shape,
				   uint64_t nbytes, uint32_t *index,
				   struct wh_error *err);

/** Begins a layer; its index in `*index` (may be NULL). `class_name` may be
 *  NULL, `container` WH_NO_LAYER or an earlier index. */
enum wh_status manifest_add_layer(struct manifest_builder *builder,
				  const char *name, const char *class_name,
				  enum wh_layer_kind kind, uint32_t container,
				  uint32_t *index, struct wh_error *err);

/** Adds a variable to a layer (any that was begun). Strings are copied. */
enum wh_status manifest_add_variable(struct manifest_builder *builder,
				     uint32_t layer,
				     const struct wh_variable *variable,
				     struct wh_error *err);

/** Adds an attribute; strings and text are copied. */
enum wh_status manifest_add_attribute(struct manifest_builder *builder,
				      const struct wh_attribute *attribute,
				      struct wh_error *err);

/** Adds a warning, copied. */
enum wh_status manifest_warn(struct manifest_builder *builder,
			     struct wh_error *err, const char *format, ...)
	WH_PRINTF(3, 4);

/** Appends the skeleton tensor (uint8, `nbytes`), once, after all others.
 *  Its key is not a name and can't clash. */
enum wh_status manifest_add_skeleton(struct manifest_builder *builder,
				     uint64_t nbytes, uint32_t *index,
				     struct wh_error *err);

/** The tensors so far, for what needs them before it adds the skeleton. They
 *  are the builder's, and move when another is added. */
void manifest_show_tensors(const struct manifest_builder *builder,
			   struct wh_manifest *manifest);

/** Once, at the end. Checks the whole (each listed tensor has exactly one variable) and fills
 *  `*manifest` but for graph, template_ and origin, which the caller sets. */
enum wh_status manifest_finish(struct manifest_builder *builder,
			       struct wh_manifest *manifest,
			       struct wh_error *err);

/** The first attribute of that path and key, or NULL. */
const struct wh_attribute *
manifest_attribute(const struct wh_manifest *manifest, const char *path,
		   const char *key);

/** Key of the attribute that says of tensor `path`, which is uint8, that its
 *  bytes are of a dtype that is none here: "F4 [3,8]". */
#define MANIFEST_PACKED "packed dtype"

/** The first such attribute, or NULL. */
const struct wh_attribute *manifest_packed(const struct wh_manifest *manifest);

/** No longer than WH_MAX_NAME, and valid UTF-8; WH_ECORRUPT. `what` it is. */
enum wh_status name_check(const char *what, const char *name,
			  struct wh_error *err);

/** Of an extent's `swap`: complex128 has two of 8, opaque ones up to 16. */
#define WIDEST_ELEMENT 16u

/** What the builder above sees to, of a manifest that another program filled,
 *  and what can't be stored of its graph and template: sizes, names, kinds,
 *  indexes, and that each listed tensor has one variable. WH_EINVAL. */
enum wh_status manifest_check(const struct wh_manifest *manifest,
			      struct wh_error *err);

/** The digest, checksums and statistics of another tensor of the same bytes. */
void tensor_copy_sums(struct wh_tensor *to, const struct wh_tensor *from);

/** Checks nbytes against dtype and shape with overflow checks; WH_ECORRUPT. */
enum wh_status tensor_check(const char *name, enum wh_dtype dtype,
			    uint32_t rank, const uint64_t *shape,
			    uint64_t nbytes, struct wh_error *err);

#endif
