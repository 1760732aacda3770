/* library.h: how the registry keeps a library. */
#ifndef WH_LIBRARY_INTERNAL_H
#define WH_LIBRARY_INTERNAL_H

#include <weighhouse/library.h>

struct wh_library {
	const struct wh_format **formats; /* NULL-terminated; malloc'd */
	size_t n_formats;
	void **objects; /* of dlopen */
	size_t n_objects;
};

#endif
