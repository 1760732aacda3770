/* tf/table_file.h: a sorted table that is read where it lies in its file.
 *
 * The layout is table.h's; but here values may be as large as tensors, so only
 * a window of the file is in memory, and a value is a span of the file.
 */
#ifndef WH_TF_TABLE_FILE_H
#define WH_TF_TABLE_FILE_H

#include <stdbool.h>

#include "base/reader.h"

#define WINDOW_SIZE ((size_t)64 << 10)

/** The piece of a file that was read last; zeroed but for the file. */
struct window {
	const struct file_reader *file;
	uint64_t at;
	size_t len;
	uint8_t bytes[WINDOW_SIZE];
};

/** What is left to read of a run of a file's bytes. */
struct span {
	uint64_t at, end;
};

/** `len` bytes at the span's beginning, valid until the window moves; `len` is
 *  at most WINDOW_SIZE. WH_ECORRUPT where the span ends. */
enum wh_status span_bytes(struct window *window, struct span *span, size_t len,
			  const uint8_t **bytes, struct wh_error *err);
enum wh_status span_varint(struct window *window, struct span *span,
			   uint64_t *value, struct wh_error *err);
/** A protobuf field of wire type 2, its bytes in `*inner`; fields of other
 *  types are passed over. `*field` is 0 where the message ends. */
enum wh_status span_field(struct window *window, struct span *span,
			  uint32_t *field, struct span *inner,
			  struct wh_error *err);

/** Whether a file of this name ends as a table does. */
bool table_file_probe(const char *path);

typedef enum wh_status table_span_fn(void *arg, struct window *window,
				     const uint8_t *key, size_t key_len,
				     struct span value, struct wh_error *err);

/** Calls `fn` for each entry, in order. Every block's checksum is checked, keys
 *  must increase, blocks stand in order. WH_ECORRUPT; WH_EUNSUPPORTED for
 *  compressed blocks. */
enum wh_status table_file_read(const struct file_reader *file,
			       table_span_fn *fn, void *arg,
			       struct wh_error *err);

#endif
