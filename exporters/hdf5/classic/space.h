/* hdf5/classic/space.h: where in a file libhdf5 puts what is made, in order.
 *
 * Not part of the format: any places would do for readers. But Keras's bytes
 * are those that libhdf5 chooses, so the choices are made here as it makes
 * them, from 1.10 to 1.14, with its default properties:
 *
 *  - Metadata and raw data (which global heaps count as) each have a block of
 *    2,048 bytes that small requests are taken from. If the file ends with the
 *    block it grows in place; else a new block is made at the end, and what
 *    was left of the old one is free space.
 *  - Free space is kept by kind. The smallest range that fits is taken, of
 *    those the first in the file. Neighbours merge; what lies at the end
 *    shortens the file; what touches the kind's block goes into it, or takes
 *    it in if both have 2,048 bytes.
 */
#ifndef WH_HDF5_CLASSIC_SPACE_H
#define WH_HDF5_CLASSIC_SPACE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum space_kind { SPACE_META = 0, SPACE_RAW, SPACE_KINDS };

/** Free ranges of one kind, by address, and their addresses by size. */
struct space_list {
	bool started;
	struct space_range {
		uint64_t address, size;
	} * ranges;
	size_t n, room;
	struct space_bin {
		uint64_t *addresses;
		uint32_t n;
		size_t room;
	} * bins;
	uint64_t *used;	   /* bits: bins that are not empty */
	uint64_t words[2]; /* bits: words of `used` that are not 0 */
	size_t n_large;	   /* ranges that are too large for bins */
};

struct space {
	uint64_t end; /* of the file */
	struct space_block {
		uint64_t address, size; /* of what is left of it */
		uint64_t total;		/* of all that it ever had */
	} blocks[SPACE_KINDS];
	struct space_list lists[SPACE_KINDS];
	bool failed; /* out of memory */
};

void space_free(struct space *space);

/** The address of `size` (not 0) new bytes. */
uint64_t space_take(struct space *space, enum space_kind kind, uint64_t size);

/** Gives bytes back. */
void space_give(struct space *space, enum space_kind kind, uint64_t address,
		uint64_t size);

/** Makes `size` bytes at `address` longer by `extra`, if they can be. */
bool space_extend(struct space *space, enum space_kind kind, uint64_t address,
		  uint64_t size, uint64_t extra);

/** Ends: gives back the blocks; `end` is the file's size then. */
void space_close(struct space *space);

#endif
