/* zip_repair.h: gives the stored members of an archive the CRC-32 of their
 * data, so that inputs get past that check. */
#ifndef WH_TESTS_FUZZ_ZIP_REPAIR_H
#define WH_TESTS_FUZZ_ZIP_REPAIR_H

#include <fcntl.h>
#include <unistd.h>

#include "base/crc.h"
#include "base/endian.h"
#include "fuzz/fuzz.h"
#include "zip/layout.h"
#include "zip/read.h"

/* Offsets of the field in a local header and in the directory's entry. */
#define LOCAL_CRC 14u
#define ENTRY_CRC 16u

static inline void repair_member(uint8_t *bytes,
				 const struct zip_member *member)
{
	uint32_t crc;

	if (member->method != ZIP_STORED)
		return;
	crc = crc32_update(0, bytes + member->offset, (size_t)member->packed);
	put_le32(bytes + member->entry + ENTRY_CRC, crc);
	if (!member->has_descriptor)
		put_le32(bytes + member->header + LOCAL_CRC, crc);
}

/** The path of the file with the repaired bytes. */
static inline const char *repaired_archive(const char *name,
					   const uint8_t *bytes, size_t len)
{
	const char *path = input_file(name, bytes, len);
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	struct zip_archive archive;
	struct arena arena = {0};
	struct wh_error err;
	uint32_t i;

	require(fd >= 0);
	if (!zip_open(fd, len, &arena, &archive, &err)) {
		char *copy = input_text(bytes, len);

		for (i = 0; i < archive.n_members; i++)
			repair_member((uint8_t *)copy, &archive.members[i]);
		path = input_file(name, (const uint8_t *)copy, len);
		free(copy);
	}
	arena_free(&arena);
	close(fd);
	return path;
}

#endif
