#include "hdf5/literals.h"

#include <stdlib.h>
#include <string.h>

#include "base/auto.h"
#include "hdf5/image_file.h"

#define LITERAL_PIECE ((size_t)64 << 10)
#define N_ZEROS	      ((size_t)4 << 10) /* that all gaps are made of */

/* Where one payload goes. */
struct place {
	uint64_t offset;
	uint32_t tensor;
};

static int compare_places(const void *a, const void *b)
{
	const struct place *left = a, *right = b;

	return left->offset < right->offset ? -1 : left->offset > right->offset;
}

/* The payloads' places in the order of the file; `*places` is the caller's. */
static enum wh_status sort_places(const struct wh_manifest *manifest,
				  const uint64_t *offset_of,
				  struct place **places, uint32_t *n_places,
				  struct wh_error *err)
{
	uint32_t i, n = 0;

	*places = calloc((size_t)manifest->n_tensors + 1, sizeof(**places));
	if (!*places)
		return wh_fail_memory(err);
	for (i = 0; i < manifest->n_tensors; i++)
		if (offset_of[i] != IMAGE_NOWHERE)
			(*places)[n++] = (struct place){offset_of[i], i};
	qsort(*places, n, sizeof(**places), compare_places);
	*n_places = n;
	return WH_OK;
}

/* Where literals come from: one of the two. */
struct laid_out {
	const struct sparse_image *image;
	const struct classic_writer *writer; /* whose bytes are the literals */
	size_t next;	/* of its pieces: those before it are behind us */
	uint64_t zeros; /* where N_ZEROS of them are among the literals */
};

static enum wh_status copy_image(struct wh_image *out,
				 const struct laid_out *from, uint64_t end,
				 struct wh_error *err)
{
	uint8_t piece[LITERAL_PIECE];

	while (out->size < end) {
		size_t some = LITERAL_PIECE;

		if (some > end - out->size)
			some = (size_t)(end - out->size);
		sparse_image_read(from->image, out->size, piece, some);
		WH_TRY(wh_image_literal(out, piece, some, err));
	}
	return WH_OK;
}

/* Bytes that are among the literals. */
static enum wh_status name_bytes(struct wh_image *out, uint64_t start,
				 uint64_t length, struct wh_error *err)
{
	struct wh_extent *last =
		out->n_extents ? &out->extents[out->n_extents - 1] : NULL;

	if (!last || last->tensor != WH_LITERAL ||
	    last->start + last->length != start)
		return wh_image_extent(out,
				       &(struct wh_extent){.offset = out->size,
							   .length = length,
							   .tensor = WH_LITERAL,
							   .start = start},
				       err);
	last->length += length;
	out->size += length;
	return WH_OK;
}

static enum wh_status name_pieces(struct wh_image *out, struct laid_out *from,
				  uint64_t end, struct wh_error *err)
{
	const struct classic_writer *writer = from->writer;

	while (out->size < end) {
		const struct classic_piece *piece = &writer->pieces[from->next];
		uint64_t start = from->zeros, some = end - out->size, left;

		if (from->next == writer->n_pieces) {
			left = N_ZEROS;
		} else if (piece->address > out->size) {
			left = piece->address - out->size;
			left = left < N_ZEROS ? left : N_ZEROS;
		} else if (piece->address + piece->size <= out->size) {
			from->next++;
			continue;
		} else {
			left = piece->address + piece->size - out->size;
			start = piece->start + piece->size - left;
		}
		WH_TRY(name_bytes(out, start, left < some ? left : some, err));
	}
	return WH_OK;
}

static enum wh_status add_literal(struct wh_image *out, struct laid_out *from,
				  uint64_t end, struct wh_error *err)
{
	return from->image ? copy_image(out, from, end, err)
			   : name_pieces(out, from, end, err);
}

static enum wh_status fill(const struct wh_manifest *manifest,
			   struct laid_out *from, uint64_t size,
			   const uint64_t *offset_of, struct wh_image *out,
			   struct wh_error *err)
{
	wh_free_auto struct place *places = NULL;
	uint32_t i, n_places = 0;

	WH_TRY(sort_places(manifest, offset_of, &places, &n_places, err));
	for (i = 0; i < n_places; i++) {
		WH_TRY(add_literal(out, from, places[i].offset, err));
		WH_TRY(wh_image_payload(
			out, places[i].tensor, 0,
			manifest->tensors[places[i].tensor].nbytes, err));
	}
	return add_literal(out, from, size, err);
}

enum wh_status literals_fill(const struct wh_manifest *manifest,
			     const struct sparse_image *image,
			     const uint64_t *offset_of, struct wh_image *out,
			     struct wh_error *err)
{
	struct laid_out from = {.image = image};

	return fill(manifest, &from, image->size, offset_of, out, err);
}

enum wh_status literals_fill_classic(const struct wh_manifest *manifest,
				     struct classic_writer *writer,
				     const uint64_t *offset_of,
				     struct wh_image *out, struct wh_error *err)
{
	struct laid_out from = {.writer = writer};

	out->literals = writer->bytes;
	writer->bytes = (struct wh_buf){0};
	from.zeros = out->literals.size;
	WH_TRY(wh_buf_append_zeros(&out->literals, N_ZEROS, err));
	/* Of each piece its bytes, and the zeros behind them. */
	WH_TRY(wh_image_reserve(out, 2 * writer->n_pieces + manifest->n_tensors,
				err));
	return fill(manifest, &from, writer->space.end, offset_of, out, err);
}
