#include "hdf5/session.h"

#include <pthread.h>

static pthread_mutex_t turn = PTHREAD_MUTEX_INITIALIZER;

/* The macros of hdf5.h check versions too, but by abort(): this runs before
 * any of them. */
static enum wh_status compare_versions(struct wh_error *err)
{
	unsigned major, minor, release;

	if (H5get_libversion(&major, &minor, &release) < 0)
		return wh_fail(err, WH_EUNSUPPORTED, "libhdf5 does not start");
	if (major == H5_VERS_MAJOR && minor == H5_VERS_MINOR &&
	    release == H5_VERS_RELEASE)
		return WH_OK;
	return wh_fail(err, WH_EUNSUPPORTED,
		       "this build is for libhdf5 %d.%d.%d, but %u.%u.%u is "
		       "installed",
		       H5_VERS_MAJOR, H5_VERS_MINOR, H5_VERS_RELEASE, major,
		       minor, release);
}

enum wh_status h5_enter(struct h5_session *session, struct wh_error *err)
{
	enum wh_status status;

	WH_TRY(late_load(&late_hdf5, err));
	pthread_mutex_lock(&turn);
	status = compare_versions(err);
	if (status) {
		pthread_mutex_unlock(&turn);
		return status;
	}
	session->entered = true;
	H5Eget_auto2(H5E_DEFAULT, &session->report, &session->report_arg);
	H5Eset_auto2(H5E_DEFAULT, NULL, NULL);
	H5PLget_loading_state(&session->plugins);
	H5PLset_loading_state(0);
	return WH_OK;
}

void h5_leave(struct h5_session *session)
{
	if (!session->entered)
		return;
	session->entered = false;
	H5PLset_loading_state(session->plugins);
	H5Eclear2(H5E_DEFAULT);
	H5Eset_auto2(H5E_DEFAULT, session->report, session->report_arg);
	pthread_mutex_unlock(&turn);
}

void h5_release(const hid_t *id)
{
	if (*id > 0)
		H5Idec_ref(*id);
}
