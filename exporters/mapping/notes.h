/* mapping/notes.h: sentences on what was assumed or left out. */
#ifndef WH_MAPPING_NOTES_H
#define WH_MAPPING_NOTES_H

#include "base/arena.h"
#include <weighhouse/source.h>

/** A zeroed one with its arena is empty. */
struct notes {
	struct arena *arena;
	const char **texts;
	uint32_t n;
	size_t capacity;
};
void notes_free(struct notes *notes);

enum wh_status notes_add(struct notes *notes, struct wh_error *err,
			 const char *format, ...) WH_PRINTF(3, 4);

/** How many tensors of the optimizer, and of other state, are left out: those
 *  without a key, or all (`key_of`: NULL). */
enum wh_status notes_left_out(struct notes *notes,
			      const struct wh_manifest *manifest,
			      const char *const *key_of, struct wh_error *err);

/** Copies the list into the arena. */
enum wh_status notes_settle(const struct notes *notes,
			    const char *const **texts, uint32_t *n,
			    struct wh_error *err);

#endif
