/* tf/table.h: the sorted table of an .index file.
 *
 * A LevelDB table as tsl/lib/io/table_builder.cc writes it:
 *
 *	data block, trailer(5) ... metaindex block, trailer(5)
 *	index block, trailer(5), footer(48)
 *
 * Blocks hold entries with shared prefixes and restart points; the trailer is
 * a type (0 none, 1 Snappy) and the masked CRC-32C of block and type.
 */
#ifndef WH_TF_TABLE_H
#define WH_TF_TABLE_H

#include <stdbool.h>

#include "base/buf.h"

#define TABLE_MAGIC   UINT64_C(0xdb4775248b80fb57)
#define TABLE_FOOTER  48u
#define TABLE_TRAILER 5u
#define TABLE_PLAIN   0 /* types of a block */
#define TABLE_SNAPPY  1

/* ---- Writing ------------------------------------------------------------- */

struct table_writer {
	struct wh_buf *out;
	struct wh_buf block, index; /* entries so far */
	struct wh_buf restarts, index_restarts;
	struct wh_buf last_key; /* of all entries */
	uint32_t since_restart, n_in_block;
	bool pending; /* a block is out, its index entry is not */
	uint64_t pending_offset, pending_size;
};

/** Begins a table at the end of `out`, which must be empty. */
void table_writer_init(struct table_writer *writer, struct wh_buf *out);
void table_writer_free(struct table_writer *writer);
/** Keys must come in strictly increasing order of their bytes. */
enum wh_status table_writer_add(struct table_writer *writer, const void *key,
				size_t key_len, const void *value,
				size_t value_len, struct wh_error *err);
enum wh_status table_writer_finish(struct table_writer *writer,
				   struct wh_error *err);

/* ---- Reading ------------------------------------------------------------- */

typedef enum wh_status table_entry_fn(void *arg, const uint8_t *key,
				      size_t key_len, const uint8_t *value,
				      size_t value_len, struct wh_error *err);

/** Whether a key comes behind another; both have memory. */
bool table_is_above(const struct wh_buf *key, const struct wh_buf *last);

/** Calls `fn` for each entry of a table, in order. Every block's CRC is
 *  checked, Snappy is undone, keys must increase. WH_ECORRUPT. */
enum wh_status table_read(const uint8_t *bytes, size_t len, table_entry_fn *fn,
			  void *arg, struct wh_error *err);

#endif
