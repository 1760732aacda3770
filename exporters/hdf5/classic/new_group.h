/* hdf5/classic/new_group.h: a group while it is made. */
#ifndef WH_HDF5_CLASSIC_NEW_GROUP_H
#define WH_HDF5_CLASSIC_NEW_GROUP_H

#include "hdf5/classic/table.h"

/** A chunk of an object header. The one in front has the header's prefix. */
struct new_chunk {
	uint64_t address, size;
	uint8_t *bytes; /* malloc'd */
	/* Where the message lies that leads to it: in which chunk, and the
	 * offset of its data there. */
	uint32_t from;
	uint64_t from_offset;
};

struct classic_new_group {
	struct new_table table;
	struct new_chunk *chunks; /* malloc'd */
	uint32_t n_chunks;
	uint32_t n_messages;
	/* The message that says where the table lies. */
	uint32_t table_chunk;
	uint64_t table_offset; /* of its head */
};

/** write_header.c: makes the header and the message of the table, without the
 *  table's addresses. */
bool new_header_make(struct classic_writer *writer,
		     struct classic_new_group *group);

/** Adds an attribute of `size` bytes, which it returns for the caller to fill
 *  before the next one is added; NULL: declined. */
uint8_t *new_header_add(struct classic_writer *writer,
			struct classic_new_group *group, uint64_t size);

/** Keeps its bytes; the table's addresses are known. */
bool new_header_finish(struct classic_writer *writer,
		       struct classic_new_group *group);
void new_header_free(struct classic_new_group *group);

#endif
