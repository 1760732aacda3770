/* apart/apart.h: an importer at work in a process apart.
 *
 * What opens a file of strangers with a library that may crash on it does so
 * in a child, which can do nothing but read that file. Here is a source that
 * asks the child for bytes; what comes from it is checked as a file would be.
 */
#ifndef WH_APART_APART_H
#define WH_APART_APART_H

#include <weighhouse/format.h>

/** Opens a checkpoint as wh_format.load does. Runs in the child; it calls
 *  apart_close_doors before it parses. */
typedef enum wh_status apart_load_fn(const char *path,
				     const struct wh_load_options *options,
				     struct wh_source **source,
				     struct wh_error *err);

/** Runs `load` in a child of this process, which ends with the source.
 *  `what` does the parsing, for messages: "libhdf5". Its memory is limited, and
 *  by the `size` of all files of the checkpoint its CPU time, until they are
 *  open; with WH_APART_LIMITED to the end.
 *  Errors are those of `load`; WH_ECORRUPT if it crashed. The source serves
 *  several threads, one at a time; it has no graph. */
enum wh_status apart_load(apart_load_fn *load, const char *what,
			  const char *path, uint64_t size,
			  const struct wh_load_options *options,
			  struct wh_source **source, struct wh_error *err);

/** In a child of apart_load: from now on it can open, make and send nothing.
 *  Does nothing elsewhere. */
void apart_close_doors(void);

#endif
