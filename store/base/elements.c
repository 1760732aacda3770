#include "base/elements.h"

#include <assert.h>
#include <string.h>

#include "base/endian.h"

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

struct swapping {
	stored_fn *read;
	void *arg;
	unsigned width;
};

static enum wh_status make_swapped(void *arg, uint64_t first, size_t n,
				   uint8_t *out, struct wh_error *err)
{
	const struct swapping *s = arg;

	WH_TRY(s->read(s->arg, first * s->width, out, n * s->width, err));
	swap_elements(out, n * s->width, s->width);
	return WH_OK;
}

enum wh_status elements_read_swapped(stored_fn *read, void *arg, unsigned width,
				     uint64_t offset, void *buf, size_t len,
				     struct wh_error *err)
{
	struct swapping swapping = {read, arg, width};

	if (width <= 1)
		return read(arg, offset, buf, len, err);
	return elements_read(make_swapped, &swapping, width, offset, buf, len,
			     err);
}
