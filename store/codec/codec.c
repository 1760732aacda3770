#include "codec/codec.h"

#include <stdlib.h>
#include <string.h>

#include "codec/delta.h"
#include "codec/planes.h"
#include "codec/zstd_frame.h"

#define SMALLEST 64 /* bytes: below it a frame's head eats the gain */
/* Floats of fewer bytes that have no base stay raw: a plane's tables take most
 * of the tenth that it gains. */
#define SMALLEST_PLANES ((size_t)4 << 10)
#define SAMPLE_PIECE	((size_t)4 << 10)
#define SAMPLE_PIECES	4u
#define SAMPLE_SIZE	(SAMPLE_PIECE * SAMPLE_PIECES)

struct codec_coder {
	struct zstd_coder *zstd;
	struct delta_coder *delta;
	struct wh_buf best, trial;
	struct wh_buf scratch; /* planes; what is decoded to be compared */
};

void codec_coder_free(struct codec_coder *coder)
{
	if (!coder)
		return;
	zstd_coder_free(coder->zstd);
	delta_coder_free(coder->delta);
	wh_buf_free(&coder->best);
	wh_buf_free(&coder->trial);
	wh_buf_free(&coder->scratch);
	free(coder);
}

enum wh_status codec_coder_new(struct codec_coder **out, struct wh_error *err)
{
	struct codec_coder *coder = calloc(1, sizeof(*coder));
	enum wh_status status;

	if (!coder)
		return wh_fail_memory(err);
	status = zstd_coder_new(&coder->zstd, err);
	if (!status)
		status = delta_coder_new(&coder->delta, err);
	if (status) {
		codec_coder_free(coder);
		return status;
	}
	*out = coder;
	return WH_OK;
}

bool codec_effort_of(const char *name, enum codec_effort *effort)
{
	static const char *const names[] = {
		[CODEC_NONE] = "none",
		[CODEC_FAST] = "fast",
		[CODEC_DENSE] = "dense",
	};
	unsigned i;

	for (i = 0; i < sizeof(names) / sizeof(names[0]); i++)
		if (strcmp(name, names[i]) == 0) {
			*effort = (enum codec_effort)i;
			return true;
		}
	return false;
}

/* ---- The table ------------------------------------------------------------
 */

struct decoding {
	struct codec_coder *coder;
	const uint8_t *coded;
	size_t coded_size;
	const struct codec_reference *reference;
	uint8_t *out;
	size_t size;
};

/* What the scratch memory held isn't copied to where there is more. */
static enum wh_status make_scratch(struct codec_coder *coder, size_t size,
				   struct wh_error *err)
{
	coder->scratch.size = 0;
	if (size > coder->scratch.capacity)
		wh_buf_free(&coder->scratch);
	return wh_buf_reserve(&coder->scratch, size, err);
}

static enum wh_status decode_raw(const struct decoding *to,
				 struct wh_error *err)
{
	if (to->coded_size != to->size)
		return wh_fail(err, WH_ECORRUPT,
			       "a chunk of %zu bytes instead of %zu",
			       to->coded_size, to->size);
	if (to->size)
		memcpy(to->out, to->coded, to->size);
	return WH_OK;
}

static enum wh_status decode_zstd(const struct decoding *to,
				  struct wh_error *err)
{
	return zstd_decode(to->coder->zstd, to->coded, to->coded_size, NULL, 0,
			   to->out, to->size, err);
}

static enum wh_status decode_planes(const struct decoding *to,
				    struct wh_error *err)
{
	struct codec_coder *coder = to->coder;

	WH_TRY(make_scratch(coder, to->size, err));
	return planes_decode(coder->zstd, to->coded, to->coded_size,
			     coder->scratch.data, to->out, to->size, err);
}

/* A context of another length says nothing. */
static struct delta_reference reference_of(const struct codec_reference *from,
					   size_t size)
{
	return (struct delta_reference){
		.base = from->base,
		.context = from->context_size == size ? from->context : NULL,
	};
}

static enum wh_status decode_moves(const struct decoding *to, bool streams,
				   struct wh_error *err)
{
	const struct codec_reference *from = to->reference;
	struct delta_reference reference = reference_of(from, to->size);

	if (from->base_size != to->size)
		return wh_fail(err, WH_ECORRUPT,
			       "a chunk's base is of another size");
	return delta_decode(to->coder->delta, &reference, streams, to->coded,
			    to->coded_size, to->out, to->size, err);
}

static enum wh_status decode_delta(const struct decoding *to,
				   struct wh_error *err)
{
	return decode_moves(to, false, err);
}

static enum wh_status decode_streams(const struct decoding *to,
				     struct wh_error *err)
{
	return decode_moves(to, true, err);
}

static enum wh_status decode_patch(const struct decoding *to,
				   struct wh_error *err)
{
	return zstd_decode(to->coder->zstd, to->coded, to->coded_size,
			   to->reference->base, to->reference->base_size,
			   to->out, to->size, err);
}

