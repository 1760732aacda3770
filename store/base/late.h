/* base/late.h: libraries that are loaded when they are first needed.
 *
 * libhdf5 and libcurl bring thirty others along. Linking all of them takes
 * three quarters of the time of a short command, which needs none. So the
 * build leaves them out, and whoever calls one loads it first.
 * tools/late_library.py makes its header (late_hdf5.h): there each function
 * that is used is a pointer which late_load sets, of the function's own type
 * and under its own name.
 *
 * A library is found as the dynamic linker would find it at the start: by the
 * soname of the one that the build was made with, never in the current folder.
 */
#ifndef WH_BASE_LATE_H
#define WH_BASE_LATE_H

#include <stdatomic.h>
#include <stdbool.h>

#include "base/error.h"

struct late_symbol {
	const char *name;
	void *pointer; /* to the pointer that is set, of whatever type */
};

struct late_library {
	const char *soname; /* NULL: the build links it, there is no need */
	const struct late_symbol *symbols; /* ends with a NULL name */
	atomic_bool loaded;
};

/** Loads it, unless it is loaded; it stays for good. Any thread, before it
 *  uses a name of the library. WH_EUNSUPPORTED, saying why, if the library is
 *  not there, or lacks a name; another call tries again. */
enum wh_status late_load(struct late_library *library, struct wh_error *err);

#endif
