/* mapping/scope.h: object paths inside one layer that has a scope of its own,
 * by the components of its weights' names. */
#ifndef WH_MAPPING_SCOPE_H
#define WH_MAPPING_SCOPE_H

#include "mapping/paths.h"

/** One weight: what is left of its name below the object's scope, and where
 *  its path goes. */
struct scoped {
	const char *rest;  /* "lstm_cell/kernel" */
	const char **path; /* receives "cell/kernel" */
	const char *name;  /* the whole name, for messages */
};

/** What a scope's names show but don't decide. */
enum scope_verdict {
	SCOPE_DECIDED = 0,
	SCOPE_CELLS,   /* several RNN cells, in an order that is not known */
	SCOPE_UNKNOWN, /* sub-objects of no layer that Keras brings */
	SCOPE_MEMORY,
};

/** Fills all paths, each starting with `prefix` ("" or ending in `/`). */
enum scope_verdict scope_resolve(struct scoped *weights, uint32_t n,
				 const char *prefix,
				 const struct config_layer *config,
				 struct arena *arena);

#endif
