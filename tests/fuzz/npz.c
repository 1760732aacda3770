#include "fuzz/zip_repair.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len)
{
	use_checkpoint(repaired_archive("arrays.npz", bytes, len), "npz");
	return 0;
}
