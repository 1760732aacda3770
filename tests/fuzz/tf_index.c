#include "fuzz/tf_repair.h"

#include "tf/bundle.h"
#include "tf/table.h"

/* The first entry is the header, as in a checkpoint; but any may be one. */
static enum wh_status take(void *arg, const uint8_t *key, size_t key_len,
			   const uint8_t *value, size_t value_len,
			   struct wh_error *err)
{
	struct bundle_header header;
	struct bundle_entry entry;
	struct arena arena = {0};
	struct wh_buf out = {0};

	(void)arg;
	(void)key;
	if (key_len == 0)
		bundle_read_header(value, value_len, &header, err);
	if (!bundle_read_entry("key", value, value_len, &arena, &entry, err)) {
		require(entry.rank <= WH_MAX_RANK &&
			entry.n_slices <= MAX_SLICES);
		bundle_write_entry(&out, &entry, err);
	}
	wh_buf_free(&out);
	arena_free(&arena);
	return WH_OK;
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len)
{
	uint8_t *copy = (uint8_t *)input_text(bytes, len);
	struct wh_error err;

	table_read(bytes, len, take, NULL, &err);
	repair_table(copy, len);
	table_read(copy, len, take, NULL, &err);
	free(copy);
	return 0;
}
