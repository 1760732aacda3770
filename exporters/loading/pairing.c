#include "loading/pairing.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "base/buf.h"

void pair_tensors(struct pairing *pairing, uint32_t to, uint32_t from)
{
	if (pairing->source_of[to] == NO_TENSOR)
		pairing->source_of[to] = from;
}

void pairing_warn(const struct pairing *pairing, const char *format, ...)
{
	char text[WH_ERROR_SIZE];
	va_list args;

	if (!pairing->options->warn)
		return;
	va_start(args, format);
	vsnprintf(text, sizeof(text), format, args);
	va_end(args);
	pairing->options->warn(pairing->options->arg, text);
}

bool shapes_equal(const struct wh_tensor *a, const struct wh_tensor *b)
{
	return a->rank == b->rank &&
	       (a->rank == 0 ||
		memcmp(a->shape, b->shape, a->rank * sizeof(*a->shape)) == 0);
}

const char *python_shape(struct arena *arena, const struct wh_tensor *tensor)
{
	struct wh_buf text = {0};
	enum wh_status status = wh_buf_printf(&text, NULL, "(");
	const char *made;
	uint32_t i;

	for (i = 0; i < tensor->rank && !status; i++)
		status = wh_buf_printf(&text, NULL, "%s%llu", i ? ", " : "",
				       (unsigned long long)tensor->shape[i]);
	if (!status)
		status = wh_buf_printf(&text, NULL, "%s",
				       tensor->rank == 1 ? ",)" : ")");
	made = status ? NULL : arena_bytes(arena, text.data, text.size);
	wh_buf_free(&text);
	return made ? made : "(?)";
}
