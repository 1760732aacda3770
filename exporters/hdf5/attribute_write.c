#include "hdf5/attribute_write.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/auto.h"
#include "hdf5/session.h"

#define MESSAGE_LIMIT 65535u /* bytes of an object header message */
#define SHOWN_NAME    60     /* bytes of a name that is far too long */

static enum wh_status fail_attribute(const char *name, struct wh_error *err)
{
	return wh_fail(err, WH_EUNSUPPORTED,
		       "libhdf5 can't write the attribute '%s'", name);
}

/* The header message of an unsplit list: prefix, name, type, space, and 16
 * bytes a string. Keras tests only rows x longest against its limit and so
 * fails between 4092 and 64512 / longest short names; we split there too. */
static size_t message_size(const char *name, uint32_t n_names)
{
	size_t padded = (strlen(name) + 1 + 7) / 8 * 8;

	return 8 + padded + 24 + 24 + (size_t)16 * n_names;
}

uint32_t h5_names_parts(const char *name, uint32_t n_names, size_t longest)
{
	uint32_t k = message_size(name, n_names) > MESSAGE_LIMIT ? 2 : 1;

	/* Keras counts the bytes of numpy.array_split's largest part. */
	while (((uint64_t)n_names + k - 1) / k * longest > H5_ATTRIBUTE_LIMIT)
		k++;
	return k;
}

static enum wh_status write_attribute(hid_t object, const char *name,
				      hid_t type, hid_t space,
				      const void *value, struct wh_error *err)
{
	h5_auto hid_t attribute =
		H5Acreate2(object, name, type, space, H5P_DEFAULT, H5P_DEFAULT);

	if (attribute < 0 || (value && H5Awrite(attribute, type, value) < 0))
		return fail_attribute(name, err);
	return WH_OK;
}

/* numpy.asarray([]) is float64, and so is the attribute. */
static enum wh_status write_empty(hid_t object, const char *name,
				  struct wh_error *err)
{
	hsize_t none = 0;
	h5_auto hid_t space = H5Screate_simple(1, &none, &none);

	return write_attribute(object, name, H5T_IEEE_F64LE, space, NULL, err);
}

static hid_t make_variable_string(void)
{
	hid_t type = H5Tcopy(H5T_C_S1);

	if (H5Tset_size(type, H5T_VARIABLE) < 0) {
		H5Tclose(type);
		return -1;
	}
	return type;
}

static enum wh_status write_whole(hid_t object, const char *name,
				  const char *const *names, uint32_t n_names,
				  struct wh_error *err)
{
	hsize_t n = n_names;
	h5_auto hid_t space = H5Screate_simple(1, &n, &n);
	h5_auto hid_t type = make_variable_string();

	return write_attribute(object, name, type, space, names, err);
}

static hid_t make_fixed_string(size_t size)
{
	hid_t type = H5Tcopy(H5T_C_S1);

	if (H5Tset_size(type, size) < 0 ||
	    H5Tset_strpad(type, H5T_STR_NULLPAD) < 0) {
		H5Tclose(type);
		return -1;
	}
	return type;
}

static enum wh_status write_part(hid_t object, const char *name,
				 const char *const *names, uint32_t n_names,
				 size_t size, struct wh_error *err)
{
	hsize_t n = n_names;
	h5_auto hid_t space = H5Screate_simple(1, &n, &n);
	h5_auto hid_t type = make_fixed_string(size);
	wh_free_auto char *rows = calloc(n_names, size);
	uint32_t i;

	if (!rows)
		return wh_fail_memory(err);
	for (i = 0; i < n_names; i++)
		memcpy(rows + i * size, names[i], strlen(names[i]));
	return write_attribute(object, name, type, space, rows, err);
}

/* numpy.array_split: the first n % parts of them have one row more. */
static enum wh_status write_split(hid_t object, const char *name,
				  const char *const *names, uint32_t n_names,
				  uint32_t parts, size_t size,
				  struct wh_error *err)
{
	char part_name[64];
	uint32_t k, rows, at = 0;

	for (k = 0; k < parts; k++) {
		rows = n_names / parts + (k < n_names % parts);
		snprintf(part_name, sizeof(part_name), "%s%u", name, k);
		WH_TRY(write_part(object, part_name, names + at, rows, size,
				  err));
		at += rows;
	}
	return WH_OK;
}

enum wh_status h5_names_write(hid_t object, const char *name,
			      const char *const *names, uint32_t n_names,
			      struct wh_error *err)
{
	size_t longest = 1;
	uint32_t i, parts;

	for (i = 0; i < n_names; i++) {
		size_t len = strlen(names[i]);

		if (len > H5_ATTRIBUTE_LIMIT)
			return wh_fail(
				err, WH_EUNSUPPORTED,
				"The following attributes cannot be saved to "
				"HDF5 file because they are larger than %u "
				"bytes: ['%.*s...']",
				H5_ATTRIBUTE_LIMIT, SHOWN_NAME, names[i]);
		if (len > longest)
			longest = len;
	}
	if (n_names == 0)
		return write_empty(object, name, err);
	parts = h5_names_parts(name, n_names, longest);
	if (parts == 1)
		return write_whole(object, name, names, n_names, err);
	return write_split(object, name, names, n_names, parts, longest, err);
}

enum wh_status h5_text_write(hid_t object, const char *name, const char *text,
			     struct wh_error *err)
{
	h5_auto hid_t space = H5Screate(H5S_SCALAR);
	h5_auto hid_t type = make_variable_string();

	return write_attribute(object, name, type, space, &text, err);
}

enum wh_status h5_utf8_write(hid_t object, const char *name, const char *text,
			     struct wh_error *err)
{
	h5_auto hid_t space = H5Screate(H5S_SCALAR);
	h5_auto hid_t type = make_variable_string();

	if (H5Tset_cset(type, H5T_CSET_UTF8) < 0)
		return fail_attribute(name, err);
	return write_attribute(object, name, type, space, &text, err);
}
