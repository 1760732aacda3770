/* async.h: commits in the background of a training loop.
 *
 *	wh_async_open("weights.wh", &async, &err);
 *	for (step = 0; step < n_steps; step++) {
 *		train(model);
 *		if (step % 100 == 0)
 *			wh_async_commit(async, source_of(model), &options,
 *					&err);
 *	}
 *	wh_async_wait(async, &result, &err);
 *	wh_async_close(async);
 *
 * The loop stands still while its arrays are copied, and no longer, unless the
 * commit before is still under way.
 */
#ifndef WEIGHHOUSE_ASYNC_H
#define WEIGHHOUSE_ASYNC_H

#include <weighhouse/store.h>

#ifdef __cplusplus
extern "C" {
#endif

struct wh_async; /* for one thread at a time, like a store */

/** Opens the store at `path` by a connection of its own, for commits alone.
 *  wh_store_open's errors. The caller ends it with wh_async_close. */
WH_API enum wh_status wh_async_open(const char *path, struct wh_async **async,
				    struct wh_error *err);

/** Waits for the commit under way; what it came to is lost unless
 *  wh_async_wait was called. Takes NULL. */
WH_API void wh_async_close(struct wh_async *async);

/** Copies the payloads of `source`, and commits the copy in a thread of its
 *  own, as wh_commit does. When the call returns arrays may change. `source`
 *  is taken, also when the call fails: it is closed by a later call, from the
 *  thread of that call. `options` are copied; `progress` is called from the
 *  background.
 *
 *  One commit is under way at a time: this call waits for the one before, and
 *  if that failed returns its error and begins nothing. So an error is told
 *  once, by the first call that could.
 *
 *  Memory: one copy of the payloads, kept for the next commit, beside
 *  wh_commit's own. WH_ENOMEM; what the source's reading gives. */
WH_API enum wh_status wh_async_commit(struct wh_async *async,
				      struct wh_source *source,
				      const struct wh_commit_options *options,
				      struct wh_error *err);

/** Whether a commit is under way; doesn't wait. */
WH_API bool wh_async_busy(const struct wh_async *async);

/** Waits for the commit under way, and gives its status and `result` (or
 *  NULL). WH_OK, and an empty result, where there is none. */
WH_API enum wh_status wh_async_wait(struct wh_async *async,
				    struct wh_commit_result *result,
				    struct wh_error *err);

#ifdef __cplusplus
}
#endif
#endif
