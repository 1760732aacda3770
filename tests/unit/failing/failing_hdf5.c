/* Calls of libhdf5 that fail. They go through pointers, which are set when it
 * is loaded (base/late.h); where it is linked (-Dlate=disabled) none fails.
 * Those that answer a question, as H5Lexists, and those that release, are left
 * alone: a no is no failure, and libhdf5 itself would lose what isn't released.
 */
#include "hdf5/session.h"

#include "failing.h"

unsigned failing_hdf5_open(void)
{
	return (unsigned)H5Fget_obj_count((hid_t)H5F_OBJ_ALL, H5F_OBJ_ALL);
}

#ifdef H5Tcopy /* is a pointer */

#define FAILS(type, name, parameters, arguments)                               \
	static __typeof__(late_##name) real_##name;                            \
	static type fail_##name parameters                                     \
	{                                                                      \
		return failing_strikes(FAIL_HDF5) ? -1                         \
						  : real_##name arguments;     \
	}
#define TAKE(name)                                                             \
	do {                                                                   \
		real_##name = late_##name;                                     \
		late_##name = fail_##name;                                     \
	} while (0)

FAILS(hid_t, H5Acreate2,
      (hid_t at, const char *name, hid_t type, hid_t space, hid_t how,
       hid_t access),
      (at, name, type, space, how, access))
FAILS(hid_t, H5Aopen, (hid_t at, const char *name, hid_t how), (at, name, how))
FAILS(herr_t, H5Aread, (hid_t from, hid_t type, void *to), (from, type, to))
FAILS(herr_t, H5Awrite, (hid_t to, hid_t type, const void *from),
      (to, type, from))
FAILS(hid_t, H5Dcreate2,
      (hid_t at, const char *name, hid_t type, hid_t space, hid_t links,
       hid_t how, hid_t access),
      (at, name, type, space, links, how, access))
FAILS(hid_t, H5Dcreate_anon,
      (hid_t at, hid_t type, hid_t space, hid_t how, hid_t access),
      (at, type, space, how, access))
FAILS(hid_t, H5Dget_type, (hid_t from), (from))
FAILS(hid_t, H5Dopen2, (hid_t at, const char *name, hid_t how), (at, name, how))
FAILS(herr_t, H5Dread,
      (hid_t from, hid_t type, hid_t memory, hid_t file, hid_t how, void *to),
      (from, type, memory, file, how, to))
FAILS(herr_t, H5Dread_chunk,
      (hid_t from, hid_t how, const hsize_t *at, uint32_t *mask, void *to),
      (from, how, at, mask, to))
FAILS(herr_t, H5Dwrite,
      (hid_t to, hid_t type, hid_t memory, hid_t file, hid_t how,
       const void *from),
      (to, type, memory, file, how, from))
FAILS(hid_t, H5Fcreate,
      (const char *name, unsigned flags, hid_t how, hid_t access),
      (name, flags, how, access))
FAILS(hid_t, H5Fopen, (const char *name, unsigned flags, hid_t how),
      (name, flags, how))
FAILS(hid_t, H5Gcreate2,
      (hid_t at, const char *name, hid_t links, hid_t how, hid_t access),
      (at, name, links, how, access))
FAILS(hid_t, H5Gopen2, (hid_t at, const char *name, hid_t how), (at, name, how))
FAILS(hid_t, H5Oopen, (hid_t at, const char *name, hid_t how), (at, name, how))
FAILS(herr_t, H5Olink,
      (hid_t object, hid_t at, const char *name, hid_t links, hid_t access),
      (object, at, name, links, access))
FAILS(hid_t, H5Pcreate, (hid_t kind), (kind))
FAILS(herr_t, H5Pset_chunk_cache,
      (hid_t to, size_t places, size_t size, double weight),
      (to, places, size, weight))
FAILS(herr_t, H5Pset_driver, (hid_t to, hid_t driver, const void *access),
      (to, driver, access))
FAILS(herr_t, H5Pset_obj_track_times, (hid_t to, hbool_t yes), (to, yes))
FAILS(hid_t, H5Screate_simple,
      (int rank, const hsize_t *dims, const hsize_t *most), (rank, dims, most))
FAILS(herr_t, H5Sselect_hyperslab,
      (hid_t space, H5S_seloper_t how, const hsize_t *start,
       const hsize_t *stride, const hsize_t *count, const hsize_t *block),
      (space, how, start, stride, count, block))
FAILS(hid_t, H5Tcopy, (hid_t type), (type))
FAILS(hid_t, H5Tcreate, (H5T_class_t kind, size_t size), (kind, size))
FAILS(hid_t, H5Tenum_create, (hid_t base), (base))
FAILS(herr_t, H5Tenum_insert, (hid_t to, const char *name, const void *value),
      (to, name, value))
FAILS(herr_t, H5Tinsert, (hid_t to, const char *name, size_t at, hid_t type),
      (to, name, at, type))
FAILS(herr_t, H5Tset_size, (hid_t to, size_t size), (to, size))
FAILS(herr_t, H5Tset_tag, (hid_t to, const char *tag), (to, tag))

void failing_hdf5(void)
{
	struct wh_error err;
	h5_session_auto struct h5_session session = {0};

	/* Where reading an object's header fails, libhdf5 1.10 loses what it
	 * has allocated (in H5G_mkroot and H5O__open_by_loc), and finds no end
	 * of freeing it when it is closed. */
	H5dont_atexit();
	if (h5_enter(&session, &err))
		fail_msg("%s", err.message);
	TAKE(H5Acreate2);
	TAKE(H5Aopen);
	TAKE(H5Aread);
	TAKE(H5Awrite);
	TAKE(H5Dcreate2);
	TAKE(H5Dcreate_anon);
	TAKE(H5Dget_type);
	TAKE(H5Dopen2);
	TAKE(H5Dread);
	TAKE(H5Dread_chunk);
	TAKE(H5Dwrite);
	TAKE(H5Fcreate);
	TAKE(H5Fopen);
	TAKE(H5Gcreate2);
	TAKE(H5Gopen2);
	TAKE(H5Oopen);
	TAKE(H5Olink);
	TAKE(H5Pcreate);
	TAKE(H5Pset_chunk_cache);
	TAKE(H5Pset_driver);
	TAKE(H5Pset_obj_track_times);
	TAKE(H5Screate_simple);
	TAKE(H5Sselect_hyperslab);
	TAKE(H5Tcopy);
	TAKE(H5Tcreate);
	TAKE(H5Tenum_create);
	TAKE(H5Tenum_insert);
	TAKE(H5Tinsert);
	TAKE(H5Tset_size);
	TAKE(H5Tset_tag);
}

#else

void failing_hdf5(void)
{
}

#endif
