/* publication_internal.h: a publication under way: publication.c, pointers.c.
 */
#ifndef WH_PUBLISH_PUBLICATION_INTERNAL_H
#define WH_PUBLISH_PUBLICATION_INTERNAL_H

#include "publish/publication.h"

struct running {
	struct publication *publication;
	struct place *place;
	const struct publication_options *options;
	uint64_t total;
	size_t *turn; /* indices of the files of this round */
	size_t n_turn;
};

/** The file's bytes, as places take them. */
struct content content_of(struct publish_file *file);

/** Refuses to move an alias that is protected and means another snapshot:
 *  WH_EEXISTS. */
enum wh_status check_protected(struct running *running, struct wh_error *err);
/** Moves all of them, last of all. */
enum wh_status move_pointers(struct running *running, struct wh_error *err);

#endif
