/* What of a checkpoint's data files opening it reads. */
#include "tf/tf.h"

#include "tf/bundle.h"
#include "tf/table.h"

struct parts {
	struct arena arena;
	tf_part_fn *fn;
	void *arg;
	uint32_t n_shards;
};

static enum wh_status take(void *arg, const uint8_t *key, size_t key_len,
			   const uint8_t *value, size_t value_len,
			   struct wh_error *err)
{
	struct parts *parts = arg;
	struct bundle_header header;
	struct bundle_entry entry;

	(void)key;
	if (key_len == 0) { /* the first one */
		WH_TRY(bundle_read_header(value, value_len, &header, err));
		parts->n_shards = header.n_shards;
		return WH_OK;
	}
	WH_TRY(bundle_read_entry("", value, value_len, &parts->arena, &entry,
				 err));
	if (entry.dtype != WH_STRING || entry.n_slices)
		return WH_OK;
	return parts->fn(parts->arg, entry.shard, parts->n_shards, entry.offset,
			 entry.size, err);
}

enum wh_status tf_opening_parts(const uint8_t *index, size_t len,
				tf_part_fn *fn, void *arg, struct wh_error *err)
{
	struct parts parts = {.fn = fn, .arg = arg};
	enum wh_status status = table_read(index, len, take, &parts, err);

	arena_free(&parts.arena);
	return status;
}
