#include "base/elements.h"

#include <assert.h>
#include <string.h>

enum wh_status elements_read(elements_fn *make, void *arg, size_t size,
			     uint64_t offset, void *buf, size_t len,
			     struct wh_error *err)
{
	uint8_t cut[ELEMENT_MAX], *out = buf;

	assert(size > 0 && size <= sizeof(cut));
	while (len) {
		size_t skip = (size_t)(offset % size), some = size - skip;

		if (skip == 0 && len >= size) {
			some = len / size * size;
			WH_TRY(make(arg, offset / size, len / size, out, err));
		} else {
			if (some > len)
				some = len;
			WH_TRY(make(arg, offset / size, 1, cut, err));
			memcpy(out, cut + skip, some);
		}
		out += some;
		offset += some;
		len -= some;
	}
	return WH_OK;
}
