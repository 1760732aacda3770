/* A store's file, and then all that reads one. */
#include "fuzz/fuzz.h"

#include <weighhouse/store.h>

#define MAX_TENSOR ((uint64_t)1 << 20)

static int pass_snapshot(void *arg, const struct wh_snapshot *snapshot)
{
	(void)arg;
	require(snapshot->message);
	return 0;
}

static int pass_ref(void *arg, const struct wh_ref *ref)
{
	(void)arg;
	require(ref->name);
	return 0;
}

static int pass_sentence(void *arg, const char *sentence)
{
	(void)arg;
	require(*sentence);
	return 0;
}

static int pass_usage(void *arg, const struct wh_usage *usage)
{
	(void)arg;
	require(usage->name);
	return 0;
}

static void read_tensors(struct wh_store *store)
{
	struct wh_source *source;
	struct wh_error err;
	uint32_t i;

	if (wh_snapshot_open(store, "HEAD", &source, &err))
		return;
	for (i = 0; i < source->manifest.n_tensors; i++) {
		uint64_t size = source->manifest.tensors[i].nbytes;
		void *bytes =
			size > MAX_TENSOR ? NULL : malloc((size_t)size + 1);

		if (bytes)
			wh_source_read(source, i, 0, bytes, (size_t)size, &err);
		free(bytes);
	}
	wh_source_close(source);
}

static void read_all(struct wh_store *store)
{
	struct wh_verify_options verify = {.read_data = true};
	struct wh_log_options log = {.all = true};
	struct wh_verify_result result;
	struct wh_error err;
	char *text = NULL;
	size_t size;

	wh_log(store, &log, pass_snapshot, NULL, &err);
	wh_branch_list(store, pass_ref, NULL, &err);
	wh_tag_list(store, pass_ref, NULL, &err);
	wh_usage(store, WH_BY_LAYER, pass_usage, NULL, &err);
	if (!wh_snapshot_text(store, "HEAD", &text, &size, &err))
		free(text);
	read_tensors(store);
	wh_verify(store, &verify, pass_sentence, &result, &err);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len)
{
	struct wh_store *store = NULL;
	struct wh_error err;

	if (wh_store_open(input_file("weights.wh", bytes, len), WH_OPEN_READ,
			  &store, &err))
		return 0;
	read_all(store);
	wh_store_close(store);
	return 0;
}
