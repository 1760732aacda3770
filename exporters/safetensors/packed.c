#include "safetensors/packed.h"

#include <string.h>

#include "base/buf.h"
#include "base/checked.h"
#include "base/json_scan.h"

static const struct {
	const char *name;
	unsigned bits;
} packed[] = {
	{"F4", 4},
	{"F6_E2M3", 6},
	{"F6_E3M2", 6},
	{"F8_E8M0", 8},
};

unsigned st_packed_bits(const char *name)
{
	size_t i;

	for (i = 0; i < sizeof(packed) / sizeof(packed[0]); i++)
		if (strcmp(packed[i].name, name) == 0)
			return packed[i].bits;
	return 0;
}

enum wh_status st_packed_shape(const struct st_entry *entry,
			       struct arena *arena, uint32_t *rank,
			       const uint64_t **shape, struct wh_error *err)
{
	unsigned bits = st_packed_bits(entry->packed);
	uint64_t *made = arena_alloc(arena, entry->rank + 1u, sizeof(*made));
	uint64_t last = entry->rank ? entry->shape[entry->rank - 1] : 1;

	if (!made)
		return wh_fail_memory(err);
	if (entry->rank && last <= UINT64_MAX / 8 && last * bits % 8 == 0) {
		memcpy(made, entry->shape, entry->rank * sizeof(*made));
		made[entry->rank - 1] = last * bits / 8;
		*rank = entry->rank;
	} else {
		made[0] = entry->end - entry->begin;
		*rank = 1;
	}
	*shape = made;
	return WH_OK;
}

enum wh_status st_packed_note(struct manifest_builder *builder, const char *key,
			      const struct st_entry *entry,
			      struct wh_error *err)
{
	struct wh_buf text = {0};
	struct wh_attribute attribute = {
		.path = key, .key = MANIFEST_PACKED, .kind = WH_VALUE_TEXT};
	enum wh_status status =
		wh_buf_printf(&text, err, "%s [", entry->packed);
	uint32_t i;

	for (i = 0; i < entry->rank && !status; i++)
		status = wh_buf_printf(&text, err, "%s%llu", i ? "," : "",
				       (unsigned long long)entry->shape[i]);
	if (!status)
		status = wh_buf_append(&text, "]", 2, err); /* and its NUL */
	if (!status) {
		attribute.text = (const char *)text.data;
		attribute.size = text.size - 1;
		status = manifest_add_attribute(builder, &attribute, err);
	}
	wh_buf_free(&text);
	return status;
}

/* How many values "[3,8]" has; false if it is no such text: it goes into a
 * header as it is. */
static bool count_values(const char *shape, uint64_t *n)
{
	bool first = true;
	struct scan scan;
	uint64_t dim;

	*n = 1;
	scan_begin(&scan, shape, strlen(shape));
	if (!scan_open(&scan, '['))
		return false;
	while (scan_more(&scan, ']', &first))
		if (!scan_unsigned(&scan, &dim) || !checked_mul(*n, dim, n))
			return false;
	return scan_end(&scan);
}

bool st_packed_read(const struct wh_attribute *attribute,
		    const struct wh_tensor *tensor, struct arena *arena,
		    const char **name, const char **shape)
{
	const char *space;
	unsigned bits;
	uint64_t n;

	if (strcmp(attribute->key, MANIFEST_PACKED) != 0 ||
	    attribute->kind != WH_VALUE_TEXT || tensor->dtype != WH_UINT8)
		return false;
	space = strchr(attribute->text, ' ');
	*name = space ? arena_bytes(arena, attribute->text,
				    (size_t)(space - attribute->text))
		      : NULL;
	bits = *name ? st_packed_bits(*name) : 0;
	if (!bits || !count_values(space + 1, &n) || n > UINT64_MAX / 8 ||
	    n * bits != tensor->nbytes * 8)
		return false;
	*shape = space + 1;
	return true;
}
