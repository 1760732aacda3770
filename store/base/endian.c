#include "base/endian.h"

void swap_elements(void *bytes, size_t len, unsigned width)
{
	uint8_t *at = bytes, *end = at + len;
	unsigned i;

	if (width < 2)
		return;
	for (; at < end; at += width)
		for (i = 0; i < width / 2; i++) {
			uint8_t kept = at[i];

			at[i] = at[width - 1 - i];
			at[width - 1 - i] = kept;
		}
}
