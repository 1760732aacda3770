/* What a process apart says of a file, which may have taken it over. */
#include "fuzz/fuzz.h"

#include "apart/wire.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len)
{
	struct wh_manifest manifest = {0};
	struct wh_buf again = {0};
	struct arena arena = {0};
	struct wh_error err;

	if (!wire_decode(bytes, len, &arena, &manifest, &err))
		require(!wire_encode(&manifest, &again, &err));
	else
		require(*err.message);
	wh_buf_free(&again);
	arena_free(&arena);
	return 0;
}
