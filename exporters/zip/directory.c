#include "zip/directory.h"

#include <string.h>

#include "base/auto.h"
#include "base/checked.h"
#include "base/endian.h"
#include "zip/layout.h"

static enum wh_status fail_volumes(struct wh_error *err)
{
	return wh_fail(err, WH_ECORRUPT,
		       "the zip archive has several volumes, which are not "
		       "read");
}

/* The end record is the last one whose comment ends where the file does. */
static enum wh_status find_end(const struct zip_archive *archive,
			       uint8_t record[ZIP_END_SIZE], uint64_t *at,
			       struct wh_error *err)
{
	uint64_t most = ZIP_END_SIZE + ZIP_MAX_COMMENT, i;
	size_t len = (size_t)(archive->size < most ? archive->size : most);
	wh_free_auto uint8_t *tail = malloc(len + 1);

	if (!tail)
		return wh_fail_memory(err);
	WH_TRY(zip_pread(archive, archive->size - len, tail, len, err));
	for (i = ZIP_END_SIZE; i <= len; i++) {
		const uint8_t *here = tail + len - i;

		if (get_le32(here) != ZIP_END_MAGIC ||
		    get_le16(here + 20) != i - ZIP_END_SIZE)
			continue;
		memcpy(record, here, ZIP_END_SIZE);
		*at = archive->size - i;
		return WH_OK;
	}
	return wh_fail(err, WH_ECORRUPT,
		       "no zip archive, or one that was cut off: it has no "
		       "directory at its end");
}

static enum wh_status read_end64(const struct zip_archive *archive, uint64_t at,
				 struct zip_directory *found,
				 struct wh_error *err)
{
	uint8_t record[ZIP_END64_SIZE];

	WH_TRY(zip_pread(archive, at, record, sizeof(record), err));
	if (get_le32(record) != ZIP_END64_MAGIC)
		return wh_fail(err, WH_ECORRUPT,
			       "the zip archive's 64-bit end record is not "
			       "where its locator says");
	if (get_le32(record + 16) || get_le32(record + 20) ||
	    get_le64(record + 24) != get_le64(record + 32))
		return fail_volumes(err);
	found->n_members = get_le64(record + 32);
	found->size = get_le64(record + 40);
	found->offset = get_le64(record + 48);
	return WH_OK;
}

/* `*end` becomes where the directory must end. */
static enum wh_status look_for_zip64(const struct zip_archive *archive,
				     struct zip_directory *found, uint64_t *end,
				     struct wh_error *err)
{
	uint8_t locator[ZIP_LOCATOR_SIZE];
	uint64_t at;

	if (*end < sizeof(locator))
		return WH_OK;
	WH_TRY(zip_pread(archive, *end - sizeof(locator), locator,
			 sizeof(locator), err));
	if (get_le32(locator) != ZIP_LOCATOR_MAGIC)
		return WH_OK;
	if (get_le32(locator + 4) || get_le32(locator + 16) != 1)
		return fail_volumes(err);
	at = get_le64(locator + 8);
	if (!range_fits(at, ZIP_END64_SIZE, *end - sizeof(locator)))
		return wh_fail(err, WH_ECORRUPT,
			       "the zip archive's 64-bit end record lies "
			       "outside of it");
	*end = at;
	return read_end64(archive, at, found, err);
}

enum wh_status zip_directory_find(const struct zip_archive *archive,
				  struct zip_directory *found,
				  struct wh_error *err)
{
	uint8_t record[ZIP_END_SIZE] = {0};
	uint64_t end = 0;

	WH_TRY(find_end(archive, record, &end, err));
	if (get_le16(record + 4) || get_le16(record + 6) ||
	    get_le16(record + 8) != get_le16(record + 10))
		return fail_volumes(err);
	found->comment = end + ZIP_END_SIZE;
	found->n_members = get_le16(record + 10);
	found->size = get_le32(record + 12);
	found->offset = get_le32(record + 16);
	WH_TRY(look_for_zip64(archive, found, &end, err));
	/* Nothing in front of the archive, nothing between its parts: what
	 * other readers would take for other members has no place. */
	if (!range_fits(found->offset, found->size, end) ||
	    found->offset + found->size != end)
		return wh_fail(err, WH_ECORRUPT,
			       "the zip archive's directory is not where its "
			       "end record says");
	return WH_OK;
}
