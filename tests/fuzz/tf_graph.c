#include "fuzz/fuzz.h"

#include "canonical.h"
#include "tf/graph_pb.h"

/* What is read can be written, and reads as the same again: as protobuf and
 * as the store's own text. */
static void write_and_read(const struct wh_graph *graph, struct arena *arena)
{
	struct wh_buf once = {0}, twice = {0}, text = {0}, again = {0};
	struct wh_graph *copy;
	struct wh_error err;

	require(!graph_pb_write(graph, &once, &err));
	require(!graph_pb_read(once.data, once.size, arena, &copy, &err));
	require(!graph_pb_write(copy, &twice, &err));
	require(once.size == twice.size &&
		(!once.size || !memcmp(once.data, twice.data, once.size)));
	if (!canonical_graph(&text, graph, &err)) {
		require(!canonical_read_graph((const char *)text.data,
					      text.size, arena, &copy, &err));
		require(!canonical_graph(&again, copy, &err));
		require(text.size == again.size &&
			!memcmp(text.data, again.data, text.size));
	}
	wh_buf_free(&once);
	wh_buf_free(&twice);
	wh_buf_free(&text);
	wh_buf_free(&again);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len)
{
	struct arena arena = {0};
	struct wh_graph *graph;
	struct wh_error err;

	if (!graph_pb_read(bytes, len, &arena, &graph, &err))
		write_and_read(graph, &arena);
	arena_free(&arena);
	return 0;
}
