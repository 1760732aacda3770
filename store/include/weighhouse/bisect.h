/* bisect.h: which snapshot broke it. */
#ifndef WEIGHHOUSE_BISECT_H
#define WEIGHHOUSE_BISECT_H

#include <weighhouse/store.h>

#ifdef __cplusplus
extern "C" {
#endif

enum wh_verdict { WH_GOOD = 0, WH_BAD, WH_SKIP };

/** "good", "bad", "skip"; NULL if there is no such. */
WH_API const char *wh_verdict_name(enum wh_verdict verdict);

enum wh_bisect_phase {
	WH_BISECT_WAITS = 0, /* for a bad one and a good one before it */
	WH_BISECT_TESTS,     /* `candidate` is to be judged */
	WH_BISECT_FOUND,     /* `bad` is the first bad one */
	WH_BISECT_SKIPPED,   /* only skipped ones are left before `bad` */
};

/** What verdicts leave between the oldest bad snapshot and the newest good one
 *  of its ancestors. Forgotten snapshots count as skipped. */
struct wh_bisect {
	enum wh_bisect_phase phase;
	char good[WH_ID_SIZE], bad[WH_ID_SIZE]; /* "" while there is none */
	char candidate[WH_ID_SIZE];		/* "" unless it TESTS */
	uint64_t n_left;  /* snapshots between the two, skipped ones too */
	unsigned n_steps; /* tests that it may still take */
};

/** The bisection under way, which is part of the store; neither HEAD nor a
 *  branch moves. */
WH_API enum wh_status wh_bisect_state(struct wh_store *store,
				      struct wh_bisect *bisect,
				      struct wh_error *err);

/** Judges what `revision` means. WH_EINVAL where the good one is no ancestor
 *  of the bad one, or two bad ones are not on one line: the verdict is not
 *  kept; or for a verdict that there isn't. */
WH_API enum wh_status wh_bisect_judge(struct wh_store *store,
				      const char *revision,
				      enum wh_verdict verdict,
				      struct wh_bisect *bisect,
				      struct wh_error *err);

/** Forgets all verdicts. */
WH_API enum wh_status wh_bisect_reset(struct wh_store *store,
				      struct wh_error *err);

/** Verdicts, the oldest snapshot's first; nonzero stops. */
typedef int wh_verdict_fn(void *arg, const char *snapshot,
			  enum wh_verdict verdict);
WH_API enum wh_status wh_bisect_list(struct wh_store *store, wh_verdict_fn *fn,
				     void *arg, struct wh_error *err);

#ifdef __cplusplus
}
#endif
#endif
