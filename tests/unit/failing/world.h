/* world.h: a store with some history, as it was at each attempt, and the verbs
 * that are tried on it. */
#ifndef WH_TESTS_WORLD_H
#define WH_TESTS_WORLD_H

#include "failing.h"

struct world {
	char folder[64], path[128], other[160];
	void *bytes; /* of the store as each attempt finds it */
	size_t size;
	int64_t n_snapshots;
	struct wh_store *store;
	struct wh_source *source; /* a model that it lacks */
	struct wh_source *large;  /* one that is stored by threads */
	const struct verb *verb;  /* under way */
	bool forgets;		  /* it may take snapshots */
};

typedef enum wh_status verb_fn(struct world *w, struct wh_error *err);
struct verb {
	const char *name;
	verb_fn *run;
};

int set_up_world(void **state);
int tear_down_world(void **state);
#define with_world(test)                                                       \
	cmocka_unit_test_setup_teardown(test, set_up_world, tear_down_world)

/** Each with each of its calls failing once. */
void each_of(struct world *w, const struct verb *verbs, size_t n);

/** For attempts, whose arg is the world: the store as it was, opened; and that
 *  it is whole afterwards. */
void before_verb(void *arg);
void after_verb(void *arg, enum wh_status status);

void ok(enum wh_status status, struct wh_error *err);
/** For what tells what is damaged. */
int see_sentence(void *arg, const char *sentence);

#endif
