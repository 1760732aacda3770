/* Attributes and templates as texts. */
#include "canonical.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "base/auto.h"
#include "base/checked.h"
#include "base/text.h"
#include "core/manifest.h"
#include "core/order.h"

/* ---- Attributes: KIND PATH <tab> KEY <tab> VALUE --------------------------
 */

static const char *const value_words[] = {
	[WH_VALUE_TEXT] = "text",
	[WH_VALUE_INTEGER] = "integer",
	[WH_VALUE_BYTES] = "bytes",
};

static enum wh_status add_attribute(struct wh_buf *out,
				    const struct wh_attribute *at,
				    struct wh_error *err)
{
	WH_TRY(wh_buf_printf(out, err, "%s ", value_words[at->kind]));
	WH_TRY(line_escape(out, at->path, strlen(at->path), err));
	WH_TRY(wh_buf_append(out, "\t", 1, err));
	WH_TRY(line_escape(out, at->key, strlen(at->key), err));
	WH_TRY(wh_buf_append(out, "\t", 1, err));
	if (at->kind == WH_VALUE_INTEGER)
		return wh_buf_printf(out, err, "%" PRId64 "\n", at->integer);
	WH_TRY(line_escape(out, at->text, (size_t)at->size, err));
	return wh_buf_append(out, "\n", 1, err);
}

enum wh_status canonical_attributes(struct wh_buf *out,
				    const struct wh_manifest *manifest,
				    struct wh_error *err)
{
	uint32_t i;

	WH_TRY(wh_buf_printf(out, err,
			     "weighhouse attributes 1\ncount %" PRIu32 "\n",
			     manifest->n_attributes));
	for (i = 0; i < manifest->n_attributes; i++)
		WH_TRY(add_attribute(out, &manifest->attributes[i], err));
	return WH_OK;
}

static bool parse_value_kind(const char *word, enum wh_value_kind *kind)
{
	int i;

	for (i = WH_VALUE_TEXT; i <= WH_VALUE_BYTES; i++)
		if (strcmp(word, value_words[i]) == 0) {
			*kind = (enum wh_value_kind)i;
			return true;
		}
	return false;
}

static enum wh_status read_attribute(struct line_reader *reader,
				     struct wh_attribute *at,
				     struct wh_error *err)
{
	char *fields[3];
	size_t sizes[3];

	if (!parse_value_kind(reader->word, &at->kind))
		return line_bad(reader, err);
	WH_TRY(line_fields(reader, fields, sizes, 3, err));
	at->path = fields[0];
	at->key = fields[1];
	if (at->kind == WH_VALUE_INTEGER) {
		if (!text_to_i64(fields[2], &at->integer))
			return line_bad(reader, err);
		return WH_OK;
	}
	at->text = fields[2];
	at->size = sizes[2];
	return WH_OK;
}

/* The first two lines: what the text is, and how many of what follow. */
static enum wh_status read_head(struct line_reader *reader, const char *title,
				const char *counted, uint64_t *n,
				struct wh_error *err)
{
	enum wh_status status;

	if (!line_next(reader, &status, err) ||
	    strcmp(reader->word, "weighhouse") != 0 ||
	    strcmp(reader->value, title) != 0)
		return status ? status : line_bad(reader, err);
	if (!line_next(reader, &status, err) ||
	    strcmp(reader->word, counted) != 0 ||
	    !text_to_u64(reader->value, n) ||
	    *n > (uint64_t)(reader->end - reader->at))
		return status ? status : line_bad(reader, err);
	return WH_OK;
}

