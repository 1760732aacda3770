#include "safetensors/header.h"

#include <stdlib.h>
#include <string.h>

#include "base/array.h"
#include "base/auto.h"
#include "base/checked.h"
#include "base/endian.h"
#include "base/text.h"
#include "core/name_map.h"
#include "safetensors/dtype.h"
#include "safetensors/packed.h"
#include "base/json_scan.h"

#define LENGTH_SIZE 8u /* bytes of the length in front */

struct parsing {
	struct scan scan;
	struct arena *arena;
	struct st_entry *entries; /* malloc'd */
	struct st_pair *pairs;
	uint32_t n_entries, n_pairs;
	size_t entries_room, pairs_room;
	struct name_map names, keys; /* of tensors, of the metadata */
	bool has_metadata;
	struct wh_error *err;
};

/* What the scan found wrong, at which byte of the header. */
static enum wh_status fail_json(struct parsing *p)
{
	if (p->arena->failed)
		return wh_fail_memory(p->err);
	return wh_fail(p->err, WH_ECORRUPT,
		       "the header's JSON fails at byte %zu: %s",
		       (size_t)(p->scan.at - p->scan.begin), p->scan.problem);
}

static enum wh_status fail_entry(struct parsing *p, const char *name,
				 const char *what)
{
	return wh_fail(p->err, WH_ECORRUPT, "tensor '%s': %s", name, what);
}

/* ---- Metadata
 * ------------------------------------------------------------------ */

/* A key that comes twice has its last text, as in the reference library. */
static enum wh_status add_pair(struct parsing *p, const struct st_pair *pair)
{
	bool added;

	WH_TRY(name_map_add(&p->keys, pair->key, p->n_pairs, &added, p->err));
	if (!added) {
		p->pairs[name_map_find(&p->keys, pair->key)] = *pair;
		return WH_OK;
	}
	WH_TRY(array_grow(&p->pairs, p->n_pairs, &p->pairs_room,
			  sizeof(*p->pairs), p->err));
	p->pairs[p->n_pairs++] = *pair;
	return WH_OK;
}

static enum wh_status take_metadata(struct parsing *p)
{
	bool first = true;

	if (p->has_metadata)
		return wh_fail(p->err, WH_ECORRUPT,
			       "the header has __metadata__ twice");
	p->has_metadata = true;
	if (scan_peek(&p->scan) == 'n')
		return scan_skip(&p->scan) ? WH_OK : fail_json(p);
	scan_open(&p->scan, '{');
	while (scan_more(&p->scan, '}', &first)) {
		struct st_pair pair = {0};
		char *key, *text;
		size_t len;

		if (!scan_string(&p->scan, p->arena, &key, &len) ||
		    !scan_take(&p->scan, ':') ||
		    !scan_string(&p->scan, p->arena, &text, &pair.size))
			return fail_json(p);
		if (!text_is_name(key, len))
			return wh_fail(p->err, WH_ECORRUPT,
				       "a key of __metadata__ has a NUL");
		pair.key = key;
		pair.text = text;
		WH_TRY(add_pair(p, &pair));
	}
	return p->scan.problem ? fail_json(p) : WH_OK;
}

/* ---- One tensor
 * ---------------------------------------------------------------- */

enum field { FIELD_DTYPE = 1, FIELD_SHAPE = 2, FIELD_OFFSETS = 4 };

static enum wh_status take_dtype(struct parsing *p, struct st_entry *entry)
{
	char *name;
	size_t len;

	if (!scan_string(&p->scan, p->arena, &name, &len))
		return fail_json(p);
	if (strlen(name) != len || !st_dtype_find(name, &entry->dtype))
		return wh_fail(p->err, WH_ECORRUPT,
			       "tensor '%s': there is no dtype '%s'",
			       entry->name, name);
	if (entry->dtype == WH_DTYPE_NONE) {
		entry->packed = name;
		entry->dtype = WH_UINT8;
	}
	return WH_OK;
}

static enum wh_status take_shape(struct parsing *p, struct st_entry *entry)
{
	uint64_t dims[WH_MAX_RANK], *kept;
	bool first = true;

	entry->rank = 0;
	scan_open(&p->scan, '[');
	while (scan_more(&p->scan, ']', &first)) {
		uint64_t dim;

		if (!scan_unsigned(&p->scan, &dim))
			return fail_json(p);
		if (entry->rank == WH_MAX_RANK)
			return wh_fail(p->err, WH_ECORRUPT,
				       "tensor '%s': its rank is above %u",
				       entry->name, WH_MAX_RANK);
		dims[entry->rank++] = dim;
	}
	if (p->scan.problem)
		return fail_json(p);
	kept = arena_alloc(p->arena, entry->rank, sizeof(*kept));
	if (!kept)
		return wh_fail_memory(p->err);
	if (entry->rank)
		memcpy(kept, dims, entry->rank * sizeof(*kept));
	entry->shape = kept;
	return WH_OK;
}

