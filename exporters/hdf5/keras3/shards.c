/* Shards and their map, as keras.src.saving.saving_lib.ShardedH5IOStore
 * (3.15) makes them. Sizes are in bits: it counts a bool as one. */
#include <inttypes.h>
#include <string.h>

#include "hdf5/keras3/plan.h"

static uint64_t bits_of(const struct wh_tensor *tensor)
{
	return tensor->dtype == WH_BOOL ? tensor->nbytes : 8 * tensor->nbytes;
}

static enum wh_status fail_size(const struct wh_tensor *tensor, uint64_t max,
				struct wh_error *err)
{
	return wh_fail(err, WH_EUNSUPPORTED,
		       "The size of %s is %llu B which exceeds the maximum "
		       "shard size %llu B. You can increase the "
		       "`max_shard_size` parameter to accommodate the size.",
		       tensor->key, (unsigned long long)tensor->nbytes,
		       (unsigned long long)max);
}

enum wh_status keras3_shards_choose(const struct wh_manifest *manifest,
				    struct keras3_objects *objects,
				    uint64_t max, struct wh_error *err)
{
	uint64_t at = 0, limit = max < UINT64_MAX / 8 ? max * 8 : UINT64_MAX;
	uint32_t i, j, shard = 0;

	for (i = 0; i < objects->n; i++)
		for (j = 0; j < objects->list[i].n_values; j++) {
			struct keras3_value *value =
				&objects->list[i].values[j];
			const struct wh_tensor *tensor =
				&manifest->tensors[value->tensor];
			uint64_t bits = bits_of(tensor);

			if (bits > limit)
				return fail_size(tensor, max, err);
			if (bits > limit - at) {
				shard++;
				at = 0;
			}
			at += bits;
			value->shard = shard;
		}
	return WH_OK;
}

/* ---- The map ---------------------------------------------------------- */

/* json.dumps escapes all that is not ASCII, in UTF-16. */
static enum wh_status add_character(struct wh_buf *text, uint32_t code,
				    struct wh_error *err)
{
	if (code == '"' || code == '\\')
		return wh_buf_printf(text, err, "\\%c", (char)code);
	if (code >= 0x20 && code < 0x7f)
		return wh_buf_printf(text, err, "%c", (char)code);
	if (code < 0x10000)
		return wh_buf_printf(text, err, "\\u%04" PRIx32, code);
	code -= 0x10000;
	return wh_buf_printf(text, err, "\\u%04" PRIx32 "\\u%04" PRIx32,
			     0xd800 + (code >> 10), 0xdc00 + (code & 0x3ff));
}

/* Names are UTF-8. */
static enum wh_status add_string(struct wh_buf *text, const char *string,
				 struct wh_error *err)
{
	const unsigned char *at = (const unsigned char *)string;

	while (*at) {
		uint32_t code = *at++;
		unsigned more = code >= 0xf0 ? 3 : code >= 0xe0 ? 2 : 0;

		if (code >= 0xc0 && code < 0xe0)
			more = 1;
		if (more)
			code &= 0x3fu >> more;
		for (; more && (*at & 0xc0) == 0x80; more--)
			code = code << 6 | (*at++ & 0x3fu);
		WH_TRY(add_character(text, code, err));
	}
	return WH_OK;
}

static enum wh_status add_shard(struct wh_buf *text, const char *base,
				uint32_t shard, struct wh_error *err)
{
	WH_TRY(wh_buf_printf(text, err, "\""));
	WH_TRY(add_string(text, base, err));
	return wh_buf_printf(text, err, "_%05" PRIu32 ".weights.h5\"", shard);
}

/* One value gives a name, more of them a list. */
static enum wh_status add_entry(struct wh_buf *text,
				const struct keras3_object *object,
				const char *base, struct wh_error *err)
{
	uint32_t i;

	WH_TRY(wh_buf_printf(text, err, "\n        \"/"));
	WH_TRY(add_string(text, object->path, err));
	WH_TRY(wh_buf_printf(text, err,
			     "%svars\": ", *object->path ? "/" : ""));
	if (object->n_values == 1)
		return add_shard(text, base, object->values[0].shard, err);
	for (i = 0; i < object->n_values; i++) {
		if (i && object->values[i].shard == object->values[i - 1].shard)
			continue;
		WH_TRY(wh_buf_printf(text, err, "%s\n            ",
				     i ? "," : "["));
		WH_TRY(add_shard(text, base, object->values[i].shard, err));
	}
	return wh_buf_printf(text, err, "\n        ]");
}

static enum wh_status add_total(struct wh_buf *text,
				const struct wh_manifest *manifest,
				const struct keras3_objects *objects,
				struct wh_error *err)
{
	static const char *const eighths[] = {"0", "125", "25", "375",
					      "5", "625", "75", "875"};
	uint64_t bits = 0;
	uint32_t i, j, n = 0;

	for (i = 0; i < objects->n; i++)
		for (j = 0; j < objects->list[i].n_values; j++, n++)
			bits += bits_of(
				&manifest->tensors
					 [objects->list[i].values[j].tensor]);
	/* Without any value Python's sum stays the integer 0. */
	if (n == 0)
		return wh_buf_printf(text, err, "0");
	return wh_buf_printf(text, err, "%" PRIu64 ".%s", bits / 8,
			     eighths[bits % 8]);
}

enum wh_status keras3_map_write(const struct wh_manifest *manifest,
				const struct keras3_objects *objects,
				const char *base, struct wh_buf *text,
				struct wh_error *err)
{
	uint32_t i, n = 0;

	WH_TRY(wh_buf_printf(text, err,
			     "{\n    \"metadata\": {\n        "
			     "\"total_size\": "));
	WH_TRY(add_total(text, manifest, objects, err));
	WH_TRY(wh_buf_printf(text, err, "\n    },\n    \"weight_map\": {"));
	for (i = 0; i < objects->n; i++) {
		if (!objects->list[i].n_values)
			continue;
		if (n++)
			WH_TRY(wh_buf_printf(text, err, ","));
		WH_TRY(add_entry(text, &objects->list[i], base, err));
	}
	return wh_buf_printf(text, err, n ? "\n    }\n}" : "}\n}");
}
