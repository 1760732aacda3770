/* base/buf.h: a growing byte buffer. A zeroed one is empty and valid. */
#ifndef WH_BASE_BUF_H
#define WH_BASE_BUF_H

#include <stddef.h>
#include <stdint.h>

#include "base/error.h"
#include <weighhouse/buffer.h>

void wh_buf_free(struct wh_buf *buf);
/** struct wh_buf text wh_buf_auto = {0}; */
#define wh_buf_auto __attribute__((cleanup(wh_buf_free)))

/** Room for `extra` more bytes; the size does not change. */
enum wh_status wh_buf_reserve(struct wh_buf *buf, size_t extra,
			      struct wh_error *err);
enum wh_status wh_buf_append(struct wh_buf *buf, const void *bytes, size_t len,
			     struct wh_error *err);
enum wh_status wh_buf_append_zeros(struct wh_buf *buf, size_t len,
				   struct wh_error *err);
/** What it holds as a text of its own, which the caller frees; the buffer is
 *  empty afterwards. Failure leaves it as it is. */
enum wh_status wh_buf_take_text(struct wh_buf *buf, char **text,
				struct wh_error *err);
enum wh_status wh_buf_printf(struct wh_buf *buf, struct wh_error *err,
			     const char *format, ...) WH_PRINTF(3, 4);

#endif
