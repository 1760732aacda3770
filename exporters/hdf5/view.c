#include "hdf5/view.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "hdf5/attribute_read.h"
#include "hdf5/classic/dataset.h"
#include "hdf5/classic/group.h"
#include "hdf5/classic/strings.h"
#include "hdf5/object.h"
#include "hdf5/session.h"

/* Nobody reads these words: the loader begins again with libhdf5. */
static enum wh_status decline(struct wh_error *err)
{
	return wh_fail(err, WH_EUNSUPPORTED, "left to libhdf5");
}

enum wh_status view_declined(const struct h5_source *source,
			     struct wh_error *err)
{
	const struct classic_file *file = source->classic;

	if (file && file->damage)
		return wh_fail(err, WH_ECORRUPT, "a damaged HDF5 file: %s",
			       file->damage);
	return decline(err);
}

static bool is_classic(const struct h5_view *view)
{
	return view->header != NULL;
}

/* ---- Objects ---------------------------------------------------------- */

static void free_header(struct classic_header *header)
{
	if (header)
		classic_header_free(header);
	free(header);
}

void view_close(struct h5_view *view)
{
	if (!view->group)
		free_header(view->header);
	classic_group_close(view->group);
	h5_release(&view->id);
	*view = (struct h5_view){0};
}

/* Takes the group. */
static bool show_group(struct h5_source *source, struct classic_group *group,
		       struct h5_view *view)
{
	if (!group)
		return false;
	*view = (struct h5_view){
		.source = source, .group = group, .header = &group->header};
	return true;
}

static enum wh_status show_object(struct h5_source *source, uint64_t address,
				  struct h5_view *view, struct wh_error *err)
{
	struct classic_header *header = calloc(1, sizeof(*header));

	if (!header || !classic_header_read(source->classic, address, header)) {
		free_header(header);
		return decline(err);
	}
	*view = (struct h5_view){.source = source, .header = header};
	return WH_OK;
}

/* The file, which is the source's to close even if this fails. */
static bool open_classic(struct h5_source *source)
{
	struct classic_file *file = calloc(1, sizeof(*file));

	source->classic = file;
	return file && classic_file_open(file, &source->input);
}

bool view_classic_header(struct h5_source *source, struct h5_view *root)
{
	return open_classic(source) &&
	       show_object(source, source->classic->root, root, NULL) == WH_OK;
}

bool view_classic_root(struct h5_source *source, struct h5_view *root)
{
	struct classic_file *file;

	if (!source->classic && !open_classic(source))
		return false;
	file = source->classic;
	return show_group(source, classic_group_open(file, file->root), root);
}

enum wh_status view_libhdf5_root(struct h5_source *source, struct h5_view *root,
				 struct wh_error *err)
{
	root->source = source;
	return h5_source_start(source, &root->id, err);
}

bool view_is_sure(const struct h5_source *source)
{
	return source->classic && !source->classic->unsure;
}

enum wh_status view_group(const struct h5_view *at, const char *path,
			  struct h5_view *opened, struct wh_error *err)
{
	struct h5_source *source = at->source;

	if (!is_classic(at)) {
		opened->source = source;
		return h5_group_open(at->id, path, &opened->id, err);
	}
	if (!show_group(source,
			classic_path_group(source->classic, at->group, path),
			opened))
		return decline(err);
	return WH_OK;
}

enum wh_status view_dataset(const struct h5_view *at, const char *path,
			    struct h5_view *opened, struct wh_error *err)
{
	uint64_t address;

	if (!is_classic(at)) {
		opened->source = at->source;
		return h5_dataset_open(at->id, path, &opened->id, err);
	}
	if (!classic_path_object(at->source->classic, at->group, path,
				 &address))
		return decline(err);
	return show_object(at->source, address, opened, err);
}

bool view_has(const struct h5_view *at, const char *name)
{
	return is_classic(at) ? classic_group_find(at->group, name) != NULL
			      : h5_has(at->id, name);
}

bool view_address(const struct h5_view *group, uint64_t *address)
{
	H5O_info_t info;

	if (is_classic(group)) {
		*address = group->group->address;
		return true;
	}
	if (H5Oget_info2(group->id, &info, H5O_INFO_BASIC) < 0)
		return false;
	*address = info.addr;
	return true;
}

bool view_child_address(const struct h5_view *at, const char *name,
			uint64_t *address)
{
	const struct classic_entry *entry;
	H5L_info_t info;

	if (is_classic(at)) {
		entry = classic_group_find(at->group, name);
		if (entry)
			*address = entry->address;
		return entry != NULL;
	}
	if (!h5_has(at->id, name) ||
	    H5Lget_info(at->id, name, &info, H5P_DEFAULT) < 0 ||
	    info.type != H5L_TYPE_HARD)
		return false;
	*address = info.u.address;
	return true;
}

enum wh_status view_keep(const struct h5_view *object, uint64_t max_nbytes,
			 struct h5_kept **out, struct wh_error *err)
{
	struct h5_source *source = object->source;
	struct h5_dataset dataset;

