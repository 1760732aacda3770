/* MANIFEST.json and pointers, as a server gives them. */
#include "fuzz/fuzz.h"

#include "publish/manifest.h"
#include "publish/place.h"

static void read_manifest(const uint8_t *bytes, size_t len)
{
	struct manifest manifest = {0};
	struct wh_buf text = {0};
	struct wh_error err;
	size_t i;

	if (manifest_parse(bytes, len, &manifest, &err))
		return;
	for (i = 0; i < manifest.n_files; i++)
		require(!place_check_path(manifest.files[i].path, &err));
	require(!manifest_print(&manifest, &text, &err));
	manifest_free(&manifest);
	require(!manifest_parse(text.data, text.size, &manifest, &err));
	manifest_free(&manifest);
	wh_buf_free(&text);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len)
{
	struct pointer pointer;
	struct wh_buf text = {0};
	struct wh_error err;

	read_manifest(bytes, len);
	if (!pointer_parse(bytes, len, &pointer, &err)) {
		require(!place_check_path(pointer.manifest, &err));
		require(!pointer_print(&pointer, &text, &err));
		require(!pointer_parse(text.data, text.size, &pointer, &err));
	}
	wh_buf_free(&text);
	return 0;
}
