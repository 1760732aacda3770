/* The texts that a store keeps: what is read and written again is, from then
 * on, the same text. */
#include "fuzz/fuzz.h"

#include "canonical.h"

#define N_TENSORS 8

static void read_graph(const char *text, size_t len, struct arena *arena)
{
	struct wh_buf out = {0};
	struct wh_graph *graph;
	struct wh_error err;

	if (!canonical_read_graph(text, len, arena, &graph, &err))
		canonical_graph(&out, graph, &err);
	wh_buf_free(&out);
}

static void read_attributes(const char *text, size_t len, struct arena *arena)
{
	struct wh_buf out = {0}, again = {0};
	struct wh_manifest manifest = {0};
	struct wh_error err;

	if (!canonical_read_attributes(text, len, arena, &manifest.attributes,
				       &manifest.n_attributes, &err)) {
		require(!canonical_attributes(&out, &manifest, &err));
		require(!canonical_read_attributes(
			(const char *)out.data, out.size, arena,
			&manifest.attributes, &manifest.n_attributes, &err));
		require(!canonical_attributes(&again, &manifest, &err));
		require(out.size == again.size &&
			!memcmp(out.data, again.data, out.size));
	}
	wh_buf_free(&out);
	wh_buf_free(&again);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len)
{
	char *text = input_text(bytes, len);
	struct wh_template *template_;
	struct arena arena = {0};
	struct wh_error err;

	read_graph(text, len, &arena);
	read_attributes(text, len, &arena);
	canonical_read_template(text, len, N_TENSORS, &arena, &template_, &err);
	arena_free(&arena);
	free(text);
	return 0;
}
