/* Callbacks follow the contract of H5FDpublic.h, as in sparse_fd.c. */
#include "hdf5/input_fd.h"

#include <errno.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/checked.h"

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
	char *at = buf;

	if (!range_fits(offset, len, input->size))
		return -1;
	while (len) {
		ssize_t got = pread(input->fd, at, len, (off_t)offset);

		if (got < 0 && errno == EINTR)
			continue;
		if (got <= 0)
			return got < 0 ? errno : -1;
		at += got;
		offset += (uint64_t)got;
		len -= (size_t)got;
	}
	return 0;
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

static herr_t read_input(H5FD_t *pub, H5FD_mem_t type, hid_t dxpl,
			 haddr_t address, size_t size, void *buffer)
{
	const struct input_file *input = ((struct input_driver *)pub)->input;

	(void)type, (void)dxpl;
	if (size > input->max_read)
		return -1;
	return input_read(input, address, buffer, size) ? -1 : 0;
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
	hid_t driver = H5FDregister(&input_class);
	herr_t done;

	if (driver < 0)
		return -1;
	done = H5Pset_driver(fapl, driver, &access);
	if (H5FDunregister(driver) < 0)
		return -1;
	return done;
}
