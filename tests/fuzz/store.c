/* A store's file, and then all that reads one. */
#include "fuzz/fuzz.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len)
{
	use_store(input_file("weights.wh", bytes, len));
	return 0;
}
