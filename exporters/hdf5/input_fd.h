/* hdf5/input_fd.h: a read-only libhdf5 file driver over an open descriptor.
 *
 * Unlike libhdf5's own it never opens a path, so that what is read is what was
 * opened, takes no file lock, so that read-only media work, and bounds single
 * reads, so that a file's numbers can't make libhdf5 allocate much.
 */
#ifndef WH_HDF5_INPUT_FD_H
#define WH_HDF5_INPUT_FD_H

#include <stdbool.h>
#include <stdint.h>

#include "hdf5/late_hdf5.h"

/** Brings `len` bytes from `offset` to where they are read from; false if it
 *  can't. */
typedef bool input_fetch_fn(void *arg, uint64_t offset, size_t len);

struct input_file {
	int fd;
	uint64_t base; /* where in it the file begins: 0, or in an archive */
	uint64_t size; /* of the file when it was opened */
	uint64_t max_read;     /* bytes: larger single reads fail */
	hid_t driver;	       /* registered from use to drop, else 0 */
	input_fetch_fn *fetch; /* classic/ asks it before it reads; or NULL */
	void *fetch_arg;
};

/** Makes files that are opened by this access list read from `input`, which
 *  must outlive them. Negative on failure. */
herr_t input_fd_use(hid_t fapl, struct input_file *input);

/** To be called when those files are closed: until then the driver must stay
 *  registered, for libhdf5 1.10 lets go of it before it calls its close. */
void input_fd_drop(struct input_file *input);

/** All `len` bytes from `offset`; 0, an errno, or -1 at the file's end. */
int input_read(const struct input_file *input, uint64_t offset, void *buf,
	       size_t len);

#endif
