/* A revision, looked up in a store of two snapshots, a tag and a run. */
#include "fuzz/fuzz.h"

#include <unistd.h>

#include <weighhouse/store.h>

static struct wh_store *store;

static void close_store(void)
{
	wh_store_close(store);
}

static void commit_one(float value, int64_t step)
{
	struct wh_metric metric = {"loss", (double)value};
	struct wh_commit_options options = {.run = "digits",
					    .has_step = true,
					    .step = step,
					    .has_time = true,
					    .time = 1764000000 + step,
					    .metrics = &metric,
					    .n_metrics = 1};
	struct wh_array array = {
		.name = "kernel", .dtype = WH_FLOAT32, .data = &value};
	struct wh_commit_result result;
	struct wh_builder *builder;
	struct wh_source *source;
	struct wh_error err;

	require(!wh_builder_new(&builder, &err));
	require(!wh_builder_layer(builder, "dense", "Dense", &err));
	require(!wh_builder_weight(builder, &array, &err));
	require(!wh_builder_finish(builder, &source, &err));
	require(!wh_commit(store, source, &options, &result, &err));
	wh_source_close(source);
}

static void open_store(void)
{
	const char *path = input_file("weights.wh", NULL, 0);
	struct wh_error err;

	require(!unlink(path) && !wh_store_create(path, &err));
	require(!wh_store_open(path, WH_OPEN_WRITE, &store, &err));
	atexit(close_store);
	commit_one(1.0f, 1);
	commit_one(0.5f, 2);
	require(!wh_tag_create(store, "v1", "HEAD~1", false, &err));
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len)
{
	char *text = input_text(bytes, len), id[WH_ID_SIZE];
	struct wh_error err;

	if (!store)
		open_store();
	if (!wh_revision_parse(store, text, id, &err))
		require(strspn(id, "0123456789abcdef") == WH_ID_SIZE - 1);
	else
		require(*err.message);
	free(text);
	return 0;
}
