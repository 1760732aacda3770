#include "fuzz/fuzz.h"

#include "hdf5/keras3/load.h"
#include "hdf5/load.h"
#include "support/same_manifest.h"

/* See h5.c. */
const char *__lsan_default_suppressions(void);

const char *__lsan_default_suppressions(void)
{
	return "leak:libhdf5";
}

typedef enum wh_status (*load_by)(const char *path,
				  const struct wh_load_options *options,
				  bool by_classic, struct wh_source **source,
				  struct wh_error *err);

/* What the reader of our own takes, libhdf5 takes too, and says the same. */
static void compare(load_by load, const char *path)
{
	static const struct wh_load_options options;
	struct wh_source *classic, *libhdf5;

	if (load(path, &options, true, &classic, NULL))
		return;
	require(load(path, &options, false, &libhdf5, NULL) == WH_OK);
	require(same_manifest(&classic->manifest, &libhdf5->manifest));
	wh_source_close(classic);
	wh_source_close(libhdf5);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len)
{
	const char *path = input_file("model.h5", bytes, len);

	compare(h5_load_by, path);
	compare(keras3_load_by, path);
	return 0;
}
