#include "zip/read.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/auto.h"
#include "base/checked.h"
#include "base/endian.h"
#include "base/reader.h"
#include "base/text.h"
#include "core/name_map.h"
#include "zip/directory.h"
#include "zip/layout.h"
#include <weighhouse/tensor.h>

#define MAX_DIRECTORY (UINT64_C(256) << 20) /* bytes */

bool zip_probe(int fd)
{
	uint8_t magic[4];

	return pread(fd, magic, sizeof(magic), 0) == sizeof(magic) &&
	       (get_le32(magic) == ZIP_LOCAL_MAGIC ||
		get_le32(magic) == ZIP_END_MAGIC);
}

enum wh_status zip_pread(const struct zip_archive *archive, uint64_t offset,
			 void *buf, size_t len, struct wh_error *err)
{
	ssize_t got;

	if (!range_fits(offset, len, archive->size))
		return wh_fail(err, WH_ECORRUPT,
			       "the zip archive ends too early");
	got = read_at(archive->fd, offset, buf, len);
	if (got < 0)
		return wh_fail_errno(err, errno, "can't read the zip archive");
	if ((size_t)got < len)
		return wh_fail(err, WH_ECORRUPT,
			       "the zip archive has become shorter");
	return WH_OK;
}

const struct zip_member *zip_find(const struct zip_archive *archive,
				  const char *name)
{
	uint32_t i;

	for (i = 0; i < archive->n_members; i++)
		if (strcmp(archive->members[i].name, name) == 0)
			return &archive->members[i];
	return NULL;
}

/* ---- Names ------------------------------------------------------------ */

/* Members are found by name and never written to disk under it; but who lists
 * or unpacks the same archive elsewhere must see what we see. "w:0" is what
 * TensorFlow calls a variable; "w:/0" would be a drive's. */
static bool leaves_folder(const char *name)
{
	const char *end;

	if (strchr(name, '\\') || (name[0] && text_starts(name + 1, ":/")))
		return true;
	do {
		end = strchrnul(name, '/');
		if (end == name || (end == name + 1 && name[0] == '.') ||
		    (end == name + 2 && name[0] == '.' && name[1] == '.'))
			return true;
		name = end + 1;
	} while (*end && *name); /* a folder's entry ends in a slash */
	return false;
}

static bool is_text(const char *name, size_t len)
{
	return len > 0 && len <= WH_MAX_NAME && text_is_name(name, len);
}

bool zip_is_name(const char *name)
{
	return is_text(name, strlen(name)) && !leaves_folder(name);
}

static enum wh_status keep_name(struct arena *arena, const uint8_t *bytes,
				size_t len, const char **name,
				struct wh_error *err)
{
	if (!is_text((const char *)bytes, len))
		return wh_fail(err, WH_ECORRUPT,
			       "the zip archive has a member whose name is no "
			       "UTF-8 of 1 to %u bytes",
			       WH_MAX_NAME);
	*name = arena_bytes(arena, bytes, len);
	if (!*name)
		return wh_fail_memory(err);
	if (leaves_folder(*name))
		return wh_fail(err, WH_ECORRUPT,
			       "the zip archive's member '%s' has a name that "
			       "leaves its folder",
			       *name);
	return WH_OK;
}

static enum wh_status check_distinct(const struct zip_archive *archive,
				     struct wh_error *err)
{
	struct name_map seen = {0};
	enum wh_status status = WH_OK;
	bool added = true;
	uint32_t i;

	for (i = 0; i < archive->n_members && !status; i++) {
		const char *name = archive->members[i].name;

		status = name_map_add(&seen, name, i, &added, err);
		if (!status && !added)
			status = wh_fail(err, WH_ECORRUPT,
					 "the zip archive has two members '%s'",
					 name);
	}
	name_map_free(&seen);
	return status;
}

/* ---- Headers ---------------------------------------------------------- */

