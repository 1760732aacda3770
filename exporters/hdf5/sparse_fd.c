/* The driver's callbacks follow the contract of H5FDpublic.h. Its feature
 * flags are those of libhdf5's own sec2 driver, since they decide how space is
 * handed out, and so every address in the file; bar POSIX_COMPAT_HANDLE and
 * SWMR, which concern descriptors. The free-list map is sec2's too.
 */
#include "hdf5/sparse_fd.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#define MAX_ADDRESS  (((haddr_t)1 << 62) - 1)
#define FIRST_PLACES 64u /* a power of two */

struct sparse_file {
	H5FD_t pub; /* first: libhdf5's own part */
	struct sparse_image *image;
	haddr_t eoa;
};

/* What the access list carries. */
struct sparse_access {
	struct sparse_image *image;
};

void sparse_image_free(struct sparse_image *image)
{
	size_t i;

	for (i = 0; i < image->n_places; i++)
		free(image->pages[i].bytes);
	free(image->pages);
	*image = (struct sparse_image){0};
}

/* The place of a page, or the free one where it would go. */
static struct sparse_page *find_place(struct sparse_page *pages,
				      size_t n_places, uint64_t number)
{
	size_t at = (size_t)(number * UINT64_C(0x9E3779B97F4A7C15) >> 20);

	while (pages[at & (n_places - 1)].bytes &&
	       pages[at & (n_places - 1)].number != number)
		at++;
	return &pages[at & (n_places - 1)];
}

static bool grow_places(struct sparse_image *image)
{
	size_t i, n = image->n_places ? image->n_places * 2 : FIRST_PLACES;
	struct sparse_page *pages;

	if (image->n_pages * 2 < image->n_places)
		return true;
	pages = calloc(n, sizeof(*pages));
	if (!pages)
		return false;
	for (i = 0; i < image->n_places; i++)
		if (image->pages[i].bytes)
			*find_place(pages, n, image->pages[i].number) =
				image->pages[i];
	free(image->pages);
	image->pages = pages;
	image->n_places = n;
	return true;
}

static uint8_t *page_for_writing(struct sparse_image *image, uint64_t number)
{
	struct sparse_page *page;

	if (!grow_places(image))
		return NULL;
	page = find_place(image->pages, image->n_places, number);
	if (page->bytes)
		return page->bytes;
	page->bytes = calloc(1, SPARSE_PAGE);
	if (!page->bytes)
		return NULL;
	page->number = number;
	image->n_pages++;
	return page->bytes;
}

void sparse_image_read(const struct sparse_image *image, uint64_t offset,
		       void *buf, size_t len)
{
	uint8_t *out = buf;

	while (len) {
		size_t within = (size_t)(offset % SPARSE_PAGE);
		size_t some = SPARSE_PAGE - within;
		const struct sparse_page *page = NULL;

		if (some > len)
			some = len;
		if (image->n_places)
			page = find_place(image->pages, image->n_places,
					  offset / SPARSE_PAGE);
		if (page && page->bytes)
			memcpy(out, page->bytes + within, some);
		else
			memset(out, 0, some);
		out += some;
		offset += some;
		len -= some;
	}
}

static bool write_pages(struct sparse_image *image, uint64_t offset,
			const void *bytes, size_t len)
{
	const uint8_t *from = bytes;

	while (len) {
		size_t within = (size_t)(offset % SPARSE_PAGE);
		size_t some = SPARSE_PAGE - within;
		uint8_t *page = page_for_writing(image, offset / SPARSE_PAGE);

		if (!page)
			return false;
		if (some > len)
			some = len;
		memcpy(page + within, from, some);
		from += some;
		offset += some;
		len -= some;
	}
	return true;
}

static H5FD_t *open_sparse(const char *name, unsigned flags, hid_t fapl,
			   haddr_t max_address)
{
	const struct sparse_access *access = H5Pget_driver_info(fapl);
	struct sparse_file *file;

	(void)name, (void)flags, (void)max_address;
	if (!access)
		return NULL;
	file = calloc(1, sizeof(*file));
	if (!file)
		return NULL;
	file->image = access->image;
	return &file->pub;
}

