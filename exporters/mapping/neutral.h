/* mapping/neutral.h: models in formats that have keys and nothing else.
 *
 * safetensors and npz name arrays and say nothing of layers, of their order or
 * of other formats' names. A weight's neutral key is its layer's name, `/` and
 * its path below the layer; the rest is told by a description, JSON text that
 * such a file carries beside its arrays. FORMAT.md, "Neutral keys".
 */
#ifndef WH_MAPPING_NEUTRAL_H
#define WH_MAPPING_NEUTRAL_H

#include "base/arena.h"
#include "core/manifest.h"

/** Whether the manifest came from such a format and brought no description:
 *  its keys are all there is. */
bool neutral_is_plain(const struct wh_manifest *manifest);

/** The key of each tensor, `manifest->n_tensors` of them, all different. */
enum wh_status neutral_keys(const struct wh_manifest *manifest,
			    struct arena *arena, const char ***keys,
			    struct wh_error *err);

/** The description of a manifest under these keys; the caller frees it. */
enum wh_status neutral_describe(const struct wh_manifest *manifest,
				const char *const *keys, char **text,
				struct wh_error *err);

/** A description that was read. */
struct neutral_description;

/** Reads one of tensors of these keys; its graph and the texts of its origin
 *  are in the arena. NULL in `*description` if there is none (`text` is NULL,
 *  else NUL-terminated), or if it doesn't fit them, which is warned of. */
enum wh_status neutral_description_read(
	struct manifest_builder *builder, const char *const *keys,
	uint32_t n_keys, const char *text, size_t len, struct arena *arena,
	struct neutral_description **description, struct wh_error *err);

/** Takes NULL. */
void neutral_description_free(struct neutral_description *description);

/** The order in which tensors of these keys come, and their names: the
 *  description's, or as they are. order[i] receives which key comes i-th,
 *  names[i] what the tensor is called. */
enum wh_status neutral_order(const struct neutral_description *description,
			     const char *const *keys, uint32_t n_keys,
			     struct arena *arena, uint32_t *order,
			     const char **names, struct wh_error *err);

/** What a description tells of a manifest but its layers. */
struct neutral_origin {
	const char *format;	/* whose names these are; NULL: plain keys */
	const char *generator;	/* or NULL */
	struct wh_graph *graph; /* or NULL */
};

/** Gives the builder's tensors, which come in that order and whose keys these
 *  are, layers and variables: as the description says, or else (it is NULL) a
 *  key's layer is what precedes its last `/` or `.`. */
enum wh_status neutral_layers(struct manifest_builder *builder,
			      struct arena *arena,
			      const struct neutral_description *description,
			      const char *const *keys, uint32_t n_keys,
			      struct neutral_origin *origin,
			      struct wh_error *err);

#endif
