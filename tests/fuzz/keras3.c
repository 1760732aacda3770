#include "fuzz/zip_repair.h"

#include <hdf5.h>

/* See h5.c. */
const char *__lsan_default_suppressions(void);

const char *__lsan_default_suppressions(void)
{
	return "leak:libhdf5";
}

/* An archive, or else a .weights.h5 file. */
int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len)
{
	const char *path;

	if (len > 1 && memcmp(bytes, "PK", 2) == 0)
		path = repaired_archive("model.keras", bytes, len);
	else
		path = input_file("model.weights.h5", bytes, len);
	use_checkpoint(path, "keras3");
	require(H5Fget_obj_count((hid_t)H5F_OBJ_ALL, H5F_OBJ_ALL) == 0);
	return 0;
}
