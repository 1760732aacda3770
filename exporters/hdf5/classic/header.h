/* hdf5/classic/header.h: object headers of version 1, as lists of messages. */
#ifndef WH_HDF5_CLASSIC_HEADER_H
#define WH_HDF5_CLASSIC_HEADER_H

#include "hdf5/classic/file.h"
#include <weighhouse/tensor.h>

/** Types of messages (IV.A.2). */
enum classic_message_type {
	CLASSIC_NIL = 0x00,
	CLASSIC_DATASPACE = 0x01,
	CLASSIC_DATATYPE = 0x03,
	CLASSIC_FILL = 0x05,
	CLASSIC_LAYOUT = 0x08,
	CLASSIC_ATTRIBUTE = 0x0c,
	CLASSIC_CONTINUATION = 0x10,
	CLASSIC_SYMBOL_TABLE = 0x11,
	CLASSIC_MODIFIED = 0x12,
};

struct classic_message {
	enum classic_message_type type;
	uint32_t size;
	uint64_t offset; /* of its data, in bytes of the header */
};

struct classic_header {
	uint8_t *bytes; /* of all chunks, one behind the other */
	uint64_t size;
	struct classic_message *messages; /* none of CLASSIC_NIL, nor
					     CLASSIC_CONTINUATION */
	uint32_t n_messages;
};

/** Reads the header at `address` with its continuations. */
bool classic_header_read(struct classic_file *file, uint64_t address,
			 struct classic_header *header);

/** Also after a failed read. */
void classic_header_free(struct classic_header *header);

/** The data of the one message of that type; NULL unless there is one. */
const uint8_t *classic_header_find(const struct classic_header *header,
				   enum classic_message_type type,
				   size_t *size);

/** How many messages of that type there are. */
uint32_t classic_header_count(const struct classic_header *header,
			      enum classic_message_type type);

/** A dataspace of version 1 that has a shape or is a scalar (IV.A.2.b). */
struct classic_space {
	uint32_t rank;
	uint64_t dims[WH_MAX_RANK];
	uint64_t n; /* elements */
};
bool classic_space_decode(const uint8_t *bytes, size_t size,
			  struct classic_space *space);

#endif
