#include "base/error.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "base/text.h"

#undef wh_fail
#undef wh_fail_errno
#undef wh_fail_memory

const char *wh_status_text(enum wh_status status)
{
	switch (status) {
	case WH_OK:
		return "ok";
	case WH_ENOMEM:
		return "out of memory";
	case WH_EINVAL:
		return "invalid argument";
	case WH_ENOTFOUND:
		return "not found";
	case WH_EEXISTS:
		return "already exists";
	case WH_ECORRUPT:
		return "damaged input";
	case WH_EUNSUPPORTED:
		return "unsupported";
	case WH_EBUSY:
		return "busy";
	case WH_EIO:
		return "input/output error";
	case WH_EREMOTE:
		return "server error";
	case WH_ECANCELLED:
		return "cancelled";
	case WH_EMISMATCH:
		return "mismatch";
	case WH_EALARM:
		return "alarm";
	}
	return "unknown status";
}

static void WH_PRINTF(2, 0)
	set_message(struct wh_error *err, const char *format, va_list args)
{
	char raw[WH_ERROR_SIZE];

	vsnprintf(raw, sizeof(raw), format, args);
	text_escape(raw, strlen(raw), err->message, sizeof(err->message));
}

static enum wh_status WH_PRINTF(3, 0)
	fill(struct wh_error *err, enum wh_status status, const char *format,
	     va_list args)
{
	if (!err)
		return status;
	memset(err, 0, sizeof(*err));
	err->status = status;
	set_message(err, format, args);
	return status;
}

enum wh_status wh_fail(struct wh_error *err, enum wh_status status,
		       const char *format, ...)
{
	va_list args;

	va_start(args, format);
	status = fill(err, status, format, args);
	va_end(args);
	return status;
}

enum wh_status wh_error_set(struct wh_error *err, enum wh_status status,
			    const char *format, ...)
{
	va_list args;

	va_start(args, format);
	status = fill(err, status, format, args);
	va_end(args);
	return status;
}

static enum wh_status status_of_errno(int sys_errno)
{
	switch (sys_errno) {
	case ENOENT:
		return WH_ENOTFOUND;
	case ENOMEM:
		return WH_ENOMEM;
	default:
		return WH_EIO;
	}
}

enum wh_status wh_fail_errno(struct wh_error *err, int sys_errno,
			     const char *format, ...)
{
	enum wh_status status = status_of_errno(sys_errno);
	va_list args;
	size_t used;

	if (!err)
		return status;
	memset(err, 0, sizeof(*err));
	err->status = status;
	err->sys_errno = sys_errno;
	va_start(args, format);
	set_message(err, format, args);
	va_end(args);
	used = strlen(err->message);
	snprintf(err->message + used, sizeof(err->message) - used, ": %s",
		 strerror(sys_errno));
	return status;
}

enum wh_status wh_fail_memory(struct wh_error *err)
{
	return wh_fail(err, WH_ENOMEM, "out of memory");
}

void wh_error_prefix(struct wh_error *err, const char *format, ...)
{
	char prefix[WH_ERROR_SIZE], joined[2 * WH_ERROR_SIZE + 4];
	va_list args;

	if (!err)
		return;
	va_start(args, format);
	vsnprintf(prefix, sizeof(prefix), format, args);
	va_end(args);
	snprintf(joined, sizeof(joined), "%s: %s", prefix, err->message);
	text_escape(joined, strlen(joined), err->message, sizeof(err->message));
}