/* The next 64-bit field of the zip64 extra data, if `*field` is in there. */
static bool take_field(const uint8_t **extra, size_t *len, uint64_t *field)
{
	if (*field != ZIP_IN_ZIP64_32)
		return true;
	if (*len < 8)
		return false;
	*field = get_le64(*extra);
	*extra += 8;
	*len -= 8;
	return true;
}

/* Size, packed size and the header's offset may be in the extra field. */
static bool take_zip64(const uint8_t *extra, size_t len,
		       struct zip_member *member)
{
	while (len >= 4) {
		size_t size = get_le16(extra + 2);

		if (size > len - 4)
			return false;
		if (get_le16(extra) == ZIP64_EXTRA) {
			extra += 4;
			return take_field(&extra, &size, &member->size) &&
			       take_field(&extra, &size, &member->packed) &&
			       take_field(&extra, &size, &member->header);
		}
		extra += 4 + size;
		len -= 4 + size;
	}
	return true;
}

static enum wh_status check_sizes(const struct zip_archive *archive,
				  const struct zip_member *member,
				  struct wh_error *err)
{
	if (member->method == ZIP_STORED && member->packed != member->size)
		return wh_fail(err, WH_ECORRUPT,
			       "the stored zip member '%s' has two sizes",
			       member->name);
	if (!range_fits(member->header, member->packed, archive->size))
		return wh_fail(err, WH_ECORRUPT,
			       "the zip member '%s' goes beyond the archive's "
			       "end",
			       member->name);
	return WH_OK;
}

/* One header of the directory; `*used` is how many of `len` bytes it has. */
static enum wh_status read_entry(const struct zip_archive *archive,
				 const uint8_t *at, uint64_t len,
				 struct arena *arena, struct zip_member *member,
				 uint64_t *used, struct wh_error *err)
{
	uint16_t flags, name_len, extra_len;

	if (len < ZIP_DIRECTORY_SIZE || get_le32(at) != ZIP_DIRECTORY_MAGIC)
		return wh_fail(err, WH_ECORRUPT,
			       "the zip archive's directory is damaged");
	flags = get_le16(at + 8);
	name_len = get_le16(at + 28);
	extra_len = get_le16(at + 30);
	*used = ZIP_DIRECTORY_SIZE + (uint64_t)name_len + extra_len +
		get_le16(at + 32);
	if (*used > len)
		return wh_fail(err, WH_ECORRUPT,
			       "the zip archive's directory is cut off");
	member->encrypted = flags & ZIP_ENCRYPTED;
	member->has_descriptor = flags & ZIP_DESCRIPTOR;
	member->method = get_le16(at + 10);
	member->crc32 = get_le32(at + 16);
	member->packed = get_le32(at + 20);
	member->size = get_le32(at + 24);
	member->header = get_le32(at + 42);
	WH_TRY(keep_name(arena, at + ZIP_DIRECTORY_SIZE, name_len,
			 &member->name, err));
	if (!take_zip64(at + ZIP_DIRECTORY_SIZE + name_len, extra_len, member))
		return wh_fail(err, WH_ECORRUPT,
			       "the zip member '%s' has a damaged extra field",
			       member->name);
	return check_sizes(archive, member, err);
}

static enum wh_status read_entries(struct zip_archive *archive,
				   const struct zip_directory *directory,
				   struct arena *arena, struct wh_error *err)
{
	wh_free_auto uint8_t *bytes =
		directory->size < SIZE_MAX ? malloc((size_t)directory->size + 1)
					   : NULL;
	uint64_t at = 0, used = 0;
	uint32_t i;

	if (!bytes)
		return wh_fail_memory(err);
	WH_TRY(zip_pread(archive, directory->offset, bytes,
			 (size_t)directory->size, err));
	for (i = 0; i < archive->n_members; i++) {
		archive->members[i].entry = directory->offset + at;
		WH_TRY(read_entry(archive, bytes + at, directory->size - at,
				  arena, &archive->members[i], &used, err));
		at += used;
	}
	if (at != directory->size)
		return wh_fail(err, WH_ECORRUPT,
			       "the zip archive's directory has bytes that "
			       "belong to no member");
	return WH_OK;
}

