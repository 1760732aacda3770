/* hdf5/classic/strings.h: attributes of objects, those of strings above all. */
#ifndef WH_HDF5_CLASSIC_STRINGS_H
#define WH_HDF5_CLASSIC_STRINGS_H

#include "hdf5/classic/header.h"
#include "hdf5/classic/types.h"

struct classic_attribute {
	const char *name;
	struct classic_space space;
	bool is_string; /* else of another type that is known */
	struct classic_string string;
	const uint8_t *data;
};

/** Finds an attribute; `*found` says whether there is one. False unless all
 *  of the object's attributes are known: libhdf5 looks at those before it,
 *  too. */
bool classic_attribute_find(const struct classic_header *header,
			    const char *name, struct classic_attribute *found,
			    bool *exists);

/** String `index` of it, its bytes as they lie there, padding included; valid
 *  until the next call. A collection of strings is at most `max_heap` bytes. */
bool classic_attribute_string(struct classic_file *file,
			      const struct classic_attribute *attribute,
			      uint64_t index, uint64_t max_heap,
			      const char **bytes, size_t *length);

#endif
