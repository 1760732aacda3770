/* Callbacks follow the contract of H5FDpublic.h, as in sparse_fd.c. */
#include "hdf5/input_fd.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/checked.h"
#include "base/endian.h"
#include "base/reader.h"

#define MAX_ADDRESS (((haddr_t)1 << 62) - 1)

struct input_driver {
	H5FD_t pub; /* first: libhdf5's own part */
	struct input_file *input;
	haddr_t eoa;
};

/* What the access list carries. */
struct input_access {
	struct input_file *input;
};

int input_read(const struct input_file *input, uint64_t offset, void *buf,
	       size_t len)
{
	ssize_t got;

	if (!range_fits(offset, len, input->size))
		return -1;
	got = read_at(input->fd, input->base + offset, buf, len);
	if (got < 0)
		return errno;
	return (size_t)got == len ? 0 : -1;
}

static H5FD_t *open_input(const char *name, unsigned flags, hid_t fapl,
			  haddr_t max_address)
{
	const struct input_access *access = H5Pget_driver_info(fapl);
	struct input_driver *driver;

	(void)name, (void)max_address;
	if (!access || (flags & H5F_ACC_RDWR))
		return NULL;
	driver = calloc(1, sizeof(*driver));
	if (!driver)
		return NULL;
	driver->input = access->input;
	return &driver->pub;
}

static herr_t close_input(H5FD_t *pub)
{
	free(pub);
	return 0;
}

/* No two files are the same one, so libhdf5 shares nothing between them. */
static int compare_inputs(const H5FD_t *a, const H5FD_t *b)
{
	return a == b ? 0 : (uintptr_t)a < (uintptr_t)b ? -1 : 1;
}

static herr_t query_input(const H5FD_t *pub, unsigned long *flags)
{
	(void)pub;
	*flags = H5FD_FEAT_ACCUMULATE_METADATA | H5FD_FEAT_DATA_SIEVE |
		 H5FD_FEAT_DEFAULT_VFD_COMPATIBLE;
	return 0;
}

static haddr_t get_eoa(const H5FD_t *pub, H5FD_mem_t type)
{
	(void)type;
	return ((const struct input_driver *)pub)->eoa;
}

static herr_t set_eoa(H5FD_t *pub, H5FD_mem_t type, haddr_t address)
{
	(void)type;
	((struct input_driver *)pub)->eoa = address;
	return 0;
}

static haddr_t get_eof(const H5FD_t *pub, H5FD_mem_t type)
{
	(void)type;
	return ((const struct input_driver *)pub)->input->size;
}

/* libhdf5 1.10 walks the objects of a global heap by the sizes that the file
 * gives, for ever where one of them is 0 or wraps around. Layout of a
 * collection ("Global Heap", HDF5 File Format Specification, III.E): "GCOL",
 * version, 3 bytes, size(8); then objects: index(2), references(2), 4 bytes,
 * size(8), data padded to 8. Index 0 is the free space, its size with the
 * header. */
#define HEAP_HEADER   16u
#define OBJECT_HEADER 16u

static bool heap_is_walkable(const uint8_t *bytes, size_t len)
{
	uint64_t size, seen, at = HEAP_HEADER;

	if (len < HEAP_HEADER || memcmp(bytes, "GCOL", 4) != 0)
		return true; /* no heap */
	size = get_le64(bytes + 8);
	/* libhdf5 reads the first 4 KiB, then again all of a larger one. */
	seen = size < len ? size : len;
	while (at + OBJECT_HEADER <= seen) {
		const uint8_t *object = bytes + at;
		uint64_t need = get_le64(object + 8);

		if (need > size)
			return false;
		if (object[0] || object[1])
			need = OBJECT_HEADER + (need + 7) / 8 * 8;
		if (need < OBJECT_HEADER)
			return false;
		at += need;
	}
	return true;
}

static herr_t read_input(H5FD_t *pub, H5FD_mem_t type, hid_t dxpl,
			 haddr_t address, size_t size, void *buffer)
{
	const struct input_file *input = ((struct input_driver *)pub)->input;

	(void)type, (void)dxpl;
	if (size > input->max_read)
		return -1;
	if (input_read(input, address, buffer, size))
		return -1;
	return heap_is_walkable(buffer, size) ? 0 : -1;
}

static herr_t write_input(H5FD_t *pub, H5FD_mem_t type, hid_t dxpl,
			  haddr_t address, size_t size, const void *buffer)
{
	(void)pub, (void)type, (void)dxpl;
	(void)address, (void)size, (void)buffer;
	return -1;
}

static const H5FD_class_t input_class = {
	.name = "weighhouse_input",
	.maxaddr = MAX_ADDRESS,
	.fc_degree = H5F_CLOSE_STRONG,
	.fapl_size = sizeof(struct input_access),
	.open = open_input,
	.close = close_input,
	.cmp = compare_inputs,
	.query = query_input,
	.get_eoa = get_eoa,
	.set_eoa = set_eoa,
	.get_eof = get_eof,
	.read = read_input,
	.write = write_input,
	.fl_map = H5FD_FLMAP_DICHOTOMY,
};

herr_t input_fd_use(hid_t fapl, struct input_file *input)
{
	struct input_access access = {.input = input};

	input->driver = H5FDregister(&input_class);
	if (input->driver < 0)
		return -1;
	return H5Pset_driver(fapl, input->driver, &access);
}

void input_fd_drop(struct input_file *input)
{
	if (input->driver > 0)
		H5FDunregister(input->driver);
	input->driver = 0;
}
