/* error.h: how every call of weighhouse says what went wrong.
 *
 * The caller owns the struct: there is no thread-local state and nothing to
 * free. A function that returns a status other than WH_OK has filled `err` if
 * it was not NULL, and has written none of its outputs.
 */
#ifndef WEIGHHOUSE_ERROR_H
#define WEIGHHOUSE_ERROR_H

#ifdef __cplusplus
extern "C" {
#endif

#if defined(__GNUC__)
#define WH_API __attribute__((visibility("default")))
#define WH_PRINTF(text, first)                                                 \
	__attribute__((__format__(__printf__, text, first)))
#else
#define WH_API
#define WH_PRINTF(text, first)
#endif

enum wh_status {
	WH_OK = 0,
	WH_ENOMEM = -1,	      /* out of memory */
	WH_EINVAL = -2,	      /* the caller's mistake */
	WH_ENOTFOUND = -3,    /* no such revision, tensor, file */
	WH_EEXISTS = -4,      /* refused to replace what exists */
	WH_ECORRUPT = -5,     /* a file or a store is damaged or hostile */
	WH_EUNSUPPORTED = -6, /* not in this build, or a format can't hold it */
	WH_EBUSY = -7,	      /* another process has its turn; try again */
	WH_EIO = -8,	      /* the system refused; sys_errno says why */
	WH_EREMOTE = -9,      /* a server refused; http_status says why */
	WH_ECANCELLED = -10,  /* the progress callback asked to stop */
	WH_EMISMATCH = -11,   /* the target or the branch is not as expected */
	WH_EALARM = -12,      /* a strict commit met an alarm */
};

#define WH_ERROR_SIZE 512

struct wh_error {
	enum wh_status status;
	int sys_errno;		     /* errno, or 0 */
	int http_status;	     /* a server's answer, or 0 */
	char message[WH_ERROR_SIZE]; /* "outer: inner: cause", one line */
};

/** The status in a few lower-case words ("damaged input"). Never NULL. */
WH_API const char *wh_status_text(enum wh_status status);

/** Fills `err` (which may be NULL) and returns `status`: for formats of other
 *  programs. Control characters come out escaped, on one line. */
WH_API enum wh_status wh_error_set(struct wh_error *err, enum wh_status status,
				   const char *format, ...) WH_PRINTF(3, 4);

#ifdef __cplusplus
}
#endif
#endif
