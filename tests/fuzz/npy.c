#include "fuzz/fuzz.h"

#include "npz/header.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len)
{
	struct npy_header header;
	struct wh_error err;

	if (!npy_header_read(bytes, len, &header, &err))
		require(header.size <= len && header.rank <= WH_MAX_RANK);
	use_checkpoint(input_file("array.npy", bytes, len), "npy");
	return 0;
}
