#include "hdf5/object.h"

#include <stdio.h>
#include <string.h>

#include "hdf5/session.h"
#include <weighhouse/tensor.h>

#define REASON_SIZE 200

bool h5_name_is_plain(const char *name)
{
	unsigned depth = 0;
	const char *end;

	do {
		end = strchrnul(name, '/');
		if (end == name || (end == name + 1 && name[0] == '.') ||
		    (end == name + 2 && name[0] == '.' && name[1] == '.') ||
		    ++depth > H5_MAX_DEPTH)
			return false;
		name = end + 1;
	} while (*end);
	return true;
}

/* The walk begins at the error's origin: the first one says most. */
static herr_t take_first(unsigned n, const H5E_error2_t *error, void *arg)
{
	if (n == 0 && error->desc)
		snprintf(arg, REASON_SIZE, ": %s", error->desc);
	return 0;
}

enum wh_status h5_fail(struct wh_error *err, const char *what)
{
	char reason[REASON_SIZE] = "";

	H5Ewalk2(H5E_DEFAULT, H5E_WALK_UPWARD, take_first, reason);
	return wh_fail(err, WH_ECORRUPT, "%s%s", what, reason);
}

bool h5_has(hid_t at, const char *name)
{
	return H5Lexists(at, name, H5P_DEFAULT) > 0;
}

static const char *link_kind(H5L_type_t type)
{
	switch ((int)type) {
	case H5L_TYPE_SOFT:
		return "a soft link";
	case H5L_TYPE_EXTERNAL:
		return "an external link";
	default:
		return "a user-defined link";
	}
}

static enum wh_status step(hid_t at, const char *name, hid_t *object,
			   struct wh_error *err)
{
	H5L_info_t info;

	if (H5Lget_info(at, name, &info, H5P_DEFAULT) < 0)
		return wh_fail(err, WH_ECORRUPT,
			       "object '%s' is listed but can't be found",
			       name);
	if (info.type != H5L_TYPE_HARD)
		return wh_fail(err, WH_ECORRUPT,
			       "'%s' is %s, which is not followed", name,
			       link_kind(info.type));
	*object = H5Oopen(at, name, H5P_DEFAULT);
	if (*object < 0)
		return wh_fail(err, WH_ECORRUPT, "object '%s' can't be opened",
			       name);
	return WH_OK;
}

static enum wh_status expect(hid_t object, H5I_type_t wanted, const char *name,
			     struct wh_error *err)
{
	if (H5Iget_type(object) == wanted)
		return WH_OK;
	return wh_fail(err, WH_ECORRUPT, "object '%s' is not a %s", name,
		       wanted == H5I_GROUP ? "group" : "dataset");
}

static enum wh_status open_path(hid_t at, const char *path, H5I_type_t wanted,
				hid_t *object, struct wh_error *err)
{
	char copy[WH_MAX_NAME + 1], *name = copy, *slash;
	h5_auto hid_t held = 0;
	hid_t next = -1;

	if (strlen(path) > WH_MAX_NAME || !h5_name_is_plain(path))
		return wh_fail(err, WH_ECORRUPT,
			       "'%s' is no name that is followed", path);
	strcpy(copy, path);
	for (;; name = slash + 1) {
		slash = strchr(name, '/');
		if (slash)
			*slash = '\0';
		WH_TRY(step(at, name, &next, err));
		h5_release(&held);
		at = held = next;
		if (!slash)
			break;
		WH_TRY(expect(held, H5I_GROUP, name, err));
	}
	WH_TRY(expect(held, wanted, name, err));
	*object = held;
	held = 0;
	return WH_OK;
}

enum wh_status h5_group_open(hid_t at, const char *path, hid_t *object,
			     struct wh_error *err)
{
	return open_path(at, path, H5I_GROUP, object, err);
}

enum wh_status h5_dataset_open(hid_t at, const char *path, hid_t *object,
			       struct wh_error *err)
{
	return open_path(at, path, H5I_DATASET, object, err);
}
