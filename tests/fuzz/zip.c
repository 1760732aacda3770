#include "fuzz/zip_repair.h"

#include "base/buf.h"
#include "zip/stream.h"

#define MAX_MEMBER ((uint64_t)1 << 20)

static void read_members(int fd, size_t len)
{
	struct zip_archive archive;
	struct arena arena = {0};
	struct wh_error err;
	uint32_t i;

	if (!zip_open(fd, len, &arena, &archive, &err))
		for (i = 0; i < archive.n_members && i < 64; i++) {
			struct wh_buf out = {0};

			zip_read_all(&archive, &archive.members[i], MAX_MEMBER,
				     &out, &err);
			require(out.size <= MAX_MEMBER);
			wh_buf_free(&out);
		}
	arena_free(&arena);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len)
{
	const char *path = repaired_archive("archive.zip", bytes, len);
	int fd = open(path, O_RDONLY | O_CLOEXEC);

	require(fd >= 0);
	read_members(fd, len);
	close(fd);
	return 0;
}
