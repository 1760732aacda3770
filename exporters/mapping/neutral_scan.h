/* mapping/neutral_scan.h: what a description's parts are read by.
 *
 * Values that can't be what they should be are the scan's problem, as wrong
 * JSON is: nobody has to ask after each of them.
 */
#ifndef WH_MAPPING_NEUTRAL_SCAN_H
#define WH_MAPPING_NEUTRAL_SCAN_H

#include "base/json_scan.h"

/** It is JSON, but not a description of these tensors. */
void neutral_misfit(struct scan *scan);

/** A text without NULs, in the arena. */
void neutral_text(struct scan *scan, struct arena *arena, const char **text);

/** A whole number; 0 if it is none. */
int64_t neutral_number(struct scan *scan);

/** An object whose `{` was taken. */
struct neutral_object {
	const char *const *fields; /* the keys that count; a NULL behind them */
	unsigned seen;		   /* of these, by bit */
	bool begun;
};

/** The next of its members that counts, as a place in `fields`; others are
 *  passed over. False at the end, and where one comes twice. */
bool neutral_field(struct scan *scan, struct neutral_object *object,
		   unsigned *field);

#endif
