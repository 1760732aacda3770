/* zip/read.h: what is in a zip archive that may be hostile.
 *
 * The directory at the end is believed only where all of it agrees: with the
 * end record, with each member's local header, and with itself. Members may
 * not overlap, names may not leave the folder, nothing may be listed twice.
 */
#ifndef WH_ZIP_READ_H
#define WH_ZIP_READ_H

#include <stdbool.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/error.h"

struct zip_member {
	const char *name;    /* UTF-8, relative, no "..", no backslash */
	uint64_t header;     /* offset of its local header */
	uint64_t entry;	     /* offset of its header in the directory */
	uint64_t offset;     /* of its data */
	uint64_t packed;     /* bytes of the data */
	uint64_t size;	     /* bytes that they unpack to */
	uint32_t crc32;	     /* of those */
	uint16_t method;     /* ZIP_STORED, ZIP_DEFLATED, or what is not read */
	bool encrypted;	     /* not read either */
	bool has_descriptor; /* the local header lacks CRC and sizes */
};

/** The file stays the caller's, open for as long as members are read. */
struct zip_archive {
	int fd;
	uint64_t size;		    /* of the file, bytes */
	struct zip_member *members; /* in the order of the directory */
	uint32_t n_members;
	uint64_t comment; /* where the archive's comment lies */
	uint16_t comment_size;
};

/** Whether the file begins as an archive does. */
bool zip_probe(int fd);

/** Reads the directory of the archive in `fd`, a file of `size` bytes. All
 *  memory comes from `arena`. WH_ECORRUPT for damage and for archives of
 *  several volumes or with something in front; WH_EIO. */
enum wh_status zip_open(int fd, uint64_t size, struct arena *arena,
			struct zip_archive *archive, struct wh_error *err);

/** Whether a member may be called so: else no archive that has it is read. */
bool zip_is_name(const char *name);

/** The member of that name, or NULL. */
const struct zip_member *zip_find(const struct zip_archive *archive,
				  const char *name);

/** All `len` bytes from `offset` of the file. WH_ECORRUPT at its end. */
enum wh_status zip_pread(const struct zip_archive *archive, uint64_t offset,
			 void *buf, size_t len, struct wh_error *err);

#endif