static enum wh_status decode_same(const struct decoding *to,
				  struct wh_error *err)
{
	if (to->reference->base_size != to->size || to->coded_size)
		return wh_fail(err, WH_ECORRUPT,
			       "a chunk's base is of another size");
	memcpy(to->out, to->reference->base, to->size);
	return WH_OK;
}

/* decode is mandatory. */
static const struct codec_kind {
	enum wh_status (*decode)(const struct decoding *to,
				 struct wh_error *err);
	bool needs_base;
} kinds[] = {
	[CODEC_RAW] = {decode_raw, false},
	[CODEC_ZSTD] = {decode_zstd, false},
	[CODEC_PLANES] = {decode_planes, false},
	[CODEC_DELTA] = {decode_delta, true},
	[CODEC_PATCH] = {decode_patch, true},
	[CODEC_SAME] = {decode_same, true},
	[CODEC_STREAMS] = {decode_streams, true},
};

#define N_KINDS ((int64_t)(sizeof(kinds) / sizeof(kinds[0])))

enum wh_status codec_needs(int64_t codec, bool *base, struct wh_error *err)
{
	if (codec < 0 || codec >= N_KINDS)
		return wh_fail(err, WH_EUNSUPPORTED,
			       "a chunk was written by a newer version of "
			       "weighhouse (codec %lld)",
			       (long long)codec);
	*base = kinds[codec].needs_base;
	return WH_OK;
}

enum wh_status codec_decode(struct codec_coder *coder, int64_t codec,
			    const uint8_t *coded, size_t coded_size,
			    const struct codec_reference *reference,
			    uint8_t *out, size_t size, struct wh_error *err)
{
	const struct decoding to = {coder,     coded, coded_size,
				    reference, out,   size};
	bool base = false;

	WH_TRY(codec_needs(codec, &base, err));
	/* No build wrote such: a frame may go on as long as one likes. */
	if (coded_size > size)
		return wh_fail(err, WH_ECORRUPT,
			       "a chunk of %zu bytes for a value of %zu",
			       coded_size, size);
	if (base && !reference->base)
		return wh_fail(err, WH_ECORRUPT, "a chunk lacks its base");
	return kinds[codec].decode(&to, err);
}

/* ---- Encoding -------------------------------------------------------------
 */

/* The best so far; `limit`: what a better one must not be over. */
struct encoding {
	struct codec_coder *coder;
	const struct codec_input *input;
	enum codec codec;
	size_t limit;
};

/* Raw unless three in a hundred are gained: reading raw is faster. */
static size_t worth(size_t size)
{
	return size - size / 32;
}

/* `trial` is the best from now on, if it is. */
static void judge(struct encoding *to, enum codec codec)
{
	struct wh_buf swap = to->coder->best;

	if (to->coder->trial.size > to->limit)
		return;
	to->codec = codec;
	to->limit = to->coder->trial.size;
	to->coder->best = to->coder->trial;
	to->coder->trial = swap;
}

static enum wh_status try_zstd(struct encoding *to, enum codec codec,
			       enum zstd_way way, struct wh_error *err)
{
	const struct codec_input *input = to->input;
	bool patch = codec == CODEC_PATCH;

	to->coder->trial.size = 0;
	WH_TRY(zstd_encode(to->coder->zstd, way, input->bytes, input->size,
			   patch ? input->reference.base : NULL,
			   patch ? input->reference.base_size : 0,
			   &to->coder->trial, err));
	judge(to, codec);
	return WH_OK;
}

static enum wh_status try_planes(struct encoding *to, struct wh_error *err)
{
	const struct codec_input *input = to->input;

	to->coder->trial.size = 0;
	WH_TRY(make_scratch(to->coder, input->size, err));
	WH_TRY(planes_encode(to->coder->zstd, input->element.width,
			     input->bytes, input->size, to->coder->scratch.data,
			     input->effort == CODEC_DENSE, &to->coder->trial,
			     err));
	judge(to, CODEC_PLANES);
	return WH_OK;
}

/* Pieces from all over the chunk: a header or a run of zeros at the start of
 * a tensor says little about the rest. */
static enum wh_status sample_gains(struct encoding *to, bool *yes,
				   struct wh_error *err)
{
	const struct codec_input *input = to->input;
	size_t step = (input->size - SAMPLE_PIECE) / (SAMPLE_PIECES - 1), i;
	struct wh_buf *sample = &to->coder->scratch;

	sample->size = to->coder->trial.size = 0;
	for (i = 0; i < SAMPLE_PIECES; i++)
		WH_TRY(wh_buf_append(sample, input->bytes + i * step,
				     SAMPLE_PIECE, err));
	WH_TRY(zstd_encode(to->coder->zstd, ZSTD_FAST, sample->data,
			   SAMPLE_SIZE, NULL, 0, &to->coder->trial, err));
	*yes = to->coder->trial.size <= worth(SAMPLE_SIZE);
	return WH_OK;
}

