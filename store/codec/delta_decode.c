/* The decoder: trusts nothing of a chunk. Its head is read here; what follows
 * are lanes or streams. */
#include <stdlib.h>
#include <string.h>

#include "base/endian.h"
#include "codec/delta_internal.h"

/* Bytes that are decoded to be compared: they stay in the nearest cache. A
 * multiple of the states, whatever the width. */
#define PROOF_PIECE ((size_t)16 << 10)

static enum wh_status damaged(struct wh_error *err)
{
	return wh_fail(err, WH_ECORRUPT, "a chunk's difference is damaged");
}

bool delta_needs_context(const uint8_t *coded, size_t size)
{
	return size && coded[0] & HAS_CONTEXT;
}

/* ---- The head -------------------------------------------------------------
 */

static bool read_models(struct delta_coder *coder, struct bit_reader *from,
			struct delta_models *models)
{
	unsigned i;

	models->n = 1;
	models->model_of[0] = 0;
	for (i = 1; i < N_CLASSES; i++) {
		models->n += bits_read(from, 1);
		models->model_of[i] = (uint8_t)(models->n - 1);
	}
	for (i = 0; i < models->n; i++)
		if (!ans_model_read(from, &coder->models[i], models->log))
			return false;
	return !from->short_;
}

/* The body begins at `from`, then. */
static bool read_head(struct delta_coder *coder, struct bit_reader *from,
		      struct delta_head *head)
{
	const uint8_t *at = from->at;

	if ((size_t)(from->end - at) < HEAD_SIZE || at[0] > 31 || at[2] < 8 ||
	    at[2] > ANS_LOG_MAX)
		return false;
	head->element.width = (uint8_t)(1u << (at[0] & 3));
	head->element.mantissa = at[1];
	if (at[1] >= 8u * head->element.width)
		return false;
	head->n_lanes = at[0] & FOUR_LANES ? MAX_LANES : 1;
	if (at[0] & STREAMS)
		head->n_lanes = N_STATES;
	head->models.log = at[2];
	from->at += HEAD_SIZE;
	if (!read_models(coder, from, &head->models))
		return false;
	bits_align(from);
	return true;
}

static enum wh_status make_room(struct delta_coder *coder, size_t bytes,
				struct wh_error *err)
{
	if (bytes <= coder->cells_room)
		return WH_OK;
	free(coder->cells);
	coder->cells = malloc(bytes);
	coder->cells_room = coder->cells ? bytes : 0;
	return coder->cells ? WH_OK : wh_fail_memory(err);
}

/* ---- Bodies ---------------------------------------------------------------
 */

static enum wh_status decode_lanes(struct delta_coder *coder,
				   const struct delta_head *head,
				   const struct delta_reference *reference,
				   const struct bit_reader *body, uint8_t *out,
				   size_t n, struct wh_error *err)
{
	const struct delta_models *models = &head->models;
	size_t n_cells = (size_t)models->n << models->log;
	struct delta_cell *cells;
	unsigned i;

	WH_TRY(make_room(coder, n_cells * sizeof(*cells), err));
	cells = coder->cells;
	for (i = 0; i < models->n; i++)
		delta_lanes_cells(cells + ((size_t)i << models->log),
				  &coder->models[i], models->log,
				  head->element.width == 8);
	if (!delta_lanes_decode(head, cells, reference, body->at,
				(size_t)(body->end - body->at), out, n))
		return damaged(err);
	return WH_OK;
}

static enum wh_status open_streams(struct delta_coder *coder,
				   const struct delta_head *head,
				   const struct bit_reader *body,
				   struct streams *streams,
				   struct wh_error *err)
{
	const struct delta_models *models = &head->models;
	size_t n_cells = (size_t)models->n << models->log;
	unsigned i;

	*streams =
		(struct streams){.log = models->log, .element = head->element};
	WH_TRY(make_room(coder,
			 (n_cells + STREAMS_SLACK) * sizeof(*streams->cells),
			 err));
	for (i = 0; i < models->n; i++)
		if (!streams_cells((uint32_t *)coder->cells +
					   ((size_t)i << models->log),
				   &coder->models[i]))
			return damaged(err);
	streams->cells = coder->cells;
	for (i = 0; i < 256; i++)
		streams->rows[i] = delta_model_of(models, i) << models->log;
	if (!streams_open(streams, body->at, (size_t)(body->end - body->at)))
		return damaged(err);
	return WH_OK;
}

static enum wh_status decode_streams(struct delta_coder *coder,
				     const struct delta_head *head,
				     const struct delta_reference *reference,
				     const struct bit_reader *body,
				     uint8_t *out, size_t n,
				     struct wh_error *err)
{
	struct streams streams;

	WH_TRY(open_streams(coder, head, body, &streams, err));
	streams_decode(&streams, reference->base, reference->context, out, n);
	return streams_close(&streams) ? WH_OK : damaged(err);
}

/* The head, and of the reference what it says is used. */
static enum wh_status open_chunk(struct delta_coder *coder,
				 struct bit_reader *from, size_t len,
				 struct delta_head *head,
				 struct delta_reference *reference,
				 struct wh_error *err)
{
	if (!delta_needs_context(from->at, (size_t)(from->end - from->at)))
		reference->context = NULL;
	else if (!reference->context)
		return wh_fail(err, WH_ECORRUPT,
			       "a chunk's difference lacks its context");
	if (!read_head(coder, from, head) || len % head->element.width ||
	    (head->n_lanes == N_STATES && head->element.width == 8))
		return damaged(err);
	return WH_OK;
}

enum wh_status delta_decode(struct delta_coder *coder,
			    const struct delta_reference *reference,
			    bool streams, const uint8_t *coded, size_t size,
			    uint8_t *out, size_t len, struct wh_error *err)
{
	struct bit_reader from = {.at = coded, .end = coded + size};
	struct delta_reference used = *reference;
	struct delta_head head = {0};
	size_t n;

	WH_TRY(open_chunk(coder, &from, len, &head, &used, err));
	if (streams != (head.n_lanes == N_STATES))
		return damaged(err);
	n = len / head.element.width;
	if (streams)
		return decode_streams(coder, &head, &used, &from, out, n, err);
	return decode_lanes(coder, &head, &used, &from, out, n, err);
}

static bool equals(struct streams *streams,
		   const struct delta_reference *reference,
		   const uint8_t *bytes, size_t len)
{
	unsigned width = streams->element.width;
	uint8_t piece[PROOF_PIECE];
	size_t at, some;

	for (at = 0; at < len; at += some) {
		const uint8_t *context = reference->context;

		some = len - at < PROOF_PIECE ? len - at : PROOF_PIECE;
		streams_decode(streams, reference->base + at,
			       context ? context + at : NULL, piece,
			       some / width);
		if (memcmp(piece, bytes + at, some) != 0)
			return false;
	}
	return streams_close(streams);
}

enum wh_status delta_prove(struct delta_coder *coder,
			   const struct delta_reference *reference,
			   const uint8_t *coded, size_t size,
			   const uint8_t *bytes, size_t len,
			   struct wh_error *err)
{
	struct bit_reader from = {.at = coded, .end = coded + size};
	struct delta_reference used = *reference;
	struct delta_head head = {0};
	struct streams streams;

	WH_TRY(open_chunk(coder, &from, len, &head, &used, err));
	if (head.n_lanes != N_STATES)
		return damaged(err);
	WH_TRY(open_streams(coder, &head, &from, &streams, err));
	return equals(&streams, &used, bytes, len) ? WH_OK : damaged(err);
}
