#include "hdf5/keras3/open.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/auto.h"
#include "zip/stream.h"

#define WEIGHTS_MEMBER "model.weights.h5"
#define MAX_CONFIG     (UINT64_C(64) << 20)
#define MAX_METADATA   (UINT64_C(1) << 20)

WH_DEFINE_AUTO(arena, arena_free);

void keras3_opened_free(struct keras3_opened *opened)
{
	wh_buf_free(&opened->config);
	wh_buf_free(&opened->metadata);
	wh_buf_free(&opened->map);
}

/* ---- Kinds ------------------------------------------------------------ */

static bool has_weights_member(int fd)
{
	struct arena arena_memory = {0};
	wh_auto(arena) arena = &arena_memory;
	struct zip_archive archive;
	struct stat at;

	return fstat(fd, &at) == 0 &&
	       zip_open(fd, (uint64_t)at.st_size, arena, &archive, NULL) ==
		       WH_OK &&
	       zip_find(&archive, "config.json") &&
	       zip_find(&archive, "metadata.json");
}

/* Whether the root is one of classic/ that is Keras 3's: `*found`. False: that
 * can't be said. Members are looked at only where attributes don't say it. */
static bool look_at_root(struct h5_source *source, bool *found)
{
	struct h5_view view_auto header = {0};
	struct h5_view view_auto root = {0};

	*found = false;
	if (!view_classic_header(source, &header))
		return false;
	if (keras3_tree_lists_layers(&header))
		return true;
	if (!view_classic_root(source, &root))
		return false;
	*found = keras3_tree_is_root(&root);
	return view_is_sure(source);
}

/* By classic/ alone: whoever asks is no process apart. */
static enum keras3_kind kind_of_root(const char *path)
{
	enum keras3_kind kind = KERAS3_NONE;
	struct h5_source *source = NULL;
	bool found;

	if (h5_source_open(path, &source, NULL))
		return KERAS3_NONE;
	if (look_at_root(source, &found))
		kind = found ? KERAS3_HDF5 : KERAS3_NONE;
	else if (h5_source_has_signature(source))
		kind = KERAS3_MAYBE;
	wh_source_close(&source->base);
	return kind;
}

enum keras3_kind keras3_kind_of_file(const char *path)
{
	int fd wh_close_auto = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	struct stat at;
	char first;

	if (fd < 0 || fstat(fd, &at) || !S_ISREG(at.st_mode) ||
	    pread(fd, &first, 1, 0) != 1)
		return KERAS3_NONE;
	if (zip_probe(fd))
		return has_weights_member(fd) ? KERAS3_ARCHIVE : KERAS3_NONE;
	if (first == '{')
		return keras3_is_map(path) ? KERAS3_SHARDED : KERAS3_NONE;
	return kind_of_root(path);
}

uint64_t keras3_size(const char *path)
{
	int fd wh_close_auto = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	struct keras3_opened opened = {0};
	struct stat at;
	uint64_t size = 0;
	uint32_t i;
	char first;

	if (fd < 0 || fstat(fd, &at) || !S_ISREG(at.st_mode))
		return 0;
	if (pread(fd, &first, 1, 0) != 1 || first != '{')
		return (uint64_t)at.st_size;
	if (keras3_open_sharded(path, &opened, NULL) == WH_OK)
		for (i = 0; i < opened.source->n_files; i++)
			size += (uint64_t)opened.source->files[i]
					.opened.st_size;
	if (opened.source)
		wh_source_close(&opened.source->base);
	keras3_opened_free(&opened);
	return size;
}

/* ---- One file --------------------------------------------------------- */

enum wh_status keras3_open_hdf5(const char *path, struct keras3_opened *opened,
				struct wh_error *err)
{
	struct keras3_source *source;

	WH_TRY(keras3_source_new(1, 1, &opened->source, err));
	source = opened->source;
	WH_TRY(keras3_source_add_file(source, path, "", err));
	return keras3_source_add_part(source, 0, -1, 0,
				      (uint64_t)source->files[0].opened.st_size,
				      err);
}

/* ---- An archive ------------------------------------------------------- */

static enum wh_status read_text(const struct zip_archive *archive,
				const char *name, uint64_t limit,
				struct wh_buf *out, struct wh_error *err)
{
	const struct zip_member *member = zip_find(archive, name);

	if (member)
		WH_TRY(zip_read_all(archive, member, limit, out, err));
	return wh_buf_append(out, "", 1, err);
}

/* A file that has no name and goes with its descriptor. */
static enum wh_status open_temporary(int *fd, struct wh_error *err)
{
	const char *folder = getenv("TMPDIR");

	if (!folder || !*folder)
		folder = "/tmp";
	*fd = open(folder, O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);
	if (*fd < 0)
		return wh_fail_errno(err, errno,
				     "can't make a temporary file in '%s'",
				     folder);
	return WH_OK;
}

/* libhdf5 needs random access, which deflated bytes don't give. */
static enum wh_status unpack(struct keras3_source *source,
			     const struct zip_archive *archive,
			     const struct zip_member *member,
			     struct wh_error *err)
{
	enum wh_status status;
	int fd = -1;

	WH_TRY(open_temporary(&fd, err));
	status = zip_unpack(archive, member, fd, err);
	if (status) {
		close(fd);
		return status;
	}
	source->is_unpacked = true;
	return keras3_source_add_part(source, 0, fd, 0, member->size, err);
}

static enum wh_status fail_member(const struct zip_archive *archive,
				  struct wh_error *err)
{
	bool npz = zip_find(archive, "model.weights.npz") != NULL;

	return wh_fail(err, npz ? WH_EUNSUPPORTED : WH_ECORRUPT,
		       npz ? "the archive's weights are in NumPy's format "
			     "(model.weights.npz), which Keras archives are "
			     "not read in"
			   : "the archive has no '" WEIGHTS_MEMBER "'");
}

enum wh_status keras3_open_archive(const char *path,
				   struct keras3_opened *opened,
				   struct wh_error *err)
{
	const struct zip_member *member;
	struct keras3_source *source;
	struct zip_archive archive = {0};

	WH_TRY(keras3_source_new(1, 1, &opened->source, err));
	source = opened->source;
	WH_TRY(keras3_source_add_file(source, path, "", err));
	WH_TRY(zip_open(source->files[0].fd,
			(uint64_t)source->files[0].opened.st_size,
			&source->arena, &archive, err));
	member = zip_find(&archive, WEIGHTS_MEMBER);
	if (!member)
		return fail_member(&archive, err);
	opened->weights = *member;
	WH_TRY(read_text(&archive, "config.json", MAX_CONFIG, &opened->config,
			 err));
	WH_TRY(read_text(&archive, "metadata.json", MAX_METADATA,
			 &opened->metadata, err));
	if (member->method != 0 || member->encrypted)
		return unpack(source, &archive, member, err);
	return keras3_source_add_part(source, 0, -1, member->offset,
				      member->size, err);
}
