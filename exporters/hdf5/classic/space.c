#include "hdf5/classic/space.h"

#include <stdlib.h>
#include <string.h>

#include "base/array.h"

#define BLOCK_SIZE 2048u
#define N_BINS	   8192u /* larger ranges are few: one is used up first */
#define N_WORDS	   (N_BINS / 64)

void space_free(struct space *space)
{
	size_t kind, i;

	for (kind = 0; kind < SPACE_KINDS; kind++) {
		struct space_list *list = &space->lists[kind];

		for (i = 0; list->bins && i < N_BINS; i++)
			free(list->bins[i].addresses);
		free(list->bins);
		free(list->used);
		free(list->ranges);
	}
	*space = (struct space){0};
}

/* ---- Free ranges ------------------------------------------------------ */

static bool start(struct space_list *list)
{
	if (!list->bins)
		list->bins = calloc(N_BINS, sizeof(*list->bins));
	if (!list->used)
		list->used = calloc(N_WORDS, sizeof(*list->used));
	list->started = list->bins && list->used;
	return list->started;
}

/* The place in an ascending list before which `address` comes. */
static uint32_t place_in_bin(const struct space_bin *bin, uint64_t address)
{
	uint32_t low = 0, high = bin->n;

	while (low < high) {
		uint32_t middle = low + (high - low) / 2;

		if (bin->addresses[middle] < address)
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

/* The first range that is not before `address`. */
static size_t place_of(const struct space_list *list, uint64_t address)
{
	size_t low = 0, high = list->n;

	while (low < high) {
		size_t middle = low + (high - low) / 2;

		if (list->ranges[middle].address < address)
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

static bool add_to_bin(struct space_list *list, uint64_t address, uint64_t size)
{
	struct space_bin *bin = &list->bins[size < N_BINS ? size : 0];
	uint32_t at;

	if (size >= N_BINS) {
		list->n_large++;
		return true;
	}
	if (array_grow(&bin->addresses, bin->n, &bin->room,
		       sizeof(*bin->addresses), NULL))
		return false;
	at = place_in_bin(bin, address);
	memmove(bin->addresses + at + 1, bin->addresses + at,
		(bin->n - at) * sizeof(*bin->addresses));
	bin->addresses[at] = address;
	bin->n++;
	list->used[size / 64] |= UINT64_C(1) << size % 64;
	list->words[size / 64 / 64] |= UINT64_C(1) << size / 64 % 64;
	return true;
}

static void remove_from_bin(struct space_list *list, uint64_t address,
			    uint64_t size)
{
	struct space_bin *bin = &list->bins[size < N_BINS ? size : 0];
	uint32_t at = place_in_bin(bin, address);

	if (size >= N_BINS) {
		list->n_large--;
		return;
	}
	bin->n--;
	memmove(bin->addresses + at, bin->addresses + at + 1,
		(bin->n - at) * sizeof(*bin->addresses));
	if (bin->n)
		return;
	list->used[size / 64] &= ~(UINT64_C(1) << size % 64);
	if (!list->used[size / 64])
		list->words[size / 64 / 64] &= ~(UINT64_C(1) << size / 64 % 64);
}

static bool insert(struct space_list *list, struct space_range range)
{
	size_t at;

	if (!add_to_bin(list, range.address, range.size) ||
	    array_grow(&list->ranges, list->n, &list->room,
		       sizeof(*list->ranges), NULL))
		return false;
	at = place_of(list, range.address);
	memmove(list->ranges + at + 1, list->ranges + at,
		(list->n - at) * sizeof(*list->ranges));
	list->ranges[at] = range;
	list->n++;
	return true;
}

static struct space_range take_out(struct space_list *list, size_t at)
{
	struct space_range range = list->ranges[at];

	remove_from_bin(list, range.address, range.size);
	list->n--;
	memmove(list->ranges + at, list->ranges + at + 1,
		(list->n - at) * sizeof(*list->ranges));
	return range;
}

/* The lowest bit from `from` on that is set among `n_words` words, or
 * 64 * n_words. */
static uint64_t next_bit(const uint64_t *words, uint64_t n_words, uint64_t from)
{
	uint64_t word = from / 64, bits;

	if (word >= n_words)
		return n_words * 64;
	bits = words[word] & ~UINT64_C(0) << from % 64;
	while (!bits && ++word < n_words)
		bits = words[word];
	return word * 64 + (bits ? (uint64_t)__builtin_ctzll(bits) : 0);
}

/* The smallest size from `size` on that there is a bin of, or N_BINS. */
static uint64_t smallest_bin(const struct space_list *list, uint64_t size)
{
	uint64_t word;

	if (size >= N_BINS)
		return N_BINS;
	word = size / 64;
	if (!(list->used[word] >> size % 64)) {
		word = next_bit(list->words, N_WORDS / 64, word + 1);
		size = word * 64;
	}
	return next_bit(list->used, N_WORDS, size);
}

/* The range that `size` bytes are taken from; list->n if there is none. */
static size_t find_range(const struct space_list *list, uint64_t size)
{
	uint64_t bin = list->started ? smallest_bin(list, size) : N_BINS;
	size_t i, found = list->n;

	if (bin < N_BINS)
		return place_of(list, list->bins[bin].addresses[0]);
	for (i = 0; list->n_large && i < list->n; i++)
		if (list->ranges[i].size >= size &&
		    (found == list->n ||
		     list->ranges[i].size < list->ranges[found].size))
			found = i;
	return found;
}

/* ---- Giving back ------------------------------------------------------ */

/* What becomes of a range that may shorten the file or touches its kind's
 * block: true if it is gone or has grown. */
static bool shrink(struct space *space, enum space_kind kind,
		   struct space_range *range, bool may_absorb)
{
	struct space_block *block = &space->blocks[kind];
	uint64_t end = range->address + range->size;

	if (end == space->end) {
		space->end = range->address;
		range->size = 0;
		return true;
	}
	if (end != block->address &&
	    block->address + block->size != range->address)
		return false;
	if (may_absorb && block->size + range->size >= BLOCK_SIZE) {
		if (end != block->address)
			range->address -= block->size;
		range->size += block->size;
		*block = (struct space_block){0};
		return true;
	}
	if (end == block->address) {
		block->address -= range->size;
		block->total -=
			block->total < range->size ? block->total : range->size;
	}
	block->size += range->size;
	range->size = 0;
	return true;
}

static struct space_range merge(struct space_list *list,
				struct space_range range)
{
	for (;;) {
		size_t at = place_of(list, range.address);

		if (at > 0 &&
		    list->ranges[at - 1].address + list->ranges[at - 1].size ==
			    range.address) {
			uint64_t size = range.size;

			range = take_out(list, at - 1);
			range.size += size;
		} else if (at < list->n && range.address + range.size ==
						   list->ranges[at].address) {
			range.size += take_out(list, at).size;
		} else {
			return range;
		}
	}
}

static void add(struct space *space, enum space_kind kind,
		struct space_range range)
{
	struct space_list *list = &space->lists[kind];
	bool listed = false;

	for (range = merge(list, range);;) {
		struct space_range before = range;

		if (!shrink(space, kind, &range, true))
			break;
		if (listed)
			take_out(list, place_of(list, before.address));
		listed = false;
		if (range.size)
			continue;
		/* The last one may now lie at the end, or at the block. */
		if (list->n == 0)
			return;
		range = list->ranges[list->n - 1];
		listed = true;
	}
	if (!listed && !insert(list, range))
		space->failed = true;
}

void space_give(struct space *space, enum space_kind kind, uint64_t address,
		uint64_t size)
{
	struct space_list *list = &space->lists[kind];
	struct space_range range = {address, size};

	if (!list->started && shrink(space, kind, &range, false))
		return;
	if (!list->started && !start(list))
		space->failed = true;
	else
		add(space, kind, range);
}

/* ---- Taking ----------------------------------------------------------- */

/* The other kind's block, if it is the file's end and has served at least one
 * block's worth, gives way to what comes now. */
static void release_other(struct space *space, enum space_kind kind)
{
	struct space_block *other = &space->blocks[!kind];

	if (other->size == 0 || other->address + other->size != space->end ||
	    other->total <= other->size ||
	    other->total - other->size < BLOCK_SIZE)
		return;
	space->end = other->address;
	*other = (struct space_block){0};
}

static uint64_t take_from_block(struct space_block *block, uint64_t size)
{
	uint64_t address = block->address;

	block->address += size;
	block->size -= size;
	return address;
}

/* At the end of the file: `size` is a block's or more. */
static uint64_t take_large(struct space *space, enum space_kind kind,
			   uint64_t size)
{
	struct space_block *block = &space->blocks[kind];
	uint64_t address = block->address;

	if (block->address && block->address + block->size == space->end) {
		space->end += size;
		block->address += size;
		block->total += size;
		return address;
	}
	release_other(space, kind);
	address = space->end;
	space->end += size;
	return address;
}

static void renew_block(struct space *space, enum space_kind kind)
{
	struct space_block *block = &space->blocks[kind];
	uint64_t address;

	if (block->address && block->address + block->size == space->end) {
		space->end += BLOCK_SIZE;
		block->size += BLOCK_SIZE;
		block->total += BLOCK_SIZE;
		return;
	}
	release_other(space, kind);
	address = space->end;
	space->end += BLOCK_SIZE;
	if (block->size)
		space_give(space, kind, block->address, block->size);
	*block = (struct space_block){address, BLOCK_SIZE, BLOCK_SIZE};
}

uint64_t space_take(struct space *space, enum space_kind kind, uint64_t size)
{
	struct space_list *list = &space->lists[kind];
	struct space_block *block = &space->blocks[kind];
	size_t found = find_range(list, size);

	if (found < list->n) {
		struct space_range range = take_out(list, found);
		uint64_t address = range.address;

		range.address += size;
		range.size -= size;
		if (range.size)
			add(space, kind, range);
		return address;
	}
	if (size > block->size) {
		if (size >= BLOCK_SIZE)
			return take_large(space, kind, size);
		renew_block(space, kind);
	}
	return take_from_block(block, size);
}

/* ---- Extending -------------------------------------------------------- */

static bool extend_into_block(struct space *space, enum space_kind kind,
			      uint64_t extra)
{
	struct space_block *block = &space->blocks[kind];
	uint64_t more = extra < BLOCK_SIZE ? BLOCK_SIZE : extra;

	if (block->address + block->size != space->end) {
		if (block->size < extra)
			return false;
		take_from_block(block, extra);
		return true;
	}
	/* A tenth of the block at most; else it grows first. */
	if (extra > (uint64_t)(0.10F * (float)block->size)) {
		space->end += more;
		block->size += more;
		block->total += more;
	}
	take_from_block(block, extra);
	return true;
}

bool space_extend(struct space *space, enum space_kind kind, uint64_t address,
		  uint64_t size, uint64_t extra)
{
	struct space_list *list = &space->lists[kind];
	uint64_t end = address + size;
	struct space_range range;
	size_t at;

	if (end == space->end) {
		space->end += extra;
		return true;
	}
	if (end == space->blocks[kind].address &&
	    extend_into_block(space, kind, extra))
		return true;
	at = place_of(list, end);
	if (at == list->n || list->ranges[at].address != end ||
	    list->ranges[at].size < extra)
		return false;
	range = take_out(list, at);
	range.address += extra;
	range.size -= extra;
	if (range.size && !insert(list, range))
		space->failed = true;
	return true;
}

/* ---- The end ---------------------------------------------------------- */

static void close_block(struct space *space, enum space_kind kind)
{
	struct space_block block = space->blocks[kind];

	space->blocks[kind] = (struct space_block){0};
	if (block.size)
		space_give(space, kind, block.address, block.size);
}

void space_close(struct space *space)
{
	bool meta_first = space->blocks[SPACE_META].address >=
			  space->blocks[SPACE_RAW].address;
	bool shorter = true;
	size_t kind;

	close_block(space, meta_first ? SPACE_META : SPACE_RAW);
	close_block(space, meta_first ? SPACE_RAW : SPACE_META);
	while (shorter) {
		shorter = false;
		for (kind = 0; kind < SPACE_KINDS; kind++) {
			struct space_list *list = &space->lists[kind];
			const struct space_range *last;

			if (list->n == 0)
				continue;
			last = &list->ranges[list->n - 1];
			if (last->address + last->size != space->end)
				continue;
			space->end = last->address;
			take_out(list, list->n - 1);
			shorter = true;
		}
	}
}
