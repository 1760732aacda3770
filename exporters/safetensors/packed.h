/* safetensors/packed.h: dtypes whose values are not numbers here.
 *
 * Two F4 lie in a byte, four F6 in three, and F8_E8M0 is an exponent alone.
 * Such a tensor is uint8 of the bytes that it has, its last axis as long as
 * they are; what it is called in the file stands in an attribute,
 * MANIFEST_PACKED: "F4 [3,8]" for uint8 of (3, 4).
 */
#ifndef WH_SAFETENSORS_PACKED_H
#define WH_SAFETENSORS_PACKED_H

#include "base/arena.h"
#include "core/manifest.h"
#include "safetensors/header.h"

/** Bits of a value of such a dtype; 0 for every other name. */
unsigned st_packed_bits(const char *name);

/** The shape of the entry's bytes. */
enum wh_status st_packed_shape(const struct st_entry *entry,
			       struct arena *arena, uint32_t *rank,
			       const uint64_t **shape, struct wh_error *err);

/** Says of tensor `key` what the entry is. */
enum wh_status st_packed_note(struct manifest_builder *builder, const char *key,
			      const struct st_entry *entry,
			      struct wh_error *err);

/** Reads such an attribute: the dtype's name ("F4") and the text of the shape
 *  ("[3,8]"). False if it isn't one of this tensor. */
bool st_packed_read(const struct wh_attribute *attribute,
		    const struct wh_tensor *tensor, struct arena *arena,
		    const char **name, const char **shape);

#endif
