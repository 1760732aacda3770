/* hdf5/session.h: every use of libhdf5 happens between enter and leave.
 *
 * libhdf5 may be built without locks, prints errors on stderr, loads plug-ins
 * that files name, and aborts the process when the library at run time is not
 * the one of its headers. A session takes our mutex, compares the versions
 * first, silences and stops the rest, and puts all of it back.
 */
#ifndef WH_HDF5_SESSION_H
#define WH_HDF5_SESSION_H

#include "hdf5/late_hdf5.h"
#include "base/error.h"

struct h5_session {
	bool entered;
	H5E_auto2_t report;
	void *report_arg;
	unsigned plugins;
};

/** Begins a session; blocks until other threads' sessions have ended. Not
 *  recursive. WH_EUNSUPPORTED if libhdf5 can't be loaded, or is of another
 *  version than the one that this build was made for. */
enum wh_status h5_enter(struct h5_session *session, struct wh_error *err);

/** Ends it; a session that was not entered, or was left, is left alone. */
void h5_leave(struct h5_session *session);

/** struct h5_session h5_session_auto session = {0}; */
#define h5_session_auto __attribute__((cleanup(h5_leave)))

/** An identifier of any kind that is released at scope exit, inside the
 *  session: declare it after the session. Negative and 0: none. */
#define h5_auto __attribute__((cleanup(h5_release)))
void h5_release(const hid_t *id);

#endif