static enum wh_status take_offsets(struct parsing *p, struct st_entry *entry)
{
	if (!scan_open(&p->scan, '[') ||
	    !scan_unsigned(&p->scan, &entry->begin) ||
	    !scan_take(&p->scan, ',') ||
	    !scan_unsigned(&p->scan, &entry->end) || !scan_take(&p->scan, ']'))
		return fail_json(p);
	p->scan.depth--;
	return WH_OK;
}

static enum wh_status take_field(struct parsing *p, struct st_entry *entry,
				 unsigned *seen)
{
	enum wh_status (*take)(struct parsing *, struct st_entry *) = NULL;
	char name[SCAN_KEY_SIZE];
	unsigned field = 0;

	if (!scan_key(&p->scan, name))
		return fail_json(p);
	if (strcmp(name, "dtype") == 0) {
		field = FIELD_DTYPE;
		take = take_dtype;
	} else if (strcmp(name, "shape") == 0) {
		field = FIELD_SHAPE;
		take = take_shape;
	} else if (strcmp(name, "data_offsets") == 0) {
		field = FIELD_OFFSETS;
		take = take_offsets;
	}
	if (!take)
		return scan_skip(&p->scan) ? WH_OK : fail_json(p);
	if (*seen & field)
		return fail_entry(p, entry->name, "a field is there twice");
	*seen |= field;
	return take(p, entry);
}

/* As a list of its three values: Rust's serde takes that too. */
static enum wh_status take_entry_list(struct parsing *p, struct st_entry *entry)
{
	if (!scan_open(&p->scan, '['))
		return fail_json(p);
	WH_TRY(take_dtype(p, entry));
	if (!scan_take(&p->scan, ','))
		return fail_json(p);
	WH_TRY(take_shape(p, entry));
	if (!scan_take(&p->scan, ','))
		return fail_json(p);
	WH_TRY(take_offsets(p, entry));
	if (!scan_take(&p->scan, ']'))
		return fail_json(p);
	p->scan.depth--;
	return WH_OK;
}

static enum wh_status take_entry(struct parsing *p, struct st_entry *entry)
{
	unsigned seen = 0;
	bool first = true;

	if (scan_peek(&p->scan) == '[')
		return take_entry_list(p, entry);
	scan_open(&p->scan, '{');
	while (scan_more(&p->scan, '}', &first))
		WH_TRY(take_field(p, entry, &seen));
	if (p->scan.problem)
		return fail_json(p);
	if (seen != (FIELD_DTYPE | FIELD_SHAPE | FIELD_OFFSETS))
		return fail_entry(p, entry->name,
				  "dtype, shape or data_offsets is missing");
	return WH_OK;
}

/* The library's checked products go from left to right, so a zero behind an
 * overflow doesn't help. */
static enum wh_status check_size(struct parsing *p,
				 const struct st_entry *entry)
{
	unsigned bits = entry->packed
				? st_packed_bits(entry->packed)
				: 8 * (unsigned)wh_dtype_size(entry->dtype);
	uint64_t n = 1, nbits;
	uint32_t i;

	for (i = 0; i < entry->rank; i++)
		if (!checked_mul(n, entry->shape[i], &n))
			return fail_entry(p, entry->name,
					  "shape product overflows");
	if (n > UINT64_MAX / 64 || !checked_mul(n, bits, &nbits))
		return fail_entry(p, entry->name, "shape product overflows");
	if (nbits % 8)
		return fail_entry(p, entry->name, "it ends inside of a byte");
	if (entry->end < entry->begin)
		return fail_entry(p, entry->name, "its offsets are reversed");
	if (entry->end - entry->begin != nbits / 8)
		return fail_entry(p, entry->name,
				  "its offsets don't fit dtype and shape");
	return WH_OK;
}

static enum wh_status add_entry(struct parsing *p, const char *name, size_t len)
{
	struct st_entry entry = {.name = name};
	bool added;

	if (!len || !text_is_name(name, len))
		return wh_fail(p->err, WH_ECORRUPT,
			       "a tensor's name is empty or has a NUL");
	WH_TRY(name_map_add(&p->names, name, p->n_entries, &added, p->err));
	if (!added)
		return fail_entry(p, name, "it is there twice");
	if (p->n_entries >= WH_MAX_TENSORS)
		return wh_fail(p->err, WH_ECORRUPT, "more than %u tensors",
			       WH_MAX_TENSORS);
	WH_TRY(take_entry(p, &entry));
	WH_TRY(check_size(p, &entry));
	WH_TRY(array_grow(&p->entries, p->n_entries, &p->entries_room,
			  sizeof(*p->entries), p->err));
	p->entries[p->n_entries++] = entry;
	return WH_OK;
}

