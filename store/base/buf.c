#include "base/buf.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/checked.h"

#define SMALLEST 64

void wh_buf_free(struct wh_buf *buf)
{
	free(buf->data);
	memset(buf, 0, sizeof(*buf));
}

enum wh_status wh_buf_reserve(struct wh_buf *buf, size_t extra,
			      struct wh_error *err)
{
	uint64_t needed, capacity;
	uint8_t *data;

	if (extra <= buf->capacity - buf->size)
		return WH_OK;
	if (!checked_add(buf->size, extra, &needed) || needed > SIZE_MAX / 2)
		return wh_fail_memory(err);
	capacity = buf->capacity + buf->capacity / 2;
	if (capacity < needed)
		capacity = needed;
	if (capacity < SMALLEST)
		capacity = SMALLEST;
	data = realloc(buf->data, (size_t)capacity);
	if (!data)
		return wh_fail_memory(err);
	buf->data = data;
	buf->capacity = (size_t)capacity;
	return WH_OK;
}

enum wh_status wh_buf_append(struct wh_buf *buf, const void *bytes, size_t len,
			     struct wh_error *err)
{
	WH_TRY(wh_buf_reserve(buf, len, err));
	if (len)
		memcpy(buf->data + buf->size, bytes, len);
	buf->size += len;
	return WH_OK;
}

enum wh_status wh_buf_append_zeros(struct wh_buf *buf, size_t len,
				   struct wh_error *err)
{
	WH_TRY(wh_buf_reserve(buf, len, err));
	if (len)
		memset(buf->data + buf->size, 0, len);
	buf->size += len;
	return WH_OK;
}

enum wh_status wh_buf_printf(struct wh_buf *buf, struct wh_error *err,
			     const char *format, ...)
{
	va_list args;
	int len;

	va_start(args, format);
	len = vsnprintf(NULL, 0, format, args);
	va_end(args);
	if (len < 0)
		return wh_fail(err, WH_EINVAL, "a text can't be formatted");
	WH_TRY(wh_buf_reserve(buf, (size_t)len + 1, err));
	va_start(args, format);
	vsnprintf((char *)buf->data + buf->size, (size_t)len + 1, format, args);
	va_end(args);
	buf->size += (size_t)len;
	return WH_OK;
}

enum wh_status wh_buf_take_text(struct wh_buf *buf, char **text,
				struct wh_error *err)
{
	WH_TRY(wh_buf_append(buf, "", 1, err));
	*text = (char *)buf->data;
	*buf = (struct wh_buf){0};
	return WH_OK;
}