enum wh_status canonical_read_attributes(const char *text, size_t len,
					 struct arena *arena,
					 struct wh_attribute **out,
					 uint32_t *n_out, struct wh_error *err)
{
	struct line_reader reader = {text, text + len, arena, NULL, NULL};
	struct wh_attribute *attributes;
	enum wh_status status;
	uint64_t n = 0, i = 0;

	WH_TRY(read_head(&reader, "attributes 1", "count", &n, err));
	attributes = arena_alloc(arena, (size_t)n, sizeof(*attributes));
	if (!attributes)
		return wh_fail_memory(err);
	while (line_next(&reader, &status, err)) {
		if (i == n)
			return line_bad(&reader, err);
		WH_TRY(read_attribute(&reader, &attributes[i++], err));
	}
	if (!status && i != n)
		status = line_bad(&reader, err);
	if (status)
		return status;
	*out = attributes;
	*n_out = (uint32_t)n;
	return WH_OK;
}

/* ---- Templates ----------------------------------------------------------- */

static enum wh_status add_extent(struct wh_buf *out,
				 const struct wh_template *template_,
				 const uint32_t *rank,
				 const struct wh_extent *at,
				 struct wh_error *err)
{
	if (at->tensor == template_->skeleton)
		return wh_buf_printf(out, err,
				     "extent %" PRIu64 "\t-\t%" PRIu64
				     "\t0\t0\t0\n",
				     at->length, at->start);
	return wh_buf_printf(out, err,
			     "extent %" PRIu64 "\t%" PRIu32 "\t%" PRIu64
			     "\t%" PRIu64 "\t%" PRIu64 "\t%u\n",
			     at->length, rank[at->tensor], at->start, at->run,
			     at->stride, at->swap);
}

static enum wh_status add_file(struct wh_buf *out,
			       const struct wh_template *template_,
			       const uint32_t *rank,
			       const struct wh_template_file *file,
			       struct wh_error *err)
{
	uint32_t i;

	WH_TRY(wh_buf_printf(
		out, err, "file %" PRIu64 "\t%s\t%" PRIu32 "\t", file->size,
		file->canonical ? "canonical" : "extents", file->n_extents));
	WH_TRY(line_escape(out, file->suffix, strlen(file->suffix), err));
	WH_TRY(wh_buf_append(out, "\n", 1, err));
	for (i = 0; i < file->n_extents; i++)
		WH_TRY(add_extent(out, template_, rank, &file->extents[i],
				  err));
	return WH_OK;
}

enum wh_status canonical_template(struct wh_buf *out,
				  const struct wh_manifest *manifest,
				  struct wh_error *err)
{
	const struct wh_template *template_ = manifest->template_;
	uint32_t *rank wh_free_auto =
		calloc((size_t)manifest->n_tensors + 1, sizeof(*rank));
	uint32_t i;

	if (!rank)
		return wh_fail_memory(err);
	WH_TRY(manifest_rank(manifest, rank, err));
	WH_TRY(wh_buf_printf(out, err,
			     "weighhouse template 1\nfiles %" PRIu32 "\n",
			     template_->n_files));
	WH_TRY(line_field(out, "format", template_->format, err));
	/* The skeleton's bytes are part of what the text identifies. */
	if (template_->skeleton != WH_LITERAL)
		WH_TRY(line_digest(
			out, "skeleton",
			manifest->tensors[template_->skeleton].sha256, err));
	for (i = 0; i < template_->n_files; i++)
		WH_TRY(add_file(out, template_, rank, &template_->files[i],
				err));
	return WH_OK;
}

static enum wh_status read_file(struct line_reader *reader,
				struct wh_template_file *file,
				uint64_t *n_extents, struct wh_error *err)
{
	char *fields[4];

	WH_TRY(line_fields(reader, fields, NULL, 4, err));
	if (!text_to_u64(fields[0], &file->size) ||
	    !text_to_u64(fields[2], n_extents) ||
	    *n_extents > (uint64_t)(reader->end - reader->at))
		return line_bad(reader, err);
	file->canonical = strcmp(fields[1], "canonical") == 0;
	file->suffix = fields[3];
	/* A suffix becomes part of a path. */
	if (strchr(file->suffix, '/'))
		return line_bad(reader, err);
	file->extents = arena_alloc(reader->arena, (size_t)*n_extents,
				    sizeof(*file->extents));
	return file->extents ? WH_OK : wh_fail_memory(err);
}

