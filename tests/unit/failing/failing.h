/* failing.h: calls that fail, one after the other, in this very process.
 *
 * The programs of this folder are linked with --wrap, so that what the library
 * calls comes here: allocations, also those out of an arena, most of which have
 * room in its block, SQLite's steps, the system's calls on files, threads. What
 * other libraries call does not. An operation is tried with its
 * first call failing, then with its second one, until it has no more.
 */
#ifndef WH_TESTS_FAILING_H
#define WH_TESTS_FAILING_H

#include "support/store.h"

enum failing {
	FAIL_MEMORY,
	FAIL_ARENAS,
	FAIL_SQL,
	FAIL_FILES,
	FAIL_HDF5, /* after failing_hdf5() */
	N_FAILING
};

/** From here on the `n`th call (from 0) of this kind fails, once. */
void failing_begin(enum failing kind, unsigned n);
/** No longer. True: there was one. */
bool failing_end(void);

/** Whether this call fails; what the calls of `failing_hdf5.c` ask. */
bool failing_strikes(enum failing kind);
/** From here on calls of libhdf5 may fail, too. */
void failing_hdf5(void);
/** How many objects of it are open. */
unsigned failing_hdf5_open(void);

/** What is tried: `before` each attempt and `after` it, both unharmed; the
 *  attempt's status tells whether it succeeded. */
struct attempt {
	const char *name;
	enum wh_status (*run)(void *arg, struct wh_error *err);
	void (*before)(void *arg);
	void (*after)(void *arg, enum wh_status status);
	void *arg;
	/* Where memory runs out, that is what is told, not that a file is
	 * damaged. (A probe, which can't tell, takes it for no checkpoint.) */
	bool tells_memory;
};
/** Calls of every kind, spread over the operation, or all with WH_FAULT_ALL=1.
 *  An attempt that fails says why in one line. Returns how many calls failed:
 *  one at least. */
unsigned failing_each(const struct attempt *attempt);

#endif
