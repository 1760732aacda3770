/* publish/transfers.h: several transfers at a time. */
#ifndef WH_PUBLISH_TRANSFERS_H
#define WH_PUBLISH_TRANSFERS_H

#include <stddef.h>

#include "publish/http.h"

/** Transfer `index`; called from any of the threads, once each. */
typedef enum wh_status transfer_fn(void *arg, size_t index,
				   struct wh_error *err);

struct transfers {
	size_t n;
	unsigned parallel; /* threads at most; halved when a server says 429 or
			      503 */
	transfer_fn *transfer;
	void *arg;
	struct http_meter *meter; /* or NULL: no server */
	/* Called about ten times a second from the calling thread; false
	 * cancels. NULL: isn't. */
	bool (*poll)(void *poll_arg);
	void *poll_arg;
};

/** Runs all; after a failure no other one begins, those that run end, and the
 *  first failure is returned. */
enum wh_status transfers_run(const struct transfers *transfers,
			     struct wh_error *err);

struct place;

/** Does `work` in another thread, while this one asks the place's `go_on` ten
 *  times a second: a false ends it with WH_ECANCELLED, also where a server
 *  says nothing. */
enum wh_status place_work(struct place *place,
			  enum wh_status (*work)(void *arg,
						 struct wh_error *err),
			  void *arg, struct wh_error *err);

/** Whose turn it is: of `n` transfers `next` is the first that nobody has
 *  taken; `running` workers, of which `limit` may go on. The caller locks. */
struct turns {
	size_t n, next;
	unsigned running, limit;
};
/** True: the worker goes on with transfer `*index`. False: it has left, and is
 *  not counted any more, so of those above the limit each sees the others go;
 *  or all of them would. */
bool turns_take(struct turns *turns, size_t *index);
/** The server is busy: fewer at a time, but one. */
void turns_halve(struct turns *turns);

#endif
