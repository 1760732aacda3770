#include "hdf5/attribute_read.h"

#include <stdlib.h>
#include <string.h>

#include "base/auto.h"
#include "base/checked.h"
#include "hdf5/heap_check.h"
#include "hdf5/object.h"
#include "hdf5/session.h"
#include <weighhouse/tensor.h>

/* An open attribute of strings. */
struct strings {
	hid_t attribute, type, space;
	uint64_t n;
	bool variable;
	size_t size; /* of a fixed-length one */
};

static void close_strings(struct strings *strings)
{
	h5_release(&strings->space);
	h5_release(&strings->type);
	h5_release(&strings->attribute);
}
#define strings_auto __attribute__((cleanup(close_strings)))

bool h5_has_attribute(hid_t object, const char *name)
{
	return H5Aexists(object, name) > 0;
}

/* The number of elements of a scalar or a list. */
static enum wh_status count_elements(hid_t space, const char *name, uint64_t *n,
				     struct wh_error *err)
{
	H5S_class_t class = H5Sget_simple_extent_type(space);
	hsize_t dim;

	if (class == H5S_SCALAR) {
		*n = 1;
		return WH_OK;
	}
	if (class != H5S_SIMPLE || H5Sget_simple_extent_ndims(space) != 1 ||
	    H5Sget_simple_extent_dims(space, &dim, NULL) != 1)
		return wh_fail(err, WH_ECORRUPT, "attribute '%s' is not a list",
			       name);
	if (dim > NAME_LIST_MAX)
		return wh_fail(err, WH_ECORRUPT,
			       "attribute '%s' lists %llu names; at most %u "
			       "are read",
			       name, (unsigned long long)dim, NAME_LIST_MAX);
	*n = dim;
	return WH_OK;
}

static enum wh_status open_strings(hid_t object, const char *name,
				   struct strings *strings,
				   struct wh_error *err)
{
	uint64_t total;

	strings->attribute = H5Aopen(object, name, H5P_DEFAULT);
	if (strings->attribute < 0)
		return wh_fail(err, WH_ECORRUPT,
			       "attribute '%s' can't be opened", name);
	strings->type = H5Aget_type(strings->attribute);
	strings->space = H5Aget_space(strings->attribute);
	WH_TRY(count_elements(strings->space, name, &strings->n, err));
	if (strings->n == 0)
		return WH_OK;
	if (H5Tget_class(strings->type) != H5T_STRING)
		return wh_fail(err, WH_ECORRUPT,
			       "attribute '%s' holds no strings", name);
	strings->variable = H5Tis_variable_str(strings->type) > 0;
	strings->size = H5Tget_size(strings->type);
	if (!strings->variable &&
	    (!checked_mul(strings->n, strings->size, &total) ||
	     total > NAME_LIST_FIXED))
		return wh_fail(err, WH_ECORRUPT,
			       "attribute '%s' is larger than %llu bytes", name,
			       (unsigned long long)NAME_LIST_FIXED);
	return WH_OK;
}

static enum wh_status read_fixed(const struct strings *strings,
				 const char *attribute, struct arena *arena,
				 const char **names, struct wh_error *err)
{
	wh_free_auto char *rows = calloc((size_t)strings->n + 1, strings->size);
	H5T_str_t padding = H5Tget_strpad(strings->type);
	uint64_t i;

	if (!rows)
		return wh_fail_memory(err);
	if (H5Aread(strings->attribute, strings->type, rows) < 0)
		return wh_fail(err, WH_ECORRUPT, "attribute '%s' can't be read",
			       attribute);
	for (i = 0; i < strings->n; i++) {
		const char *row = rows + i * strings->size;

		WH_TRY(name_make(arena, attribute, row,
				 string_trim(row, strings->size, padding),
				 &names[i], err));
	}
	return WH_OK;
}

/* Fills `rows`, which the caller reclaims, with pointers to strings. */
static enum wh_status read_pointers(const struct strings *strings,
				    const char *attribute,
				    struct input_file *input, uint64_t max_read,
				    char **rows, struct wh_error *err)
{
	uint64_t before = input->max_read;
	enum wh_status status;
	herr_t done = 0;

	input->max_read = max_read;
	status = heap_check(strings->attribute, strings->n, attribute, input,
			    err);
	if (!status)
		done = H5Aread(strings->attribute, strings->type, rows);
	input->max_read = before;
	WH_TRY(status);
	if (done < 0)
		return wh_fail(err, WH_ECORRUPT, "attribute '%s' can't be read",
			       attribute);
	return WH_OK;
}

