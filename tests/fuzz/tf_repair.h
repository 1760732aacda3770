/* tf_repair.h: gives the blocks of an index the checksums of their bytes, so
 * that inputs get past those. Everything else stays as it is. */
#ifndef WH_TESTS_FUZZ_TF_REPAIR_H
#define WH_TESTS_FUZZ_TF_REPAIR_H

#include "base/checked.h"
#include "base/crc.h"
#include "base/endian.h"
#include "fuzz/fuzz.h"
#include "tf/table.h"
#include "tf/wire.h"

/* False where the block does not lie in the file. */
static inline bool repair_block(uint8_t *bytes, size_t len, uint64_t offset,
				uint64_t size)
{
	uint64_t whole;
	uint8_t *block;

	if (!checked_add(size, TABLE_TRAILER, &whole) ||
	    !range_fits(offset, whole, len))
		return false;
	block = bytes + offset;
	put_le32(block + size + 1,
		 crc_mask(crc32c_update(0, block, (size_t)size + 1)));
	return true;
}

/* The data block that an entry of the index block names. */
static inline bool repair_entry(uint8_t *bytes, size_t len,
				struct cursor *entries)
{
	uint64_t shared, rest, size, offset, block_size;
	const uint8_t *skipped, *value;
	struct cursor handle;

	if (!cursor_varint(entries, &shared) ||
	    !cursor_varint(entries, &rest) || !cursor_varint(entries, &size) ||
	    rest > cursor_left(entries) ||
	    !cursor_bytes(entries, (size_t)rest, &skipped) ||
	    size > cursor_left(entries) ||
	    !cursor_bytes(entries, (size_t)size, &value))
		return false;
	handle = (struct cursor){value, value + size};
	return cursor_varint(&handle, &offset) &&
	       cursor_varint(&handle, &block_size) &&
	       repair_block(bytes, len, offset, block_size);
}

static inline void repair_table(uint8_t *bytes, size_t len)
{
	uint64_t offset, size;
	struct cursor footer, entries;

	if (len < TABLE_FOOTER)
		return;
	footer = (struct cursor){bytes + len - TABLE_FOOTER, bytes + len - 8};
	if (!cursor_varint(&footer, &offset) ||
	    !cursor_varint(&footer, &size) ||
	    !cursor_varint(&footer, &offset) ||
	    !cursor_varint(&footer, &size) || !range_fits(offset, size, len))
		return;
	entries = (struct cursor){bytes + offset, bytes + offset + size};
	while (cursor_left(&entries) && repair_entry(bytes, len, &entries))
		;
	repair_block(bytes, len, offset, size);
}

#endif
