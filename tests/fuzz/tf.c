/* A checkpoint of one shard: uint32 LE size of the index | index | shard. */
#include "fuzz/tf_repair.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len)
{
	uint8_t *index;
	size_t size;

	if (len < 4)
		return 0;
	size = get_le32(bytes);
	if (size > len - 4)
		size = len - 4;
	index = (uint8_t *)input_text(bytes + 4, size);
	repair_table(index, size);
	input_file("ckpt.data-00000-of-00001", bytes + 4 + size,
		   len - 4 - size);
	input_file("ckpt.index", index, size);
	free(index);
	use_checkpoint(input_file("ckpt", NULL, 0), "tf");
	return 0;
}
