/* publication_internal.h: a publication under way: publication.c, hashing.c,
 * pointers.c. */
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

/* ---- hashing.c ------------------------------------------------------------
 */

/** The file's bytes, as places take them. */
struct content content_of(struct publish_file *file);
enum wh_status hash_file(struct publish_file *file, struct wh_error *err);
/** Its digest by the journal, or counted and noted there. */
enum wh_status hash_now(struct running *running, struct publish_file *file,
			struct wh_error *err);
/** Whether it goes in parts. */
bool is_large(const struct place *place, const struct publish_file *file);
/** Whether its digest may come while it is sent. */
bool hashed_when_sent(const struct running *running,
		      const struct publish_file *file);
/** Puts it, and has its digest then: one pass over the store does for both. */
enum wh_status send_and_hash(struct running *running, struct publish_file *file,
			     struct wh_error *err);

/* ---- pointers.c -----------------------------------------------------------
 */

/** Refuses to move an alias that is protected and means another snapshot:
 *  WH_EEXISTS. */
enum wh_status check_protected(struct running *running, struct wh_error *err);
/** Moves all of them, last of all. */
enum wh_status move_pointers(struct running *running, struct wh_error *err);

#endif
