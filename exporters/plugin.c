/* Plug-ins: shared objects with one versioned descriptor each. */
#include <dlfcn.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/error.h"
#include "library.h"

#define DESCRIPTOR "weighhouse_plugin"

void wh_library_free(struct wh_library *library)
{
	size_t i;

	if (!library)
		return;
	for (i = 0; i < library->n_objects; i++)
		dlclose(library->objects[i]);
	free(library->objects);
	free(library->formats);
	free(library);
}

static const char *last_complaint(void)
{
	const char *text = dlerror();

	return text ? text : "unknown error";
}

static enum wh_status check_descriptor(const struct wh_plugin *plugin,
				       const char *path, struct wh_error *err)
{
	if (plugin->abi != WH_PLUGIN_ABI)
		return wh_fail(err, WH_EUNSUPPORTED,
			       "plug-in '%s' was built for interface %u; this "
			       "is %u: build it again",
			       path, plugin->abi, WH_PLUGIN_ABI);
	if (!plugin->name || !plugin->formats)
		return wh_fail(err, WH_EINVAL,
			       "the descriptor of plug-in '%s' lacks something",
			       path);
	return WH_OK;
}

/* All of its formats, or none. */
static enum wh_status add_formats(struct wh_library *library,
				  const struct wh_plugin *plugin,
				  struct wh_error *err)
{
	size_t i, before = library->n_formats;

	for (i = 0; plugin->formats[i]; i++) {
		enum wh_status status =
			wh_library_add(library, plugin->formats[i], err);

		if (!status)
			continue;
		library->n_formats = before;
		library->formats[before] = NULL;
		wh_error_prefix(err, "plug-in '%s'", plugin->name);
		return status;
	}
	return WH_OK;
}

static enum wh_status make_room(struct wh_library *library,
				struct wh_error *err)
{
	void **moved = reallocarray(library->objects, library->n_objects + 1,
				    sizeof(*moved));

	if (!moved)
		return wh_fail_memory(err);
	library->objects = moved;
	return WH_OK;
}

static enum wh_status add_object(struct wh_library *library, void *object,
				 const char *path, struct wh_error *err)
{
	const struct wh_plugin *plugin = dlsym(object, DESCRIPTOR);

	if (!plugin)
		return wh_fail(err, WH_EINVAL,
			       "'%s' is no plug-in of weighhouse: it has no "
			       "symbol " DESCRIPTOR,
			       path);
	WH_TRY(check_descriptor(plugin, path, err));
	WH_TRY(make_room(library, err));
	WH_TRY(add_formats(library, plugin, err));
	library->objects[library->n_objects++] = object;
	return WH_OK;
}

enum wh_status wh_library_load(struct wh_library *library, const char *path,
			       struct wh_error *err)
{
	enum wh_status status;
	void *object;

	object = dlopen(path, RTLD_NOW | RTLD_LOCAL);
	if (!object)
		return wh_fail(err,
			       access(path, F_OK) ? WH_ENOTFOUND : WH_EINVAL,
			       "plug-in %s", last_complaint());
	status = add_object(library, object, path, err);
	if (status)
		dlclose(object);
	return status;
}
