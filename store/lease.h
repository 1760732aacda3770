/* lease.h: storage ids that a commit under way has reserved.
 *
 * A lease is a number, rows that say which ids, and a lock on one byte of the
 * lock file at that number (F_OFD_SETLK, fcntl(2)), which the kernel lets go
 * when its holder ends, however it ends. So a lease is alive while it is
 * locked: no heartbeat, no clock. gc passes over ids under living leases.
 */
#ifndef WH_STORE_LEASE_H
#define WH_STORE_LEASE_H

#include "db.h"

struct lease {
	int64_t id; /* 0: not taken */
	int fd;
};

/** Takes the lease, unless it is held, and notes [first, end) under it; in the
 *  transaction that reserves the ids. */
enum wh_status lease_take(struct db *db, struct lease *lease, int64_t first,
			  int64_t end, struct wh_error *err);
/** Removes its rows; in the transaction after which a tensor names what was
 *  reserved, or nothing is left of it. */
enum wh_status lease_end(struct db *db, const struct lease *lease,
			 struct wh_error *err);
/** Lets go of the lock. */
void lease_free(struct lease *lease);

/** Whether somebody holds the lease. */
enum wh_status lease_is_alive(struct db *db, int64_t id, bool *alive,
			      struct wh_error *err);

#endif
