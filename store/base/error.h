/* base/error.h: filling struct wh_error, and the two idioms that lean on it. */
#ifndef WH_BASE_ERROR_H
#define WH_BASE_ERROR_H

#include <weighhouse/error.h>

/** Fills `err` (which may be NULL) and returns `status`. Control characters
 *  that names bring into the message come out escaped, on one line. */
enum wh_status wh_fail(struct wh_error *err, enum wh_status status,
		       const char *format, ...) WH_PRINTF(3, 4);

/** As wh_fail with WH_EIO (WH_ENOTFOUND for ENOENT), keeps `sys_errno` and
 *  appends ": " and its text. */
enum wh_status wh_fail_errno(struct wh_error *err, int sys_errno,
			     const char *format, ...) WH_PRINTF(3, 4);

/** Out of memory, in one word for all callers. */
enum wh_status wh_fail_memory(struct wh_error *err);

/* Analysers look into one file at a time: without this they follow each
 * failure's path on as if it had been a success. gcc's has no name. */
#if defined(__clang_analyzer__) || defined(WH_ANALYSED)
#define wh_fail(err, status, ...) (wh_fail(err, status, __VA_ARGS__), (status))
#define wh_fail_errno(err, number, ...)                                        \
	(wh_fail_errno(err, number, __VA_ARGS__), WH_EIO)
#define wh_fail_memory(err) (wh_fail_memory(err), WH_ENOMEM)
#endif

/** Puts "context: " before the message: going up, once a layer of code. */
void wh_error_prefix(struct wh_error *err, const char *format, ...)
	WH_PRINTF(2, 3);

/** Returns the status of a failed call to the caller. */
#define WH_TRY(call)                                                           \
	do {                                                                   \
		enum wh_status try_status_ = (call);                           \
		if (try_status_)                                               \
			return try_status_;                                    \
	} while (0)

#endif
