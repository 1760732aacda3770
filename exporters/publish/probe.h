/* publish/probe.h: what a place can do, tried on a small file of its own. */
#ifndef WH_PUBLISH_PROBE_H
#define WH_PUBLISH_PROBE_H

#include "publish/place.h"

enum probe_answer { PROBE_NO = 0, PROBE_YES, PROBE_UNTRIED };

typedef void probe_fn(void *arg, const char *check, enum probe_answer answer,
		      const char *detail);

/** Tries to look, write, read, read a part, write on a condition, and remove,
 *  and tells of each. The probe is removed also after a failure. The status of
 *  what a publication can't do without: looking, writing, reading. */
enum wh_status probe_run(struct place *place, probe_fn *fn, void *arg,
			 struct wh_error *err);

#endif
