/* publish/journal.h: what an interrupted publication has got done.
 *
 * Hints only: a server's answer decides. A file of JSON lines,
 *
 *	{"path": "v/ID/model.h5", "key": "part 3", "value": "\"etag\""}
 *
 * appended without a sync, since losing the end costs a transfer and nothing
 * else; a line that is torn is skipped. The file goes when its publication is
 * complete.
 */
#ifndef WH_PUBLISH_JOURNAL_H
#define WH_PUBLISH_JOURNAL_H

#include <stdbool.h>
#include <stddef.h>

#include <jansson.h>

#include "base/error.h"

struct journal;

/** Where journals of the store at this path are: beside it; or, where that
 *  folder is another user's or can't be made, in the user's state folder.
 *  malloc'd, or NULL. */
char *journal_folder(const char *store);
char *journal_folder_beside(const char *store);
char *journal_folder_of_user(void);

/** The journal `name` in `folder`, which is made; NULL folder, or one that
 *  can't be written: kept in memory alone. Safe for several threads. */
enum wh_status journal_open(const char *folder, const char *name,
			    struct journal **journal, struct wh_error *err);
void journal_close(struct journal *journal);

/** False if nothing was noted. Takes a NULL journal, as all below. */
bool journal_get(struct journal *journal, const char *path, const char *key,
		 char *value, size_t size);
/** A value that can't be noted costs a transfer and is no error. */
void journal_put(struct journal *journal, const char *path, const char *key,
		 const char *value);
/** Forgets all of a path. */
void journal_forget(struct journal *journal, const char *path);

/** The notes of a journal that is there: {path: {key: value}}, empty if it
 *  can't be read. `*held`: it is open for a publication now. The caller lets go
 *  of them. NULL: no memory. */
json_t *journal_look(const char *folder, const char *name, bool *held);

/** The publication is complete: removes the file. */
void journal_done(struct journal *journal);

#endif