	if (!is_classic(object))
		WH_TRY(h5_dataset_describe(object->id, source->input.size,
					   &dataset, err));
	else if (!classic_dataset_describe(source->classic, object->header,
					   &dataset))
		return decline(err);
	return h5_source_keep(source, &dataset, max_nbytes, out, err);
}

/* ---- Attributes ------------------------------------------------------- */

static bool find_attribute(const struct h5_view *at, const char *name,
			   struct classic_attribute *attribute, bool *exists)
{
	struct classic_file *file = at->source->classic;

	if (classic_spend(file, at->header->size) &&
	    classic_attribute_find(at->header, name, attribute, exists))
		return true;
	file->unsure = true;
	return false;
}

bool view_has_attribute(const struct h5_view *at, const char *name)
{
	struct classic_attribute attribute;
	bool exists;

	if (!is_classic(at))
		return h5_has_attribute(at->id, name);
	return find_attribute(at, name, &attribute, &exists) && exists;
}

/* Strings in a list or in a scalar, and not too many. */
static bool is_list(const struct classic_attribute *attribute)
{
	const struct classic_string *string = &attribute->string;
	uint64_t n = attribute->space.n;

	return attribute->space.rank <= 1 && n <= NAME_LIST_MAX &&
	       (n == 0 || attribute->is_string) &&
	       (string->variable || n * string->size <= NAME_LIST_FIXED);
}

/* String `i` without its padding. */
static bool get_string(const struct h5_view *at,
		       const struct classic_attribute *attribute, uint64_t i,
		       uint64_t max_heap, const char **bytes, size_t *len)
{
	if (!classic_attribute_string(at->source->classic, attribute, i,
				      max_heap, bytes, len))
		return false;
	if (!attribute->string.variable)
		*len = string_trim(*bytes, *len,
				   (int)attribute->string.padding);
	return true;
}

static enum wh_status append_classic(const struct h5_view *at, const char *name,
				     struct arena *arena,
				     struct name_list *list,
				     struct wh_error *err)
{
	struct classic_attribute attribute;
	const char *bytes;
	uint64_t i, limit;
	size_t len;
	bool exists;

	if (!find_attribute(at, name, &attribute, &exists) || !exists ||
	    !is_list(&attribute))
		return decline(err);
	if (attribute.space.n == 0)
		return WH_OK;
	limit = string_heap_limit(attribute.space.n);
	WH_TRY(name_list_reserve(list, attribute.space.n, arena, err));
	for (i = 0; i < attribute.space.n; i++) {
		if (!get_string(at, &attribute, i, limit, &bytes, &len))
			return decline(err);
		WH_TRY(name_make(arena, name, bytes, len, &list->names[list->n],
				 err));
		list->n++;
	}
	return WH_OK;
}

static enum wh_status append(const struct h5_view *at, const char *name,
			     struct arena *arena, struct name_list *list,
			     struct wh_error *err)
{
	if (is_classic(at))
		return append_classic(at, name, arena, list, err);
	return h5_names_append(at->id, name, &at->source->input, arena, list,
			       err);
}

static enum wh_status append_parts(const struct h5_view *at, const char *name,
				   struct arena *arena, struct name_list *list,
				   struct wh_error *err)
{
	char part[64];
	uint32_t k;

	for (k = 0;; k++) {
		snprintf(part, sizeof(part), "%s%u", name, k);
		if (!view_has_attribute(at, part))
			return WH_OK;
		if (k == NAME_LIST_PARTS)
			return wh_fail(err, WH_ECORRUPT,
				       "'%s' is split into more than %u "
				       "attributes",
				       name, NAME_LIST_PARTS);
		WH_TRY(append(at, part, arena, list, err));
	}
}

enum wh_status view_names(const struct h5_view *at, const char *name,
			  struct arena *arena, const char *const **names,
			  uint32_t *n_names, struct wh_error *err)
{
	struct name_list list = {0};

	if (view_has_attribute(at, name))
		WH_TRY(append(at, name, arena, &list, err));
	else
		WH_TRY(append_parts(at, name, arena, &list, err));
	*names = (const char *const *)list.names;
	*n_names = list.n;
	return WH_OK;
}

enum wh_status view_text(const struct h5_view *at, const char *name,
			 struct arena *arena, const char **text, size_t *size,
			 struct wh_error *err)
{
	struct classic_attribute attribute;
	const char *bytes;
	bool exists;

	if (!is_classic(at))
		return h5_text_read(at->id, name, &at->source->input, arena,
				    text, size, err);
	*text = NULL;
	if (!find_attribute(at, name, &attribute, &exists))
		return decline(err);
	if (!exists)
		return WH_OK;
	if (!is_list(&attribute) || attribute.space.n != 1 ||
	    !get_string(at, &attribute, 0, TEXT_MAX, &bytes, size))
		return decline(err);
	*text = arena_bytes(arena, bytes, *size);
	return *text ? WH_OK : wh_fail_memory(err);
}

enum wh_status view_count(const struct h5_view *at, const char *name,
			  uint32_t max, uint32_t *count, bool *found,
			  struct wh_error *err)
{
	if (is_classic(at))
		return decline(err);
	return h5_count_read(at->id, name, max, count, found, err);
}
