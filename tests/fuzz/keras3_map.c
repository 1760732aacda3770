/* A map and two shards: uint32 LE size of the map, of the first shard | map |
 * m_00000.weights.h5 | m_00001.weights.h5. */
#include "fuzz/fuzz.h"

#include <hdf5.h>

#include "base/endian.h"

/* See h5.c. */
const char *__lsan_default_suppressions(void);

const char *__lsan_default_suppressions(void)
{
	return "leak:libhdf5";
}

static size_t at_most(size_t size, size_t room)
{
	return size < room ? size : room;
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len)
{
	size_t map, first;

	if (len < 8)
		return 0;
	map = at_most(get_le32(bytes), len - 8);
	first = at_most(get_le32(bytes + 4), len - 8 - map);
	bytes += 8;
	len -= 8;
	input_file("m_00000.weights.h5", bytes + map, first);
	input_file("m_00001.weights.h5", bytes + map + first,
		   len - map - first);
	use_checkpoint(input_file("m.weights.json", bytes, map), "keras3");
	require(H5Fget_obj_count((hid_t)H5F_OBJ_ALL, H5F_OBJ_ALL) == 0);
	return 0;
}
