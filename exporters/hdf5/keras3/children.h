/* hdf5/keras3/children.h: what is in a group of an unknown file. */
#ifndef WH_HDF5_KERAS3_CHILDREN_H
#define WH_HDF5_KERAS3_CHILDREN_H

#include <stdbool.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/error.h"
#include "hdf5/view.h"

struct keras3_child {
	const char *name;
	uint64_t address; /* of its header: later ones lie behind earlier ones,
			     but for those that fill a gap */
};

struct keras3_children {
	struct keras3_child *list; /* malloc'd */
	uint32_t n;
	size_t room;
};
void keras3_children_free(struct keras3_children *children);

/** Lists the group's links. WH_ECORRUPT for links that are not hard ones, for
 *  names that are none, and for more than `limit` of them. */
enum wh_status keras3_children_list(const struct h5_view *group, uint64_t limit,
				    struct arena *arena,
				    struct keras3_children *children,
				    struct wh_error *err);

/** How children are ordered. */
enum keras3_order {
	KERAS3_SLOTS = 0,  /* of a container: as they were made */
	KERAS3_ATTRIBUTES, /* of an object of Keras 3: `layers`, A-Z, _private
			    */
	KERAS3_REVERSED,   /* of one of tf-keras: Z-A */
	KERAS3_NUMBERS,	   /* of variables: "0", "1", "2", ..., "10" */
};
void keras3_children_sort(struct keras3_children *children,
			  enum keras3_order order);

#endif
