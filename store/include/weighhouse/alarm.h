/* alarm.h: what looks wrong in a model that is being committed. */
#ifndef WEIGHHOUSE_ALARM_H
#define WEIGHHOUSE_ALARM_H

#include <weighhouse/error.h>

#include <stdbool.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

/** Each is told against the snapshot that the new one is to follow. */
enum wh_alarm_kind {
	WH_ALARM_NAN = 0, /* a tensor has NaN, and had none, or is to be
			     committed strictly */
	WH_ALARM_INF,	  /* infinities, and had none */
	WH_ALARM_NORM,	  /* a weight's L2 norm is above 1, and so many times
			     what it was */
	/* Where at least half of the layers are there: else it is another
	 * model. */
	WH_ALARM_SHAPE,	  /* another shape */
	WH_ALARM_DTYPE,	  /* another dtype */
	WH_ALARM_MISSING, /* a layer with weights is gone, and no new one of
			     its class, its shapes and dtypes stands for it;
			     where classes aren't known, of its name but for a
			     number at the end: "dense_3" for "dense_1" */
	WH_ALARM_STUCK,	  /* a layer that isn't known to be frozen has not
			     changed for so many snapshots */
};

/** "nan", "inf", "norm", "shape", "dtype", "missing", "stuck"; NULL if
 *  there is no such. */
WH_API const char *wh_alarm_name(enum wh_alarm_kind kind);

/** Strings live as long as the callback runs. */
struct wh_alarm {
	enum wh_alarm_kind kind;
	const char *layer;
	const char *weight; /* "" where it is about the layer */
	/* How many NaN or infinities, how many times the norm, how many
	 * snapshots; else 0. */
	double value;
	const char *sentence;
};
typedef void wh_alarm_fn(void *arg, const struct wh_alarm *alarm);

/** A zeroed struct means the store's settings: "alarms" (off, warn, strict;
 *  warn without it), "alarms.norm" and "alarms.stuck". Statistics are known
 *  from weighing and from the store: no payload is read for alarms, but for
 *  what is committed where the store's were dropped. Where the parent's were,
 *  its norms are unknown, and all NaN and infinities are told as new. `fn` may
 *  take its time: the commit goes on when all are told, and others write to the
 *  store meanwhile. */
struct wh_alarm_options {
	bool off;      /* look for none */
	bool strict;   /* WH_EALARM where there is one: nothing is committed */
	double norm;   /* times; negative: any; 0: the setting, else 100 */
	int64_t stuck; /* snapshots; negative: any; 0: the setting, else any */
	wh_alarm_fn *fn; /* is told of each; may be NULL */
	void *arg;	 /* of fn */
};

#ifdef __cplusplus
}
#endif
#endif
