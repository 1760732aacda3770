/* nearest.h: "did you mean": the known name that a mistyped one is nearest
 * to. Longer words may have more typos in them: one, and another for each
 * four bytes, at most three, and never all of its bytes. A swap of two
 * neighbours counts as one, and so does a whole part of a name with dashes:
 * "format" for "save-format". */
#ifndef WH_BASE_NEAREST_H
#define WH_BASE_NEAREST_H

#define NEAREST_SIZE 256

struct nearest {
	const char *wanted;
	unsigned distance;	 /* of `name` */
	char name[NEAREST_SIZE]; /* "" while none is near enough */
};

void nearest_begin(struct nearest *nearest, const char *wanted);
/** Remembers `known` if it is nearer than all before. */
void nearest_offer(struct nearest *nearest, const char *known);

#endif