/* Readers that go by local headers must find what the directory says. */
static enum wh_status check_local(const struct zip_archive *archive,
				  struct zip_member *member,
				  struct wh_error *err)
{
	size_t len = strlen(member->name);
	uint8_t record[ZIP_LOCAL_SIZE];
	char name[WH_MAX_NAME];

	WH_TRY(zip_pread(archive, member->header, record, sizeof(record), err));
	if (get_le32(record) != ZIP_LOCAL_MAGIC || get_le16(record + 26) != len)
		return wh_fail(err, WH_ECORRUPT,
			       "the zip member '%s' is not where the directory "
			       "says",
			       member->name);
	WH_TRY(zip_pread(archive, member->header + ZIP_LOCAL_SIZE, name, len,
			 err));
	if (memcmp(name, member->name, len) != 0 ||
	    get_le16(record + 8) != member->method ||
	    (!member->has_descriptor && get_le32(record + 14) != member->crc32))
		return wh_fail(err, WH_ECORRUPT,
			       "the zip member '%s' says one thing in the "
			       "directory and another in front of its data",
			       member->name);
	member->offset =
		member->header + ZIP_LOCAL_SIZE + len + get_le16(record + 28);
	return WH_OK;
}

static int by_place(const void *a, const void *b)
{
	const struct zip_member *const *x = a, *const *y = b;

	return (*x)->header < (*y)->header ? -1 : (*x)->header > (*y)->header;
}

/* Bombs whose members share one packed run overlap. */
static enum wh_status check_overlap(const struct zip_archive *archive,
				    uint64_t end, struct wh_error *err)
{
	wh_free_auto const struct zip_member **sorted =
		calloc((size_t)archive->n_members + 1, sizeof(*sorted));
	uint32_t i, n = archive->n_members;

	if (!sorted)
		return wh_fail_memory(err);
	for (i = 0; i < n; i++)
		sorted[i] = &archive->members[i];
	qsort(sorted, n, sizeof(*sorted), by_place);
	for (i = 0; i < n; i++) {
		uint64_t limit = i + 1 < n ? sorted[i + 1]->header : end;

		if (!range_fits(sorted[i]->offset, sorted[i]->packed, limit))
			return wh_fail(err, WH_ECORRUPT,
				       "the zip member '%s' overlaps what is "
				       "behind it",
				       sorted[i]->name);
	}
	return WH_OK;
}

enum wh_status zip_open(int fd, uint64_t size, struct arena *arena,
			struct zip_archive *archive, struct wh_error *err)
{
	struct zip_archive made = {.fd = fd, .size = size};
	struct zip_directory directory;
	uint32_t i;

	WH_TRY(zip_directory_find(&made, &directory, err));
	if (directory.size > MAX_DIRECTORY ||
	    directory.n_members > directory.size / ZIP_DIRECTORY_SIZE ||
	    directory.n_members > WH_MAX_TENSORS)
		return wh_fail(err, WH_ECORRUPT,
			       "the zip archive says that it has %llu members "
			       "in a directory of %llu bytes",
			       (unsigned long long)directory.n_members,
			       (unsigned long long)directory.size);
	made.n_members = (uint32_t)directory.n_members;
	made.comment = directory.comment;
	made.comment_size = (uint16_t)(size - directory.comment);
	made.members =
		arena_alloc(arena, made.n_members, sizeof(*made.members));
	if (!made.members)
		return wh_fail_memory(err);
	WH_TRY(read_entries(&made, &directory, arena, err));
	WH_TRY(check_distinct(&made, err));
	for (i = 0; i < made.n_members; i++)
		WH_TRY(check_local(&made, &made.members[i], err));
	WH_TRY(check_overlap(&made, directory.offset, err));
	*archive = made;
	return WH_OK;
}