static enum wh_status read_extent(struct line_reader *reader,
				  uint32_t n_tensors,
				  struct wh_template_file *file,
				  uint64_t *offset, struct wh_error *err)
{
	struct wh_extent *at = &file->extents[file->n_extents];
	uint64_t tensor = n_tensors, swap;
	char *fields[6];

	WH_TRY(line_fields(reader, fields, NULL, 6, err));
	if (!text_to_u64(fields[0], &at->length) ||
	    (strcmp(fields[1], "-") != 0 &&
	     (!text_to_u64(fields[1], &tensor) || tensor >= n_tensors)) ||
	    !text_to_u64(fields[2], &at->start) ||
	    !text_to_u64(fields[3], &at->run) ||
	    !text_to_u64(fields[4], &at->stride) ||
	    !text_to_u64(fields[5], &swap) || swap > WIDEST_ELEMENT)
		return line_bad(reader, err);
	at->offset = *offset;
	at->tensor = (uint32_t)tensor;
	at->swap = (uint8_t)swap;
	if (!checked_add(*offset, at->length, offset) || *offset > file->size)
		return line_bad(reader, err);
	file->n_extents++;
	return WH_OK;
}

struct template_parser {
	struct wh_template *template_;
	struct wh_template_file *file; /* the one under way, or NULL */
	uint64_t offset;
	uint32_t n_files, n_tensors;
	uint64_t n_extents; /* that the file's line announced */
};

static enum wh_status end_file(const struct template_parser *parser,
			       struct line_reader *reader, struct wh_error *err)
{
	if (!parser->file || parser->file->canonical ||
	    parser->offset == parser->file->size)
		return WH_OK;
	return line_bad(reader, err);
}

static enum wh_status read_part(struct template_parser *parser,
				struct line_reader *reader,
				struct wh_error *err)
{
	struct wh_template *made = parser->template_;

	if (strcmp(reader->word, "format") == 0) {
		made->format = reader->value;
		return WH_OK;
	}
	if (strcmp(reader->word, "skeleton") == 0) {
		made->skeleton = parser->n_tensors;
		return WH_OK;
	}
	if (strcmp(reader->word, "file") == 0) {
		WH_TRY(end_file(parser, reader, err));
		if (parser->n_files == made->n_files)
			return line_bad(reader, err);
		parser->file = &made->files[parser->n_files++];
		parser->offset = 0;
		return read_file(reader, parser->file, &parser->n_extents, err);
	}
	if (strcmp(reader->word, "extent") != 0 || !parser->file ||
	    parser->file->n_extents == parser->n_extents)
		return line_bad(reader, err);
	return read_extent(reader, parser->n_tensors, parser->file,
			   &parser->offset, err);
}

enum wh_status canonical_read_template(const char *text, size_t len,
				       uint32_t n_tensors, struct arena *arena,
				       struct wh_template **out,
				       struct wh_error *err)
{
	struct line_reader reader = {text, text + len, arena, NULL, NULL};
	struct template_parser parser = {.n_tensors = n_tensors};
	struct wh_template *made = arena_alloc(arena, 1, sizeof(*made));
	enum wh_status status;
	uint64_t n = 0;

	if (!made)
		return wh_fail_memory(err);
	parser.template_ = made;
	WH_TRY(read_head(&reader, "template 1", "files", &n, err));
	made->files = arena_alloc(arena, (size_t)n, sizeof(*made->files));
	if (!made->files)
		return wh_fail_memory(err);
	made->n_files = (uint32_t)n;
	made->skeleton = WH_LITERAL;
	while (line_next(&reader, &status, err))
		WH_TRY(read_part(&parser, &reader, err));
	if (!status && (parser.n_files != n || !made->format))
		status = line_bad(&reader, err);
	if (!status)
		status = end_file(&parser, &reader, err);
	if (!status)
		*out = made;
	return status;
}
