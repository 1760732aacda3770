/* A checkpoint of TensorFlow's first version: its blocks' checksums are made to
 * fit. */
#include "fuzz/tf_repair.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len)
{
	uint8_t *copy = (uint8_t *)input_text(bytes, len);

	repair_table(copy, len);
	use_checkpoint(input_file("ckpt", copy, len), "tf");
	free(copy);
	return 0;
}
