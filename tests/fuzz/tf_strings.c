/* uint8 number of strings | a string tensor as a shard has it. */
#include "fuzz/tf_repair.h"

#include "tf/string_tensor.h"

#define MAX_STRINGS 255

/* Where the checksum of the lengths is looked for, it is what it must be. */
static void repair_lengths(uint8_t *bytes, size_t len, unsigned n)
{
	struct cursor cursor = {bytes, bytes + len};
	uint32_t crc = 0;
	uint64_t length;
	uint8_t raw[8];

	for (; n; n--) {
		if (!cursor_varint(&cursor, &length))
			return;
		put_le64(raw, length);
		crc = crc32c_update(crc, raw, length > UINT32_MAX ? 8 : 4);
	}
	if (cursor_left(&cursor) >= 4)
		put_le32(bytes + (cursor.at - bytes), crc_mask(crc));
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len)
{
	uint64_t lengths[MAX_STRINGS + 1];
	struct wh_error err;
	uint8_t *copy;
	size_t head;
	uint32_t crc;

	if (!len)
		return 0;
	copy = (uint8_t *)input_text(bytes + 1, len - 1);
	repair_lengths(copy, len - 1, bytes[0]);
	if (!strings_read_head("key", copy, len - 1, len - 1, bytes[0], lengths,
			       &head, &crc, &err))
		require(head <= len - 1);
	free(copy);
	return 0;
}
