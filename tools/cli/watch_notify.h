/* watch_notify.h: what the system tells about folders.
 *
 * By inotify where there is one; elsewhere, and on network file systems, whose
 * other machines it doesn't hear of, there is nothing to open and the caller
 * looks at all files from time to time.
 */
#ifndef WH_CLI_WATCH_NOTIFY_H
#define WH_CLI_WATCH_NOTIFY_H

#include <stdbool.h>

#include <weighhouse/error.h>

struct notify;

enum notify_kind {
	NOTIFY_CHANGED, /* a file was made or written to */
	NOTIFY_CLOSED,	/* by one who wrote */
	NOTIFY_MOVED,	/* a file came here under this name */
	NOTIFY_FOLDER,	/* a folder was made or came here */
	NOTIFY_GONE,	/* a folder that was watched is no more */
	NOTIFY_LOST,	/* events were lost: look at all; path "" */
};
typedef void notify_fn(void *arg, enum notify_kind kind, const char *path);

/** Whether files there may be written by other machines. */
bool notify_is_remote(const char *folder);

/** NULL in `*notify`, and WH_OK, where the system has none. */
enum wh_status notify_open(struct notify **notify, struct wh_error *err);
void notify_close(struct notify *notify);

/** Watches one folder, not those in it; a second time: under this path.
 *  WH_ENOTFOUND; WH_ENOMEM if the system has no room for more; WH_EIO. */
enum wh_status notify_add(struct notify *notify, const char *folder,
			  struct wh_error *err);

/** Readable when there are events. */
int notify_descriptor(const struct notify *notify);

/** Tells what has happened so far, and does not wait. `fn` may add folders. */
enum wh_status notify_read(struct notify *notify, notify_fn *fn, void *arg,
			   struct wh_error *err);

#endif
