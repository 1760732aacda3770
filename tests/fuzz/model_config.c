#include "fuzz/fuzz.h"

#include "mapping/config.h"

static void walk(const struct config_layer *layer)
{
	uint32_t i;

	for (i = 0; i < layer->n_children; i++) {
		if (layer->children[i].name)
			config_child(layer, layer->children[i].name);
		walk(&layer->children[i]);
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len)
{
	char *text = input_text(bytes, len);
	const struct config_layer *model;
	struct arena arena = {0};
	struct wh_error err;

	if (!config_parse(text, &arena, &model, &err))
		walk(model);
	arena_free(&arena);
	free(text);
	return 0;
}
