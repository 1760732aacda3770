#include "core/host_array.h"

#if __BYTE_ORDER__ == __ORDER_BIG_ENDIAN__
#define HOST_SWAPS 1
#else
#define HOST_SWAPS 0
#endif

unsigned host_swap_width(enum wh_dtype dtype)
{
	size_t size = wh_dtype_size(dtype);

	if (dtype == WH_COMPLEX64 || dtype == WH_COMPLEX128)
		size /= 2;
	return HOST_SWAPS ? (unsigned)size : 1;
}

int64_t host_offset(const struct wh_tensor *tensor, const int64_t *strides,
		    uint64_t ordinal)
{
	int64_t distance = 0;
	uint32_t i = tensor->rank;

	while (i-- > 0) {
		distance += (int64_t)(ordinal % tensor->shape[i]) * strides[i];
		ordinal /= tensor->shape[i];
	}
	return distance;
}
