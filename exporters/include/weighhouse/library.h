/* library.h: which formats a program knows, and plug-ins that add some. */
#ifndef WEIGHHOUSE_LIBRARY_H
#define WEIGHHOUSE_LIBRARY_H

#include <weighhouse/format.h>

#ifdef __cplusplus
extern "C" {
#endif

/** The built-in formats, and room for more. The caller ends it with
 *  wh_library_free, which takes NULL, once no source that it opened is left. A
 *  library is not changed while other threads use it. */
WH_API enum wh_status wh_library_new(struct wh_library **library,
				     struct wh_error *err);
WH_API void wh_library_free(struct wh_library *library);

/** Adds a format after the others; the descriptor is borrowed. WH_EEXISTS if
 *  one has its name, or that is an alias; WH_EINVAL if the descriptor lacks
 *  what format.h says is mandatory. */
WH_API enum wh_status wh_library_add(struct wh_library *library,
				     const struct wh_format *format,
				     struct wh_error *err);

/** A library that this one was built with. */
struct wh_component {
	const char *name;
	const char *version; /* "": not in this build */
	const char *use;     /* what for: "the store" */
};
/** Ended by a NULL name. */
WH_API const struct wh_component *wh_components(void);

/* ---- Plug-ins ----------------------------------------------------------- */

/* Raised whenever a struct that formats see changes its layout. */
#define WH_PLUGIN_ABI 3u

struct wh_plugin {
	uint32_t abi;	     /* WH_PLUGIN_ABI of the headers it saw */
	const char *name;    /* for messages */
	const char *version; /* its own; or NULL */
	const struct wh_format *const *formats; /* NULL-terminated */
};

/** The one symbol that a plug-in, a shared object, defines:
 *
 *	const struct wh_plugin weighhouse_plugin = {
 *		.abi = WH_PLUGIN_ABI, .name = "gguf", .formats = formats};
 *
 *  Built by `cc -shared -fPIC plugin.c $(pkg-config --cflags weighhouse)`; its
 *  calls of wh_ functions are bound to the program that loads it. */
extern WH_API const struct wh_plugin weighhouse_plugin;

/** Loads the shared object at `path` (a name without `/` is looked for as
 *  dlopen does) and adds its formats: all, or none. Its code runs with the
 *  caller's rights: load only what you trust. It stays loaded until
 *  wh_library_free. WH_ENOTFOUND; WH_EINVAL if it is no plug-in;
 *  WH_EUNSUPPORTED if it was built for another WH_PLUGIN_ABI; as
 *  wh_library_add. */
WH_API enum wh_status wh_library_load(struct wh_library *library,
				      const char *path, struct wh_error *err);

#ifdef __cplusplus
}
#endif
#endif
