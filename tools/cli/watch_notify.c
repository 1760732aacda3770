#include "watch_notify.h"

#ifdef __linux__

#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/inotify.h>
#include <sys/vfs.h>
#include <unistd.h>

#include "base/array.h"
#include "base/error.h"

#define EVENTS                                                                 \
	(IN_CREATE | IN_MODIFY | IN_CLOSE_WRITE | IN_MOVED_TO | IN_ONLYDIR |   \
	 IN_DELETE_SELF | IN_MOVE_SELF)
#define BUFFER_SIZE (64 << 10)

struct folder {
	int watch;
	char *path;
};

struct notify {
	int fd;
	struct folder *folders; /* by watch */
	size_t n, room;
};

bool notify_is_remote(const char *folder)
{
	/* NFS, SMB, CIFS, SMB2, AFS, Ceph, 9P, Lustre: statfs(2). */
	static const unsigned long types[] = {
		0x6969,	    0x517b,	0xff534d42, 0xfe534d42,
		0x5346414f, 0x00c36400, 0x01021997, 0x0bd00bd0};
	struct statfs at;
	size_t i;

	if (statfs(folder, &at))
		return false;
	for (i = 0; i < sizeof(types) / sizeof(types[0]); i++)
		if (((unsigned long)at.f_type & 0xffffffff) == types[i])
			return true;
	return false;
}

enum wh_status notify_open(struct notify **notify, struct wh_error *err)
{
	struct notify *made = calloc(1, sizeof(*made));

	if (!made)
		return wh_fail_memory(err);
	made->fd = inotify_init1(IN_NONBLOCK | IN_CLOEXEC);
	if (made->fd < 0) {
		free(made);
		return wh_fail(err, WH_EIO, "inotify: %s", strerror(errno));
	}
	*notify = made;
	return WH_OK;
}

void notify_close(struct notify *notify)
{
	if (!notify)
		return;
	while (notify->n)
		free(notify->folders[--notify->n].path);
	free(notify->folders);
	close(notify->fd);
	free(notify);
}

int notify_descriptor(const struct notify *notify)
{
	return notify->fd;
}

/* ---- Folders ---------------------------------------------------------------
 */

/* Watches count up, so the last is mostly the newest. */
static size_t place_of(const struct notify *notify, int watch)
{
	size_t low = 0, high = notify->n;

	while (low < high) {
		size_t middle = low + (high - low) / 2;

		if (notify->folders[middle].watch < watch)
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

static bool is_at(const struct notify *notify, size_t at, int watch)
{
	return at < notify->n && notify->folders[at].watch == watch;
}

static enum wh_status insert(struct notify *notify, size_t at, int watch,
			     char *path, struct wh_error *err)
{
	WH_TRY(array_grow(&notify->folders, notify->n, &notify->room,
			  sizeof(*notify->folders), err));
	memmove(&notify->folders[at + 1], &notify->folders[at],
		(notify->n - at) * sizeof(*notify->folders));
	notify->folders[at] = (struct folder){watch, path};
	notify->n++;
	return WH_OK;
}

enum wh_status notify_add(struct notify *notify, const char *folder,
			  struct wh_error *err)
{
	int watch = inotify_add_watch(notify->fd, folder, EVENTS);
	enum wh_status status = WH_OK;
	size_t at;
	char *path;

	if (watch < 0 && errno == ENOSPC)
		return wh_fail(err, WH_ENOMEM,
			       "'%s': no more folders can be listened to "
			       "(fs.inotify.max_user_watches)",
			       folder);
	if (watch < 0)
		return wh_fail_errno(err, errno, "'%s'", folder);
	path = strdup(folder);
	if (!path)
		return wh_fail_memory(err);
	at = place_of(notify, watch);
	if (is_at(notify, at, watch)) {
		free(notify->folders[at].path);
		notify->folders[at].path = path;
		return WH_OK;
	}
	status = insert(notify, at, watch, path, err);
	if (status)
		free(path);
	return status;
}

static void forget(struct notify *notify, int watch)
{
	size_t at = place_of(notify, watch);

	if (!is_at(notify, at, watch))
		return;
	free(notify->folders[at].path);
	memmove(&notify->folders[at], &notify->folders[at + 1],
		(notify->n - at - 1) * sizeof(*notify->folders));
	notify->n--;
}

/* ---- Events ----------------------------------------------------------------
 */

static void tell(const struct inotify_event *event, const char *path,
		 notify_fn *fn, void *arg)
{
	if (event->mask & IN_ISDIR) {
		if (event->mask & (IN_CREATE | IN_MOVED_TO))
			fn(arg, NOTIFY_FOLDER, path);
		return;
	}
	if (event->mask & IN_MOVED_TO)
		fn(arg, NOTIFY_MOVED, path);
	else if (event->mask & IN_CLOSE_WRITE)
		fn(arg, NOTIFY_CLOSED, path);
	else
		fn(arg, NOTIFY_CHANGED, path);
}

static void take_event(struct notify *notify, const struct inotify_event *event,
		       notify_fn *fn, void *arg)
{
	char path[2 * PATH_MAX];
	size_t at;

	if (event->mask & IN_Q_OVERFLOW) {
		fn(arg, NOTIFY_LOST, "");
		return;
	}
	at = place_of(notify, event->wd);
	if (!is_at(notify, at, event->wd))
		return;
	if (event->len) {
		snprintf(path, sizeof(path), "%s/%s", notify->folders[at].path,
			 event->name);
		tell(event, path, fn, arg);
		return;
	}
	snprintf(path, sizeof(path), "%s", notify->folders[at].path);
	if (event->mask & IN_IGNORED)
		forget(notify, event->wd);
	if (event->mask & (IN_IGNORED | IN_DELETE_SELF | IN_MOVE_SELF))
		fn(arg, NOTIFY_GONE, path);
}

enum wh_status notify_read(struct notify *notify, notify_fn *fn, void *arg,
			   struct wh_error *err)
{
	_Alignas(struct inotify_event) char buffer[BUFFER_SIZE];
	const struct inotify_event *event;
	ssize_t got, at;

	for (;;) {
		got = read(notify->fd, buffer, sizeof(buffer));
		if (got < 0 && errno == EINTR)
			continue;
		if (got < 0 && errno == EAGAIN)
			return WH_OK;
		if (got <= 0)
			return wh_fail(err, WH_EIO, "inotify: %s",
				       strerror(errno));
		for (at = 0; at < got;
		     at += (ssize_t)(sizeof(*event) + event->len)) {
			event = (const void *)(buffer + at);
			take_event(notify, event, fn, arg);
		}
	}
}

#else

bool notify_is_remote(const char *folder)
{
	(void)folder;
	return false;
}

enum wh_status notify_open(struct notify **notify, struct wh_error *err)
{
	(void)err;
	*notify = NULL;
	return WH_OK;
}

void notify_close(struct notify *notify)
{
	(void)notify;
}

enum wh_status notify_add(struct notify *notify, const char *folder,
			  struct wh_error *err)
{
	(void)notify;
	(void)folder;
	(void)err;
	return WH_OK;
}

int notify_descriptor(const struct notify *notify)
{
	(void)notify;
	return -1;
}

enum wh_status notify_read(struct notify *notify, notify_fn *fn, void *arg,
			   struct wh_error *err)
{
	(void)notify;
	(void)fn;
	(void)arg;
	(void)err;
	return WH_OK;
}

#endif