static enum wh_status read_variable(const struct strings *strings,
				    const char *attribute,
				    struct input_file *input,
				    struct arena *arena, const char **names,
				    struct wh_error *err)
{
	wh_free_auto char **rows =
		calloc((size_t)strings->n + 1, sizeof(*rows));
	enum wh_status status;
	uint64_t i;

	if (!rows)
		return wh_fail_memory(err);
	WH_TRY(read_pointers(strings, attribute, input,
			     string_heap_limit(strings->n), rows, err));
	for (i = 0, status = WH_OK; i < strings->n && !status; i++)
		status = name_make(arena, attribute, rows[i] ? rows[i] : "",
				   rows[i] ? strlen(rows[i]) : 0, &names[i],
				   err);
	H5Dvlen_reclaim(strings->type, strings->space, H5P_DEFAULT, rows);
	return status;
}

enum wh_status h5_names_append(hid_t object, const char *name,
			       struct input_file *input, struct arena *arena,
			       struct name_list *list, struct wh_error *err)
{
	strings_auto struct strings strings = {0};

	WH_TRY(open_strings(object, name, &strings, err));
	if (strings.n == 0)
		return WH_OK;
	WH_TRY(name_list_reserve(list, strings.n, arena, err));
	if (strings.variable)
		WH_TRY(read_variable(&strings, name, input, arena,
				     list->names + list->n, err));
	else
		WH_TRY(read_fixed(&strings, name, arena, list->names + list->n,
				  err));
	list->n += (uint32_t)strings.n;
	return WH_OK;
}

static enum wh_status keep_text(struct arena *arena, const char *bytes,
				size_t len, const char **text, size_t *size,
				struct wh_error *err)
{
	*text = arena_bytes(arena, bytes, len);
	*size = len;
	return *text ? WH_OK : wh_fail_memory(err);
}

static enum wh_status read_variable_text(const struct strings *strings,
					 const char *name,
					 struct input_file *input,
					 struct arena *arena, const char **text,
					 size_t *size, struct wh_error *err)
{
	char *row = NULL;
	enum wh_status status;

	WH_TRY(read_pointers(strings, name, input, TEXT_MAX, &row, err));
	status = keep_text(arena, row ? row : "", row ? strlen(row) : 0, text,
			   size, err);
	H5Dvlen_reclaim(strings->type, strings->space, H5P_DEFAULT, &row);
	return status;
}

static enum wh_status read_fixed_text(const struct strings *strings,
				      const char *name, struct arena *arena,
				      const char **text, size_t *size,
				      struct wh_error *err)
{
	wh_free_auto char *row = calloc(1, strings->size + 1);

	if (!row)
		return wh_fail_memory(err);
	if (H5Aread(strings->attribute, strings->type, row) < 0)
		return wh_fail(err, WH_ECORRUPT, "attribute '%s' can't be read",
			       name);
	return keep_text(
		arena, row,
		string_trim(row, strings->size, H5Tget_strpad(strings->type)),
		text, size, err);
}

enum wh_status h5_text_read(hid_t object, const char *name,
			    struct input_file *input, struct arena *arena,
			    const char **text, size_t *size,
			    struct wh_error *err)
{
	strings_auto struct strings strings = {0};

	*text = NULL;
	if (!h5_has_attribute(object, name))
		return WH_OK;
	WH_TRY(open_strings(object, name, &strings, err));
	if (strings.n != 1)
		return wh_fail(err, WH_ECORRUPT,
			       "attribute '%s' is not a single string", name);
	if (strings.variable)
		return read_variable_text(&strings, name, input, arena, text,
					  size, err);
	return read_fixed_text(&strings, name, arena, text, size, err);
}

enum wh_status h5_count_read(hid_t object, const char *name, uint32_t max,
			     uint32_t *count, bool *found, struct wh_error *err)
{
	h5_auto hid_t attribute = 0, type = 0, space = 0;
	int64_t value = -1;
	uint64_t n;

	*found = h5_has_attribute(object, name);
	if (!*found)
		return WH_OK;
	attribute = H5Aopen(object, name, H5P_DEFAULT);
	type = H5Aget_type(attribute);
	space = H5Aget_space(attribute);
	WH_TRY(count_elements(space, name, &n, err));
	if (n != 1 || H5Tget_class(type) != H5T_INTEGER ||
	    H5Aread(attribute, H5T_NATIVE_INT64, &value) < 0 || value < 0 ||
	    value > max)
		return wh_fail(err, WH_ECORRUPT,
			       "attribute '%s' is no count from 0 to %u", name,
			       max);
	*count = (uint32_t)value;
	return WH_OK;
}
