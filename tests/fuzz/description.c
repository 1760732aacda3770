/* What safetensors and npz files carry beside their arrays: JSON that says
 * which key is which layer's. */
#include "fuzz/fuzz.h"

#include "mapping/neutral.h"

static const char *const keys[] = {"dense/kernel", "dense/bias", "c", "d/e/f"};

#define N_KEYS (sizeof(keys) / sizeof(keys[0]))

static void add_tensors(struct manifest_builder *builder)
{
	struct wh_error err;
	size_t i;

	for (i = 0; i < N_KEYS; i++) {
		uint32_t index;

		require(!manifest_add_tensor(builder, keys[i], WH_FLOAT32, 0,
					     NULL, 4, &index, &err));
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len)
{
	char *text = input_text(bytes, len);
	struct manifest_builder *builder;
	struct arena arena = {0};
	struct neutral_origin origin;
	const char *names[N_KEYS];
	uint32_t order[N_KEYS];
	struct wh_error err;

	require(!manifest_builder_new(&arena, &builder, &err));
	add_tensors(builder);
	neutral_order(keys, N_KEYS, text, len, &arena, order, names, &err);
	neutral_layers(builder, &arena, keys, N_KEYS, text, len, &origin, &err);
	manifest_builder_free(builder);
	arena_free(&arena);
	free(text);
	return 0;
}
