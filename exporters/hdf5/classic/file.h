/* hdf5/classic/file.h: HDF5 files in the format of HDF5 1.0 to 1.6, which
 * h5py and Keras still write, read without libhdf5.
 *
 * This reader knows what Keras's files are made of and takes nothing for
 * granted. What it doesn't know, or finds odd, it declines (functions return
 * false): the file is then left to libhdf5, whose word counts. What it does
 * read means the same to libhdf5. What no file can mean (an address beyond the
 * end, another signature than that of what must be there) is damage: libhdf5
 * 1.10 crashes on some of it, and never gets to see it. Section numbers in this
 * folder are those of the "HDF5 File Format Specification 3.0".
 */
#ifndef WH_HDF5_CLASSIC_FILE_H
#define WH_HDF5_CLASSIC_FILE_H

#include <stdbool.h>

#include "hdf5/input_fd.h"

#define CLASSIC_NOWHERE UINT64_MAX /* an address of nothing */

struct classic_group;
struct classic_pages;

/** The strings of a global heap collection, the one that was used last. */
struct classic_heap {
	uint64_t address, size;
	uint8_t *bytes;
	uint32_t *offset_of; /* by index; 0: no such object */
	uint32_t n;
};

struct classic_file {
	const struct input_file *input;
	uint64_t end;		       /* addresses are below it */
	uint32_t leaf_k, node_k;       /* half the places in leaves and nodes */
	uint64_t root;		       /* the address of its object header */
	uint64_t root_tree, root_heap; /* or CLASSIC_NOWHERE: not said */
	struct classic_pages *pages;
	struct classic_heap heap;
	struct classic_group *last; /* the one that was opened last */
	uint64_t budget;	    /* bytes that may still be looked at */
	const char *damage; /* what can't be in any sound file; or NULL */
	bool unsure;	    /* a question could not be answered (view.h) */
};

/** Reads the superblock; `input` must outlive the file. */
bool classic_file_open(struct classic_file *file,
		       const struct input_file *input);

/** Also after a failed open. All groups must have been closed. */
void classic_file_close(struct classic_file *file);

/** False; notes what is damaged, unless something was before. */
bool classic_damaged(struct classic_file *file, const char *what);

/** Whether `n` more bytes may be looked at: so that the time stays in
 *  proportion to the file, whatever refers to the same bytes how often. */
bool classic_spend(struct classic_file *file, uint64_t n);

/** Exactly `len` bytes, within the file's end, through pages that are kept. */
bool classic_read(struct classic_file *file, uint64_t offset, void *buf,
		  size_t len);

#endif
