#include "fuzz/fuzz.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len)
{
	use_checkpoint(input_file("model.safetensors", bytes, len),
		       "safetensors");
	return 0;
}
