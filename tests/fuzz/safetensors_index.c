#include "fuzz/fuzz.h"

#include "safetensors/index.h"

/* The index alone, then with the one shard that most of the corpus names. */
int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len)
{
	static const char shard[] =
		"\x40\0\0\0\0\0\0\0"
		"{\"a\":{\"dtype\":\"U8\",\"shape\":[2],\"data_offsets\":[0,2]"
		"}}         \1\2";
	const char *path =
		input_file("model.safetensors.index.json", bytes, len);
	struct st_index index = {0};
	struct arena arena = {0};
	struct wh_error err;

	st_index_read(path, &arena, &index, &err);
	arena_free(&arena);
	input_file("model-00001-of-00001.safetensors", (const uint8_t *)shard,
		   sizeof(shard) - 1);
	use_checkpoint(path, "safetensors");
	return 0;
}
