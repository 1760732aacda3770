/* hdf5/name_list.h: names out of attributes, however those are read. */
#ifndef WH_HDF5_NAME_LIST_H
#define WH_HDF5_NAME_LIST_H

#include "base/arena.h"
#include "base/error.h"
#include <stdint.h>

#define NAME_LIST_MAX	1000000u
#define NAME_LIST_PARTS 4096u /* attributes that one list is split into */
#define NAME_LIST_FIXED (UINT64_C(16) << 20) /* bytes, if of fixed length */
#define TEXT_MAX	(UINT64_C(16) << 20)

/** Names of one attribute after another, in an arena. A zeroed one is empty. */
struct name_list {
	const char **names;
	uint32_t n, capacity;
};

/** Makes room for `extra` names behind the list's `n`, which stays.
 *  WH_ECORRUPT beyond NAME_LIST_MAX. */
enum wh_status name_list_reserve(struct name_list *list, uint64_t extra,
				 struct arena *arena, struct wh_error *err);

/** A copy of a name that is one: WH_EUNSUPPORTED if it is longer than
 *  WH_MAX_NAME, WH_ECORRUPT if it has a zero byte. */
enum wh_status name_make(struct arena *arena, const char *attribute,
			 const char *bytes, size_t len, const char **name,
			 struct wh_error *err);

/** The length of a fixed-length string without what pads it (0: it ends with
 *  a NUL, 1: NULs, 2: blanks, as in H5T_str_t and in files). */
size_t string_trim(const char *bytes, size_t size, int padding);

/** The largest collection of strings that is read for one of `n` strings. */
uint64_t string_heap_limit(uint64_t n);

#endif
