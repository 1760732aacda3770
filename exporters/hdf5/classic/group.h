/* hdf5/classic/group.h: groups that are symbol tables. */
#ifndef WH_HDF5_CLASSIC_GROUP_H
#define WH_HDF5_CLASSIC_GROUP_H

#include "hdf5/classic/header.h"

struct classic_entry {
	const char *name;
	uint64_t address; /* of the object's header */
};

struct classic_group {
	unsigned references;
	uint64_t address; /* of its own header */
	struct classic_header header;
	char *names;		       /* the local heap */
	struct classic_entry *entries; /* ascending by name, no two alike */
	uint32_t n_entries;
	size_t room;
};

/** Opens the group whose header is at `address`. All of its links are listed
 *  and found to be hard ones. NULL: declined. The caller closes it. */
struct classic_group *classic_group_open(struct classic_file *file,
					 uint64_t address);

/** Takes NULL. */
void classic_group_close(struct classic_group *group);

/** The entry of that name, or NULL. */
const struct classic_entry *
classic_group_find(const struct classic_group *group, const char *name);

/** The group (object) that the plain path `path` of at most WH_MAX_NAME bytes
 *  means below `group`. */
struct classic_group *classic_path_group(struct classic_file *file,
					 struct classic_group *group,
					 const char *path);
bool classic_path_object(struct classic_file *file, struct classic_group *group,
			 const char *path, uint64_t *address);

#endif