/* Numbers that are no floats, texts, and small chunks of anything. */
static enum wh_status try_whole(struct encoding *to, struct wh_error *err)
{
	const struct codec_input *input = to->input;
	bool yes = true;

	if (input->element.mantissa && input->size < SMALLEST_PLANES)
		return WH_OK;
	if (input->element.mantissa && input->size % input->element.width == 0)
		return try_planes(to, err);
	if (input->size > 2 * SAMPLE_SIZE)
		WH_TRY(sample_gains(to, &yes, err));
	if (!yes)
		return WH_OK;
	return try_zstd(to, CODEC_ZSTD,
			input->element.text ? ZSTD_SMALL : ZSTD_FAST, err);
}

static enum wh_status try_delta(struct encoding *to, struct wh_error *err)
{
	const struct codec_input *input = to->input;
	const struct codec_reference *from = &input->reference;
	struct delta_reference reference = reference_of(from, input->size);
	enum delta_result result;

	if (from->base_size != input->size ||
	    input->size % input->element.width)
		return WH_OK;
	to->coder->trial.size = 0;
	WH_TRY(delta_encode(to->coder->delta, input->element, &reference,
			    input->bytes, input->size, to->limit,
			    &to->coder->trial, &result, err));
	if (result)
		judge(to,
		      result == DELTA_STREAMS ? CODEC_STREAMS : CODEC_DELTA);
	return WH_OK;
}

static bool equals_base(const struct codec_input *input)
{
	return input->reference.base &&
	       input->reference.base_size == input->size &&
	       memcmp(input->reference.base, input->bytes, input->size) == 0;
}

/* A delta of under three quarters is better than anything that knows no base,
 * bar what sparse tensors give. */
static enum wh_status try_all(struct encoding *to, struct wh_error *err)
{
	const struct codec_input *input = to->input;
	bool base = input->reference.base != NULL;

	if (equals_base(input)) {
		to->codec = CODEC_SAME;
		to->coder->best.size = to->limit = 0;
		return WH_OK;
	}
	if (base && input->element.text)
		WH_TRY(try_zstd(to, CODEC_PATCH, ZSTD_SMALL, err));
	else if (base)
		WH_TRY(try_delta(to, err));
	if (base && to->limit < input->size / 4 * 3)
		return WH_OK;
	return try_whole(to, err);
}

static bool decodes(struct encoding *to, uint8_t *out)
{
	const struct codec_input *input = to->input;

	return !codec_decode(to->coder, to->codec, to->coder->best.data,
			     to->coder->best.size, &input->reference, out,
			     input->size, NULL) &&
	       memcmp(out, input->bytes, input->size) == 0;
}

static bool streams_are_proved(struct encoding *to)
{
	const struct codec_input *input = to->input;
	struct delta_reference reference =
		reference_of(&input->reference, input->size);

	return !delta_prove(to->coder->delta, &reference, to->coder->best.data,
			    to->coder->best.size, input->bytes, input->size,
			    NULL);
}

/* What can't be decoded to what it was made of is never stored: a fault of
 * the machine's memory, or of ours. */
static enum wh_status prove(struct encoding *to, struct wh_error *err)
{
	if (to->codec == CODEC_STREAMS) {
		if (!streams_are_proved(to))
			to->codec = CODEC_RAW;
		return WH_OK;
	}
	WH_TRY(make_scratch(to->coder, to->input->size, err));
	if (!decodes(to, to->coder->scratch.data))
		to->codec = CODEC_RAW;
	return WH_OK;
}

enum wh_status codec_encode(struct codec_coder *coder,
			    const struct codec_input *input,
			    struct codec_output *output, struct wh_error *err)
{
	struct encoding to = {.coder = coder,
			      .input = input,
			      .codec = CODEC_RAW,
			      .limit = worth(input->size)};

	if (input->effort != CODEC_NONE && input->size >= SMALLEST)
		WH_TRY(try_all(&to, err));
	if (to.codec == CODEC_DELTA || to.codec == CODEC_STREAMS)
		WH_TRY(prove(&to, err));
	*output = (struct codec_output){
		.codec = to.codec,
		.bytes = coder->best.data,
		.size = coder->best.size,
		.uses_base = kinds[to.codec].needs_base,
	};
	if (to.codec == CODEC_RAW) {
		output->bytes = input->bytes;
		output->size = input->size;
	}
	if (to.codec == CODEC_DELTA || to.codec == CODEC_STREAMS)
		output->uses_context =
			delta_needs_context(output->bytes, output->size);
	return WH_OK;
}

void codec_take(struct codec_coder *coder, struct wh_buf *other)
{
	struct wh_buf taken = coder->best;

	coder->best = *other;
	*other = taken;
}
