#include "fuzz/fuzz.h"

#include <stdio.h>

#include "tf/state.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len)
{
	const char *path = input_file("checkpoint", bytes, len);
	char *folder = strdup(path), *prefix = NULL;
	struct wh_error err;

	require(folder);
	*strrchr(folder, '/') = '\0';
	if (!tf_resolve(folder, &prefix, &err))
		require(*prefix);
	free(prefix);
	free(folder);
	return 0;
}
