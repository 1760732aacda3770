/* The superblock of version 0 (II.A), addresses and lengths of 8 bytes:
 *
 *	 0 signature		 8 five versions and reserved bytes, all 0,
 *	13 size of addresses	14 size of lengths
 *	16 leaf K	18 node K	20 flags
 *	24 base address		32 free space (none)
 *	40 end of file		48 driver (none)
 *	56 root's symbol table entry: name, header, cache type, its scratch
 */
#include "hdf5/classic/file.h"

#include <stdlib.h>
#include <string.h>

#include "base/checked.h"
#include "base/endian.h"
#include "hdf5/classic/group.h"

#define SUPERBLOCK_SIZE 96u
#define PAGE_SIZE	((size_t)4 << 10)
#define N_PAGES		256u
#define MOST_AHEAD	16u /* pages in one read */
/* An honest file is looked at once or twice: times its size, and in any case */
#define BUDGET_RATIO 64u
#define BUDGET_LEAST ((uint64_t)16 << 20)
#define CACHED_TABLE 1u /* the scratch has the addresses of the table */

/* The page of number n has place n % N_PAGES. */
struct classic_pages {
	uint64_t numbers[N_PAGES]; /* offset / PAGE_SIZE, or CLASSIC_NOWHERE */
	uint64_t next;		   /* the one behind what was read last */
	unsigned ahead;		   /* pages that are read next time */
	uint8_t bytes[N_PAGES * PAGE_SIZE];
};

static struct classic_pages *make_pages(void)
{
	struct classic_pages *pages = malloc(sizeof(*pages));
	size_t i;

	for (i = 0; pages && i < N_PAGES; i++)
		pages->numbers[i] = CLASSIC_NOWHERE;
	if (pages)
		pages->next = pages->ahead = 0;
	return pages;
}

/* The nodes of a long table lie apart, each by itself; what is behind it comes
 * in order. So more and more is read as long as pages follow each other. */
static size_t count_ahead(struct classic_pages *pages, uint64_t number)
{
	size_t left = N_PAGES - (size_t)(number % N_PAGES);

	if (number != pages->next || !pages->ahead)
		pages->ahead = 1;
	else if (pages->ahead < MOST_AHEAD)
		pages->ahead *= 2;
	return pages->ahead < left ? pages->ahead : left;
}

/* The page at `number`, read unless it is there. */
static const uint8_t *load_page(struct classic_file *file, uint64_t number)
{
	struct classic_pages *pages = file->pages;
	size_t place = (size_t)(number % N_PAGES), n, i;
	uint8_t *page = pages->bytes + place * PAGE_SIZE;
	uint64_t offset = number * PAGE_SIZE, left = file->end - offset;

	if (pages->numbers[place] == number)
		return page;
	n = count_ahead(pages, number);
	for (i = 0; i < n; i++)
		pages->numbers[place + i] = CLASSIC_NOWHERE;
	if (left > n * PAGE_SIZE)
		left = n * PAGE_SIZE;
	if (input_read(file->input, offset, page, (size_t)left))
		return NULL;
	for (i = 0; i * PAGE_SIZE < left; i++)
		pages->numbers[place + i] = number + i;
	pages->next = number + i;
	return page;
}

bool classic_damaged(struct classic_file *file, const char *what)
{
	if (!file->damage)
		file->damage = what;
	return false;
}

bool classic_spend(struct classic_file *file, uint64_t n)
{
	if (n > file->budget)
		return false;
	file->budget -= n;
	return true;
}

/* No pages: around what is asked for there are holes. */
static bool read_fetched(const struct input_file *input, uint64_t offset,
			 void *buf, size_t len)
{
	return input->fetch(input->fetch_arg, offset, len) &&
	       input_read(input, offset, buf, len) == 0;
}

bool classic_read(struct classic_file *file, uint64_t offset, void *buf,
		  size_t len)
{
	uint8_t *out = buf;

	if (!range_fits(offset, len, file->end))
		return classic_damaged(file, "an address beyond its end");
	if (!classic_spend(file, len))
		return false;
	if (file->input->fetch)
		return read_fetched(file->input, offset, buf, len);
	while (len) {
		const uint8_t *page = load_page(file, offset / PAGE_SIZE);
		size_t within = (size_t)(offset % PAGE_SIZE), some;

		if (!page)
			return false;
		some = PAGE_SIZE - within < len ? PAGE_SIZE - within : len;
		memcpy(out, page + within, some);
		out += some;
		offset += some;
		len -= some;
	}
	return true;
}

static bool read_superblock(struct classic_file *file)
{
	static const uint8_t head[16] = {0x89, 'H',  'D', 'F', '\r', '\n',
					 0x1a, '\n', 0,	  0,   0,    0,
					 0,    8,    8,	  0};
	uint8_t block[SUPERBLOCK_SIZE];

	if (file->end < sizeof(block) ||
	    !classic_read(file, 0, block, sizeof(block)) ||
	    memcmp(block, head, sizeof(head)) != 0)
		return false;
	file->leaf_k = get_le16(block + 16);
	file->node_k = get_le16(block + 18);
	if (!file->leaf_k || !file->node_k || get_le32(block + 20) ||
	    get_le64(block + 24) || get_le64(block + 32) != CLASSIC_NOWHERE ||
	    get_le64(block + 40) > file->end ||
	    get_le64(block + 48) != CLASSIC_NOWHERE || get_le64(block + 56))
		return false;
	file->end = get_le64(block + 40);
	file->root = get_le64(block + 64);
	file->root_tree = file->root_heap = CLASSIC_NOWHERE;
	if (get_le32(block + 72) == CACHED_TABLE) {
		file->root_tree = get_le64(block + 80);
		file->root_heap = get_le64(block + 88);
	}
	return get_le32(block + 72) <= CACHED_TABLE;
}

bool classic_file_open(struct classic_file *file,
		       const struct input_file *input)
{
	*file = (struct classic_file){
		.input = input,
		.end = input->size,
		.heap.address = CLASSIC_NOWHERE,
		.pages = make_pages(),
	};
	return file->pages &&
	       checked_mul(input->size, BUDGET_RATIO, &file->budget) &&
	       checked_add(file->budget, BUDGET_LEAST, &file->budget) &&
	       read_superblock(file);
}

void classic_file_close(struct classic_file *file)
{
	classic_group_close(file->last);
	free(file->pages);
	free(file->heap.bytes);
	free(file->heap.offset_of);
	*file = (struct classic_file){0};
}