static herr_t close_sparse(H5FD_t *pub)
{
	free(pub);
	return 0;
}

/* No two files are the same one. */
static int compare_sparse(const H5FD_t *a, const H5FD_t *b)
{
	return a == b ? 0 : (uintptr_t)a < (uintptr_t)b ? -1 : 1;
}

static herr_t query_sparse(const H5FD_t *pub, unsigned long *flags)
{
	(void)pub;
	*flags = H5FD_FEAT_AGGREGATE_METADATA | H5FD_FEAT_ACCUMULATE_METADATA |
		 H5FD_FEAT_DATA_SIEVE | H5FD_FEAT_AGGREGATE_SMALLDATA |
		 H5FD_FEAT_DEFAULT_VFD_COMPATIBLE;
	return 0;
}

static haddr_t get_eoa(const H5FD_t *pub, H5FD_mem_t type)
{
	(void)type;
	return ((const struct sparse_file *)pub)->eoa;
}

static herr_t set_eoa(H5FD_t *pub, H5FD_mem_t type, haddr_t address)
{
	(void)type;
	((struct sparse_file *)pub)->eoa = address;
	return 0;
}

static haddr_t get_eof(const H5FD_t *pub, H5FD_mem_t type)
{
	(void)type;
	return ((const struct sparse_file *)pub)->image->size;
}

static herr_t read_sparse(H5FD_t *pub, H5FD_mem_t type, hid_t dxpl,
			  haddr_t address, size_t size, void *buffer)
{
	(void)type, (void)dxpl;
	sparse_image_read(((struct sparse_file *)pub)->image, address, buffer,
			  size);
	return 0;
}

/* Global heaps come as raw data too, but never in so few bytes: they are
 * written in whole collections of 4096 and more. */
static herr_t write_sparse(H5FD_t *pub, H5FD_mem_t type, hid_t dxpl,
			   haddr_t address, size_t size, const void *buffer)
{
	struct sparse_image *image = ((struct sparse_file *)pub)->image;

	(void)dxpl;
	if (address + size > image->size)
		image->size = address + size;
	if (type == H5FD_MEM_DRAW && size <= image->poke_size)
		return 0;
	/* libhdf5 can't be told: a file whose last writes fail stays open in it
	 * for ever, and its end of the process is a crash. */
	if (!write_pages(image, address, buffer, size))
		image->out_of_memory = true;
	return 0;
}

/* libhdf5 calls it at close: the file then ends where its space does. */
static herr_t truncate_sparse(H5FD_t *pub, hid_t dxpl, hbool_t closing)
{
	struct sparse_file *file = (struct sparse_file *)pub;

	(void)dxpl, (void)closing;
	file->image->size = file->eoa;
	return 0;
}

static const H5FD_class_t sparse_class = {
	.name = "weighhouse_sparse",
	.maxaddr = MAX_ADDRESS,
	.fc_degree = H5F_CLOSE_STRONG,
	.fapl_size = sizeof(struct sparse_access),
	.open = open_sparse,
	.close = close_sparse,
	.cmp = compare_sparse,
	.query = query_sparse,
	.get_eoa = get_eoa,
	.set_eoa = set_eoa,
	.get_eof = get_eof,
	.read = read_sparse,
	.write = write_sparse,
	.truncate = truncate_sparse,
	.fl_map = H5FD_FLMAP_DICHOTOMY,
};

herr_t sparse_fd_use(hid_t fapl, struct sparse_image *image)
{
	struct sparse_access access = {.image = image};

	image->driver = H5FDregister(&sparse_class);
	if (image->driver < 0)
		return -1;
	return H5Pset_driver(fapl, image->driver, &access);
}

void sparse_fd_drop(struct sparse_image *image)
{
	if (image->driver > 0)
		H5FDunregister(image->driver);
	image->driver = 0;
}
