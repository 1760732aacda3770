/* hdf5/classic/table.h: symbol tables while they are made. */
#ifndef WH_HDF5_CLASSIC_TABLE_H
#define WH_HDF5_CLASSIC_TABLE_H

#include "hdf5/classic/writer.h"

#define TABLE_LEAF 8u  /* entries in a leaf: twice libhdf5's K of 4 */
#define TABLE_NODE 32u /* children of a node: twice its K of 16 */

/** An entry; `tree` and `heap` say where a group's own table lies (0: it is no
 *  group). */
struct table_entry {
	uint64_t name, header, tree, heap;
};

struct table_leaf {
	uint64_t address;
	uint32_t n;
	struct table_entry entries[TABLE_LEAF];
};

struct table_node {
	uint64_t address;
	struct table_node *left, *right;
	uint32_t level, n;
	uint64_t keys[TABLE_NODE + 1];
	void *children[TABLE_NODE]; /* nodes, or leaves at level 0 */
};

struct new_table {
	struct table_node *root;
	uint64_t tree, heap; /* addresses of the root and of the heap */
	/* The heap. */
	uint64_t data, size; /* of its segment */
	char *bytes;	     /* malloc'd */
	struct table_free {
		uint64_t offset, size;
	} frees[4]; /* in the order of the list */
	uint32_t n_frees;
	uint64_t touched; /* writer->made when it was used last */
};

bool table_make(struct classic_writer *writer, struct new_table *table);
bool table_add(struct classic_writer *writer, struct new_table *table,
	       const char *name, const struct table_entry *entry);
/** Keeps its bytes. */
bool table_finish(struct classic_writer *writer, const struct new_table *table);
void table_free(struct new_table *table);

#endif
