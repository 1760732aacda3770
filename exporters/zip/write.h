/* zip/write.h: laying an archive of stored members out as an image.
 *
 * A member's content is itself an image, of literals and payloads, so that
 * nothing is read but what is small: its CRC-32 comes from those of its
 * payloads by combination. The records are those that Python's zipfile writes
 * (CPython 3.11, Lib/zipfile.py), all dated 1980-01-01.
 */
#ifndef WH_ZIP_WRITE_H
#define WH_ZIP_WRITE_H

#include "base/buf.h"
#include <weighhouse/plan.h>

struct zip_writer {
	struct wh_source *source; /* its tensors have been weighed: WH_CRC32 */
	struct wh_image *image;	  /* the archive; at first empty */
	struct wh_buf directory;  /* zeroed at first */
	uint32_t n_members;
	const char *comment; /* of the archive; NULL: none */
	uint16_t comment_size;
};

/** What to append; `zip64` as ZipFile.open(force_zip64=True) does, which is
 *  how numpy.savez writes: the local header has 64-bit sizes in any case. */
struct zip_entry {
	const char *name; /* UTF-8 */
	bool zip64;
};

/** Appends a member with the content's bytes; the content stays the caller's.
 *  WH_EINVAL for a name that is over 65535 bytes; else as zip_crc32. */
enum wh_status zip_add(struct zip_writer *writer, const struct zip_entry *entry,
		       const struct wh_image *content, struct wh_error *err);

/** Appends the directory. The writer is empty after it, also where it fails;
 *  zip_writer_free is for those that never come here. */
enum wh_status zip_finish(struct zip_writer *writer, struct wh_error *err);
void zip_writer_free(struct zip_writer *writer);

/** The CRC-32 of `length` bytes of an image: whole payloads by combination,
 *  everything else by reading it. WH_EINVAL outside of the image. */
enum wh_status zip_crc32(struct wh_source *source, const struct wh_image *image,
			 uint64_t offset, uint64_t length, uint32_t *crc,
			 struct wh_error *err);

/** Frees what an image that is in no plan holds. */
void zip_content_free(struct wh_image *content);

#endif