static enum wh_status take_header(struct parsing *p)
{
	bool first = true;

	scan_open(&p->scan, '{');
	while (scan_more(&p->scan, '}', &first)) {
		size_t len;
		char *name;

		if (!scan_string(&p->scan, p->arena, &name, &len) ||
		    !scan_take(&p->scan, ':'))
			return fail_json(p);
		if (strcmp(name, "__metadata__") == 0)
			WH_TRY(take_metadata(p));
		else
			WH_TRY(add_entry(p, name, len));
	}
	return scan_end(&p->scan) ? WH_OK : fail_json(p);
}

/* ---- The whole
 * ----------------------------------------------------------------- */

static int by_offset(const void *a, const void *b)
{
	const struct st_entry *const *x = a, *const *y = b;

	if ((*x)->begin != (*y)->begin)
		return (*x)->begin < (*y)->begin ? -1 : 1;
	return (*x)->end < (*y)->end ? -1 : (*x)->end > (*y)->end;
}

/* Payloads follow each other without a gap, to the file's end. */
static enum wh_status check_layout(struct parsing *p, uint64_t room)
{
	const struct st_entry **sorted wh_free_auto =
		calloc((size_t)p->n_entries + 1, sizeof(const void *));
	uint64_t at = 0;
	uint32_t i;

	if (!sorted)
		return wh_fail_memory(p->err);
	for (i = 0; i < p->n_entries; i++)
		sorted[i] = &p->entries[i];
	qsort(sorted, p->n_entries, sizeof(const void *), by_offset);
	for (i = 0; i < p->n_entries; i++) {
		if (sorted[i]->begin != at)
			return fail_entry(p, sorted[i]->name,
					  sorted[i]->begin < at
						  ? "its bytes are another's"
						  : "there is a gap before it");
		at = sorted[i]->end;
	}
	if (at != room)
		return wh_fail(p->err, WH_ECORRUPT,
			       "the payloads take %llu bytes, the file has "
			       "%llu for them",
			       (unsigned long long)at,
			       (unsigned long long)room);
	return WH_OK;
}

static enum wh_status read_text(const struct file_reader *file, char **text,
				size_t *len, struct wh_error *err)
{
	uint8_t head[LENGTH_SIZE];
	uint64_t size;

	if (file->size < LENGTH_SIZE)
		return wh_fail(err, WH_ECORRUPT,
			       "the file is too short for a header");
	WH_TRY(reader_read(file, 0, head, sizeof(head), err));
	size = get_le64(head);
	if (size > ST_MAX_HEADER)
		return wh_fail(err, WH_ECORRUPT,
			       "a header of %llu bytes is too large",
			       (unsigned long long)size);
	if (size > file->size - LENGTH_SIZE)
		return wh_fail(err, WH_ECORRUPT,
			       "the file ends within its header");
	*text = malloc((size_t)size + 1);
	if (!*text)
		return wh_fail_memory(err);
	(*text)[size] = '\0';
	*len = (size_t)size;
	return reader_read(file, LENGTH_SIZE, *text, *len, err);
}

static enum wh_status parse(struct parsing *p, const struct file_reader *file,
			    const char *text, size_t len)
{
	if (!text_is_name(text, len))
		return wh_fail(p->err, WH_ECORRUPT,
			       "the header is not valid UTF-8, or has a NUL");
	scan_begin(&p->scan, text, len);
	WH_TRY(take_header(p));
	return check_layout(p, file->size - LENGTH_SIZE - len);
}

static enum wh_status settle(struct parsing *p, struct st_header *header)
{
	header->entries =
		arena_alloc(p->arena, p->n_entries, sizeof(*p->entries));
	header->pairs = arena_alloc(p->arena, p->n_pairs, sizeof(*p->pairs));
	if (!header->entries || !header->pairs)
		return wh_fail_memory(p->err);
	header->n_entries = p->n_entries;
	header->n_pairs = p->n_pairs;
	if (p->n_entries)
		memcpy(header->entries, p->entries,
		       p->n_entries * sizeof(*p->entries));
	if (p->n_pairs)
		memcpy(header->pairs, p->pairs, p->n_pairs * sizeof(*p->pairs));
	return WH_OK;
}

enum wh_status st_header_read(const struct file_reader *file,
			      struct arena *arena, struct st_header *header,
			      struct wh_error *err)
{
	struct parsing p = {.arena = arena, .err = err};
	char *text wh_free_auto = NULL;
	enum wh_status status;
	size_t len = 0;

	WH_TRY(read_text(file, &text, &len, err));
	status = parse(&p, file, text, len);
	if (!status)
		status = settle(&p, header);
	header->size = LENGTH_SIZE + len;
	name_map_free(&p.names);
	name_map_free(&p.keys);
	free(p.entries);
	free(p.pairs);
	return status;
}
