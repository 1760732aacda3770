/* Opening an archive of arrays, or a single one. */
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>

#include "base/auto.h"
#include "base/text.h"
#include "mapping/neutral.h"
#include "npz/npz.h"
#include "npz/source.h"
#include "zip/layout.h"

#define PIECE ((size_t)64 << 10)
/* What numpy.savez calls an array that it is given no name for. */
#define LONE_NAME "arr_0"

WH_DEFINE_AUTO(manifest_builder, manifest_builder_free);

bool npy_probe(const char *path)
{
	char head[NPY_MAGIC_SIZE];
	int fd wh_close_auto = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);

	return fd >= 0 && pread(fd, head, sizeof(head), 0) == sizeof(head) &&
	       memcmp(head, NPY_MAGIC, sizeof(head)) == 0;
}

/* An archive with an array in it; damaged ones by their name alone. */
bool npz_probe(const char *path)
{
	struct file_reader reader;
	struct zip_archive archive;
	struct arena arena = {0};
	bool found = false;
	uint32_t i;

	if (reader_open(&reader, path, NULL))
		return false;
	if (zip_open(reader.fd, reader.size, &arena, &archive, NULL))
		found = zip_probe(reader.fd) && text_ends(path, ".npz");
	else
		for (i = 0, found = !archive.n_members;
		     i < archive.n_members && !found; i++)
			found = text_ends(archive.members[i].name, NPY_SUFFIX);
	arena_free(&arena);
	reader_close(&reader);
	return found;
}

struct listed {
	const char *key;
	struct npz_place place;
};

struct loading {
	struct npz_source *source;
	struct manifest_builder *builder;
	struct listed *listed; /* in the archive's order; in the arena */
	const char **keys, **names;
	uint32_t *order;
	uint32_t n;
	const char *described; /* in the arena; or NULL */
	size_t described_size;
	struct neutral_description *description;
};

/* ---- Arrays
 * -------------------------------------------------------------------- */

static enum wh_status read_head(const uint8_t *head, size_t len, uint64_t size,
				struct npz_place *place, struct wh_error *err)
{
	struct npy_header *header = &place->header;
	uint32_t i, n = 0;

	WH_TRY(npy_header_read(head, len, header, err));
	if (header->nbytes > size - header->size)
		return wh_fail(
			err, WH_ECORRUPT,
			"its payload takes %llu bytes, of which %llu are "
			"there",
			(unsigned long long)header->nbytes,
			(unsigned long long)(size - header->size));
	/* Orders differ only where two indexes run. */
	for (i = 0; i < header->rank; i++)
		n += header->shape[i] > 1;
	header->fortran &= n > 1 && header->nbytes > 0;
	return WH_OK;
}

/* NumPy checks the sums of what it reads, so a damaged member is no array. */
static enum wh_status check_rest(struct zip_stream *stream,
				 const struct zip_member *member,
				 struct wh_error *err)
{
	uint8_t piece[PIECE];
	uint64_t left = member->size - zip_stream_tell(stream);

	while (left) {
		size_t len = left < PIECE ? (size_t)left : PIECE;

		WH_TRY(zip_stream_read(stream, piece, len, err));
		left -= len;
	}
	return WH_OK;
}

static enum wh_status read_member(struct npz_source *source,
				  const struct zip_member *member,
				  struct npz_place *place, struct wh_error *err)
{
	wh_auto(zip_stream) stream = NULL;
	uint8_t head[NPY_MAX_HEAD];
	size_t len = member->size < sizeof(head) ? (size_t)member->size
						 : sizeof(head);

	WH_TRY(zip_stream_open(&source->archive, member, &stream, err));
	WH_TRY(zip_stream_read(stream, head, len, err));
	WH_TRY(read_head(head, len, member->size, place, err));
	if (member->method != ZIP_STORED) {
		place->packed = member;
		source->base.ops = &npz_packed_ops;
		return WH_OK;
	}
	place->offset = member->offset + place->header.size;
	return check_rest(stream, member, err);
}

static enum wh_status list_members(struct loading *loading,
				   struct wh_error *err)
{
	struct npz_source *source = loading->source;
	uint32_t i;

	for (i = 0; i < source->archive.n_members; i++) {
		const struct zip_member *member = &source->archive.members[i];
		struct listed *at = &loading->listed[loading->n];
		enum wh_status status;

		if (!text_ends(member->name, NPY_SUFFIX)) {
			WH_TRY(manifest_warn(loading->builder, err,
					     "member '%s' is no array: it is "
					     "left aside",
					     member->name));
			continue;
		}
		at->key =
			arena_bytes(&source->arena, member->name,
				    strlen(member->name) - strlen(NPY_SUFFIX));
		if (!at->key)
			return wh_fail_memory(err);
		status = read_member(source, member, &at->place, err);
		if (status) {
			wh_error_prefix(err, "member '%s'", member->name);
			return status;
		}
		loading->n++;
	}
	return WH_OK;
}

static enum wh_status read_comment(struct loading *loading,
				   struct wh_error *err)
{
	struct npz_source *source = loading->source;
	const struct zip_archive *archive = &source->archive;
	size_t mark = strlen(NPZ_COMMENT), len = archive->comment_size;
	char *text = arena_alloc(&source->arena, len + 1, 1);

