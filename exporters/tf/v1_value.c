/* SavedTensorSlices { SavedSlice data = 2 { TensorProto data = 3 { ... } } } */
#include <errno.h>

#include "base/endian.h"
#include "tf/v1.h"

#define SLICES_DATA 2u
#define SLICE_DATA  3u
#define MAX_STRINGS ((uint64_t)16 << 20) /* of a checkpoint */

/* The TensorProto's field that holds a dtype's elements. */
static const struct packing {
	uint8_t field;
	bool fixed; /* little-endian, as in payloads; else varints */
} packings[] = {
	[WH_FLOAT32] = {5, true},     [WH_FLOAT64] = {6, true},
	[WH_INT32] = {7, false},      [WH_UINT8] = {7, false},
	[WH_INT16] = {7, false},      [WH_INT8] = {7, false},
	[WH_STRING] = {8, false},     [WH_COMPLEX64] = {9, true},
	[WH_INT64] = {10, false},     [WH_BOOL] = {11, false},
	[WH_QINT8] = {7, false},      [WH_QUINT8] = {7, false},
	[WH_QINT32] = {7, false},     [WH_UINT16] = {7, false},
	[WH_COMPLEX128] = {12, true}, [WH_FLOAT16] = {13, false},
};
#define N_PACKINGS (sizeof(packings) / sizeof(packings[0]))

bool v1_holds(enum wh_dtype dtype)
{
	return dtype > 0 && dtype < N_PACKINGS && packings[dtype].field;
}

static enum wh_status bad_value(const char *name, struct wh_error *err)
{
	return wh_fail(err, WH_ECORRUPT,
		       "tensor '%s' has not the values that its shape asks for",
		       name);
}

/* The one field of that number; an empty span if there is none. */
static enum wh_status find_field(struct window *window, struct span message,
				 uint32_t wanted, const char *name,
				 struct span *found, struct wh_error *err)
{
	struct span inner;
	bool any = false;
	uint32_t field;

	*found = (struct span){message.end, message.end};
	for (;;) {
		WH_TRY(span_field(window, &message, &field, &inner, err));
		if (!field)
			return WH_OK;
		if (field != wanted)
			continue;
		if (any)
			return bad_value(name, err);
		any = true;
		*found = inner;
	}
}

/* ---- The spool
 * ------------------------------------------------------------------------ */

static enum wh_status spool_put(struct v1_spool *spool, const void *bytes,
				size_t len, struct wh_error *err)
{
	if (!spool->file)
		spool->file = tmpfile();
	if (!spool->file || fwrite(bytes, 1, len, spool->file) != len)
		return wh_fail_errno(err, errno, "a temporary file");
	spool->size += len;
	return WH_OK;
}

static enum wh_status spool_numbers(struct window *window, struct span values,
				    const char *name, enum wh_dtype dtype,
				    uint64_t n, struct v1_spool *spool,
				    struct wh_error *err)
{
	size_t size = wh_dtype_size(dtype);
	uint8_t bytes[8];
	uint64_t value;

	for (; n; n--) {
		if (values.at == values.end)
			return bad_value(name, err);
		WH_TRY(span_varint(window, &values, &value, err));
		put_le64(bytes, dtype == WH_BOOL ? value != 0 : value);
		WH_TRY(spool_put(spool, bytes, size, err));
	}
	return values.at == values.end ? WH_OK : bad_value(name, err);
}

static enum wh_status spool_span(struct window *window, struct span text,
				 struct v1_spool *spool, struct wh_error *err)
{
	const uint8_t *bytes;

	while (text.at < text.end) {
		uint64_t left = text.end - text.at;
		size_t some = left < WINDOW_SIZE ? (size_t)left : WINDOW_SIZE;

		WH_TRY(span_bytes(window, &text, some, &bytes, err));
		WH_TRY(spool_put(spool, bytes, some, err));
	}
	return WH_OK;
}

/* Each string is a field of its own. */
static enum wh_status spool_strings(struct window *window, struct span tensor,
				    const char *name, uint64_t n,
				    struct arena *arena, struct v1_spool *spool,
				    uint64_t **lengths, struct wh_error *err)
{
	struct span text;
	uint32_t field;
	uint64_t i = 0;

	if (n > MAX_STRINGS - spool->n_strings)
		return wh_fail(err, WH_ECORRUPT,
			       "string tensor '%s': more than %llu strings in "
			       "all",
			       name, (unsigned long long)MAX_STRINGS);
	if (n > tensor.end - tensor.at)
		return bad_value(name, err);
	spool->n_strings += n;
	*lengths = arena_alloc(arena, (size_t)n, sizeof(**lengths));
	if (!*lengths)
		return wh_fail_memory(err);
	for (;;) {
		WH_TRY(span_field(window, &tensor, &field, &text, err));
		if (!field)
			return i == n ? WH_OK : bad_value(name, err);
		if (field != packings[WH_STRING].field)
			continue;
		if (i == n)
			return bad_value(name, err);
		(*lengths)[i++] = text.end - text.at;
		WH_TRY(spool_span(window, text, spool, err));
	}
}

/* ---- The whole
 * ------------------------------------------------------------------------ */

enum wh_status v1_value_read(struct window *window, struct span message,
			     const char *name, enum wh_dtype dtype, uint64_t n,
			     struct arena *arena, struct v1_spool *spool,
			     struct v1_value *value, struct wh_error *err)
{
	struct span slice, tensor, values;

	WH_TRY(find_field(window, message, SLICES_DATA, name, &slice, err));
	WH_TRY(find_field(window, slice, SLICE_DATA, name, &tensor, err));
	*value = (struct v1_value){.spooled = true, .offset = spool->size};
	if (dtype == WH_STRING)
		return spool_strings(window, tensor, name, n, arena, spool,
				     &value->lengths, err);
	WH_TRY(find_field(window, tensor, packings[dtype].field, name, &values,
			  err));
	if (!packings[dtype].fixed)
		return spool_numbers(window, values, name, dtype, n, spool,
				     err);
	if ((values.end - values.at) % wh_dtype_size(dtype) ||
	    (values.end - values.at) / wh_dtype_size(dtype) != n)
		return bad_value(name, err);
	*value = (struct v1_value){.offset = values.at};
	return WH_OK;
}
