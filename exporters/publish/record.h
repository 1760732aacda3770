/* publish/record.h: publications that are complete, for good.
 *
 * Rows of the store (publication.h). Where it can't be written they are lines
 * of a file, `<store>-publish/published.jsonl`, or `published-NAME.jsonl` in
 * the user's state folder for read-only media; the next call that can write
 * takes them into the store.
 */
#ifndef WH_PUBLISH_RECORD_H
#define WH_PUBLISH_RECORD_H

#include <weighhouse/publication.h>

/** Records it in the store or, failing that, in the file. */
enum wh_status record_publication(struct wh_store *store,
				  const struct wh_publication *publication,
				  struct wh_error *err);
/** An alias (or NULL) and a snapshot's files (or NULL) of a place are gone. */
enum wh_status record_end(struct wh_store *store, const char *place,
			  const char *alias, const char *snapshot, int64_t time,
			  struct wh_error *err);
/** The store's, then those of the file, oldest first. */
enum wh_status record_list(struct wh_store *store, const char *place,
			   wh_publication_fn *fn, void *arg,
			   struct wh_error *err);

/** "user@host". */
void record_who(char *who, size_t size);

#endif