	if (!text)
		return wh_fail_memory(err);
	WH_TRY(reader_read(&source->reader, archive->comment, text, len, err));
	if (len < mark || memcmp(text, NPZ_COMMENT, mark) != 0)
		return WH_OK;
	loading->described = text + mark;
	loading->described_size = len - mark;
	return WH_OK;
}

/* ---- The manifest
 * -------------------------------------------------------------- */

static enum wh_status allocate(struct loading *loading, uint32_t n,
			       struct wh_error *err)
{
	struct arena *arena = &loading->source->arena;

	loading->listed = arena_alloc(arena, n, sizeof(*loading->listed));
	loading->keys = arena_alloc(arena, n, sizeof(*loading->keys));
	loading->order = arena_alloc(arena, n, sizeof(*loading->order));
	loading->names = arena_alloc(arena, n, sizeof(*loading->names));
	loading->source->places =
		arena_alloc(arena, n, sizeof(*loading->source->places));
	if (!loading->listed || !loading->keys || !loading->order ||
	    !loading->names || !loading->source->places)
		return wh_fail_memory(err);
	return WH_OK;
}

static enum wh_status add_tensors(struct loading *loading, struct wh_error *err)
{
	uint32_t i;

	for (i = 0; i < loading->n; i++)
		loading->keys[i] = loading->listed[i].key;
	WH_TRY(neutral_description_read(
		loading->builder, loading->keys, loading->n, loading->described,
		loading->described_size, &loading->source->arena,
		&loading->description, err));
	WH_TRY(neutral_order(loading->description, loading->keys, loading->n,
			     &loading->source->arena, loading->order,
			     loading->names, err));
	for (i = 0; i < loading->n; i++) {
		const struct listed *at = &loading->listed[loading->order[i]];
		const struct npy_header *header = &at->place.header;

		WH_TRY(manifest_add_tensor(loading->builder, loading->names[i],
					   header->dtype, header->rank,
					   header->shape, header->nbytes, NULL,
					   err));
		loading->source->places[i] = at->place;
		loading->keys[i] = at->key;
	}
	return WH_OK;
}

static enum wh_status make_manifest(struct loading *loading, const char *format,
				    struct wh_error *err)
{
	struct npz_source *source = loading->source;
	struct wh_manifest *manifest = &source->base.manifest;
	struct wh_template *made;
	struct neutral_origin origin;

	WH_TRY(add_tensors(loading, err));
	WH_TRY(neutral_layers(loading->builder, &source->arena,
			      loading->description, loading->keys, loading->n,
			      &origin, err));
	manifest_show_tensors(loading->builder, manifest);
	WH_TRY(npz_template_make(source, format, loading->builder, &made, err));
	WH_TRY(manifest_finish(loading->builder, manifest, err));
	manifest->template_ = made;
	manifest->origin_format = origin.format ? origin.format : format;
	manifest->origin_generator = origin.generator;
	manifest->graph = origin.graph;
	return WH_OK;
}

static enum wh_status load_archive(struct loading *loading,
				   struct wh_error *err)
{
	struct npz_source *source = loading->source;

	WH_TRY(zip_open(source->reader.fd, source->reader.size, &source->arena,
			&source->archive, err));
	WH_TRY(allocate(loading, source->archive.n_members, err));
	WH_TRY(list_members(loading, err));
	WH_TRY(read_comment(loading, err));
	return make_manifest(loading, "npz", err);
}

static enum wh_status load_array(struct loading *loading, struct wh_error *err)
{
	struct npz_source *source = loading->source;
	uint64_t size = source->reader.size;
	uint8_t head[NPY_MAX_HEAD];
	size_t len = size < sizeof(head) ? (size_t)size : sizeof(head);

	WH_TRY(allocate(loading, 1, err));
	WH_TRY(reader_read(&source->reader, 0, head, len, err));
	WH_TRY(read_head(head, len, size, &loading->listed->place, err));
	loading->listed->key = LONE_NAME;
	loading->listed->place.offset = loading->listed->place.header.size;
	loading->n = 1;
	return make_manifest(loading, "npy", err);
}

static enum wh_status load(const char *path,
			   enum wh_status (*fill)(struct loading *,
						  struct wh_error *),
			   struct wh_source **out, struct wh_error *err)
{
	wh_auto(manifest_builder) builder = NULL;
	struct loading loading = {0};
	enum wh_status status;

	WH_TRY(npz_source_open(path, &loading.source, err));
	status = manifest_builder_new(&loading.source->arena, &builder, err);
	loading.builder = builder;
	if (!status)
		status = fill(&loading, err);
	neutral_description_free(loading.description);
	if (status) {
		wh_source_close(&loading.source->base);
		return status;
	}
	*out = &loading.source->base;
	return WH_OK;
}

enum wh_status npz_load(const char *path, const struct wh_load_options *options,
			struct wh_source **source, struct wh_error *err)
{
	(void)options;
	return load(path, load_archive, source, err);
}

enum wh_status npy_load(const char *path, const struct wh_load_options *options,
			struct wh_source **source, struct wh_error *err)
{
	(void)options;
	return load(path, load_array, source, err);
}
