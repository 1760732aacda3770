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
	struct neutral_description *description;
	struct manifest_builder *builder;
	struct arena arena = {0};
	struct neutral_origin origin;
	const char *names[N_KEYS];
	uint32_t order[N_KEYS];
	struct wh_error err;

	require(!manifest_builder_new(&arena, &builder, &err));
	add_tensors(builder);
	require(!neutral_description_read(builder, keys, N_KEYS, text, len,
					  &arena, &description, &err));
	require(!neutral_order(description, keys, N_KEYS, &arena, order, names,
			       &err));
	neutral_layers(builder, &arena, description, keys, N_KEYS, &origin,
		       &err);
	neutral_description_free(description);
	manifest_builder_free(builder);
	arena_free(&arena);
	free(text);
	return 0;
}
