/* The encoder: counts every class's symbols, makes models of the counts, and
 * writes the head. The body behind it is written as lanes or as streams
 * (delta_lanes_encode.c, streams_encode.c). */
#include <stdlib.h>
#include <string.h>

#include "codec/delta_internal.h"
#include "codec/streams_encode.h"

#define MANY_ELEMENTS 8192 /* in which most classes occur */

#define MIN_MODEL 512u /* elements: fewer don't pay for a model's head */
#define MODELS	  32u  /* wanted at most: a class of fewer shares one */
#define HEAD_ROOM ((size_t)64 << 10) /* of all models, far above any */

enum wh_status delta_coder_new(struct delta_coder **out, struct wh_error *err)
{
	*out = calloc(1, sizeof(**out));
	return *out ? WH_OK : wh_fail_memory(err);
}

void delta_coder_free(struct delta_coder *coder)
{
	if (!coder)
		return;
	free(coder->encoders);
	free(coder->movers);
	free(coder->cells);
	free(coder->scratch);
	free(coder);
}

/* As in one piece of memory; `n` is rounded up for what follows. */
static size_t room_for(size_t n)
{
	return (n + 63) / 64 * 64;
}

static enum wh_status make_scratch(struct delta_coder *coder, size_t n,
				   size_t magnitude, size_t lanes,
				   struct wh_error *err)
{
	size_t magnitudes = room_for(n * magnitude), elements = room_for(n);
	size_t room = magnitudes + 2 * elements + lanes;
	uint8_t *at;

	if (room > coder->room) {
		free(coder->scratch);
		coder->scratch = malloc(room);
		coder->room = coder->scratch ? room : 0;
	}
	if (!coder->scratch)
		return wh_fail_memory(err);
	at = coder->scratch;
	coder->magnitudes = at;
	coder->symbols = at + magnitudes;
	coder->classes = coder->symbols + elements;
	coder->lanes = coder->classes + elements;
	return WH_OK;
}

static enum wh_status make_room(struct delta_coder *coder, size_t n,
				unsigned n_lanes, unsigned width,
				struct wh_error *err)
{
	bool streams = n_lanes == N_STATES;

	if (streams && !coder->movers)
		coder->movers = malloc(N_CLASSES * STREAMS_SYMBOLS *
				       sizeof(*coder->movers));
	if (!streams && !coder->encoders)
		coder->encoders = malloc(N_CLASSES * sizeof(*coder->encoders));
	if (streams ? !coder->movers : !coder->encoders)
		return wh_fail_memory(err);
	return make_scratch(coder, n, width == 8 ? 8 : 4,
			    streams ? streams_scratch(n)
				    : delta_lanes_room(n, n_lanes, width),
			    err);
}

/* ---- First pass: symbols and counts ---------------------------------------
 */

static inline unsigned half_of(uint64_t magnitude)
{
	unsigned n;

	if (magnitude < 2)
		return (unsigned)magnitude;
	n = 64u - (unsigned)__builtin_clzll(magnitude);
	return 2 * (n - 1) + (unsigned)(magnitude >> (n - 2) & 1);
}

/* Whether it moved the other way than its base did before. */
static inline unsigned symbol_of(uint64_t magnitude, unsigned down,
				 uint8_t class_)
{
	unsigned turned = down ^ class_ >> 7;

	return half_of(magnitude) << 1 | (magnitude ? turned : 0);
}

/* How far each element went, its symbol and its class, from `i` on. */
static void measure32(const struct element_run *run,
		      struct codec_element element, size_t i,
		      uint32_t *magnitudes, uint8_t *symbols, uint8_t *classes)
{
	const struct element_kernels *kernels = element_kernels();
	uint32_t v[BLOCK_ELEMENTS], b[BLOCK_ELEMENTS], c[BLOCK_ELEMENTS];
	size_t at = i * element.width, n = run->n - i;
	bool context = run->context != NULL;

	kernels->load32(run->values + at, n, v, element);
	kernels->load32(run->base + at, n, b, element);
	if (context)
		kernels->load32(run->context + at, n, c, element);
	kernels->classify32(b, context ? c : NULL, n, classes + i, element);
	kernels->differ32(v, b, classes + i, n, magnitudes + i, symbols + i);
}

/* Elements of up to 4 bytes, from `at` on. */
static void count_block32(struct delta_coder *coder, size_t at,
			  const struct element_run *run,
			  struct codec_element element)
{
	uint8_t *classes = coder->classes + at, *symbols = coder->symbols + at;
	uint32_t *magnitudes = (uint32_t *)coder->magnitudes + at;
	size_t done = 0, i;

#if defined(__x86_64__)
	if (element_kernels()->level >= LEVEL_AVX512)
		done = streams_measure_avx512(run, element, magnitudes, symbols,
					      classes);
#endif
	if (done < run->n)
		measure32(run, element, done, magnitudes, symbols, classes);
	for (i = 0; i < run->n; i++)
		coder->counts[classes[i] & CLASS_MASK][symbols[i]]++;
}

static void count_block64(struct delta_coder *coder, size_t at,
			  const struct element_run *run,
			  struct codec_element element)
{
	const struct element_kernels *kernels = element_kernels();
	uint64_t v[BLOCK_ELEMENTS], b[BLOCK_ELEMENTS], c[BLOCK_ELEMENTS];
	uint64_t *magnitudes = coder->magnitudes;
	size_t i;

	kernels->load64(run->values, run->n, v, element);
	kernels->load64(run->base, run->n, b, element);
	if (run->context)
		kernels->load64(run->context, run->n, c, element);
	kernels->classify64(b, run->context ? c : NULL, run->n,
			    coder->classes + at, element);
	for (i = 0; i < run->n; i++) {
		uint64_t move = v[i] - b[i];
		uint64_t down = (uint64_t)((int64_t)move >> 63);
		uint64_t magnitude = (move ^ down) - down;
		uint8_t class_ = coder->classes[at + i];
		unsigned symbol = symbol_of(magnitude, down & 1, class_);

		magnitudes[at + i] = magnitude;
		coder->symbols[at + i] = (uint8_t)symbol;
		coder->counts[class_ & CLASS_MASK][symbol]++;
	}
}

static void count_block(struct delta_coder *coder, struct codec_element element,
			const struct delta_reference *reference,
			const uint8_t *bytes, size_t at, size_t n)
{
	size_t offset = at * element.width;
	const uint8_t *context = reference->context;
	struct element_run run = {
		.values = bytes + offset,
		.base = reference->base + offset,
		.context = context ? context + offset : NULL,
		.n = n,
	};

	if (element.width == 8)
		count_block64(coder, at, &run, element);
	else
		count_block32(coder, at, &run, element);
}

/* The counts are 96 KiB, of which a small chunk uses little. */
static void clear_counts(struct delta_coder *coder)
{
	unsigned i;

	for (i = 0; i < N_CLASSES; i++)
		if (coder->used[i])
			memset(coder->counts[i], 0, sizeof(coder->counts[i]));
	memset(coder->used, 0, sizeof(coder->used));
}

static void note_used(struct delta_coder *coder, size_t n)
{
	size_t i;

	if (n >= MANY_ELEMENTS) {
		memset(coder->used, 1, sizeof(coder->used));
		return;
	}
	coder->used[0] = 1; /* where counts are joined first */
	for (i = 0; i < n; i++)
		coder->used[coder->classes[i] & CLASS_MASK] = 1;
}

/* ---- Models ---------------------------------------------------------------
 */

/* Larger tables cost a cache's worth of time, and gain a fiftieth of a point;
 * smaller ones fit few elements better. */
static unsigned choose_log(size_t n)
{
	if (n >= 8192)
		return ANS_LOG_MAX;
	return n >= 1024 ? 9 : 8;
}

static void add_counts(uint32_t *sum, const uint32_t *counts)
{
	unsigned i;

	for (i = 0; i < ANS_SYMBOLS; i++)
		sum[i] += counts[i];
}

static size_t sum_counts(const uint32_t *counts)
{
	size_t sum = 0;
	unsigned i;

	for (i = 0; i < ANS_SYMBOLS; i++)
		sum += counts[i];
	return sum;
}

/* Neighbouring classes share a model until there is enough for one; what is
 * left at the end joins the last. The joined counts stand in the first class
 * of each model. */
static void join_classes(struct delta_coder *coder, size_t n,
			 struct delta_models *models, unsigned *first)
{
	size_t enough = n / MODELS > MIN_MODEL ? n / MODELS : MIN_MODEL;
	size_t held = 0, left = n;
	unsigned i;

	models->n = 0;
	for (i = 0; i < N_CLASSES; i++) {
		size_t own = coder->used[i] ? sum_counts(coder->counts[i]) : 0;

		if (models->n == 0 ||
		    (held >= enough && left >= enough && own)) {
			first[models->n++] = i;
			held = 0;
		} else if (own) {
			add_counts(coder->counts[first[models->n - 1]],
				   coder->counts[i]);
		}
		models->model_of[i] = (uint8_t)(models->n - 1);
		held += own;
		left -= own;
	}
}

static void make_models(struct delta_coder *coder, size_t n,
			struct delta_models *models)
{
	unsigned first[N_CLASSES], i;

	models->log = choose_log(n);
	join_classes(coder, n, models, first);
	for (i = 0; i < models->n; i++)
		ans_model_make(&coder->models[i], coder->counts[first[i]],
			       models->log);
}

/* ---- The whole ------------------------------------------------------------
 */

static enum wh_status write_head(const struct delta_coder *coder,
				 const struct delta_models *models,
				 struct codec_element element, bool context,
				 unsigned n_lanes, struct wh_buf *out,
				 struct wh_error *err)
{
	struct bit_writer to = {0};
	uint8_t *head;
	unsigned i;

	WH_TRY(wh_buf_reserve(out, HEAD_ROOM, err));
	head = out->data + out->size;
	head[0] = (uint8_t)((unsigned)__builtin_ctz(element.width) |
			    (context ? HAS_CONTEXT : 0) |
			    (n_lanes == MAX_LANES ? FOUR_LANES : 0) |
			    (n_lanes == N_STATES ? STREAMS : 0));
	head[1] = element.mantissa;
	head[2] = (uint8_t)models->log;
	to.at = head + HEAD_SIZE;
	to.end = head + HEAD_ROOM - MAX_LANES * LANE_HEAD_SIZE;
	for (i = 1; i < N_CLASSES; i++)
		bits_write(&to, models->model_of[i] != models->model_of[i - 1],
			   1);
	for (i = 0; i < models->n; i++)
		ans_model_write(&to, &coder->models[i]);
	bits_flush(&to);
	out->size = (size_t)(to.at - out->data);
	return WH_OK;
}

/* The bits that are stored as they are, in bytes: with them alone it may be
 * clear that nothing is gained. */
static size_t count_noise(const struct delta_coder *coder)
{
	uint64_t bits = 0;
	unsigned i, k;

	for (i = 0; i < N_CLASSES; i++)
		for (k = 4; coder->used[i] && k < ANS_SYMBOLS / 2; k++)
			bits += (uint64_t)symbol_bits(k) *
				(coder->counts[i][2 * k] +
				 coder->counts[i][2 * k + 1]);
	return (size_t)(bits / 8);
}

static unsigned choose_lanes(unsigned width, size_t n)
{
	if (width < 8 && n >= STREAMS_FROM)
		return N_STATES;
	return n < ONE_LANE_BELOW || width < 8 ? 1 : MAX_LANES;
}

static enum wh_status write_streams(struct delta_coder *coder,
				    const struct delta_models *models, size_t n,
				    struct wh_buf *out, struct wh_error *err)
{
	struct streams_input input = {
		.symbols = coder->symbols,
		.classes = coder->classes,
		.magnitudes = coder->magnitudes,
		.n = n,
		.movers = coder->movers,
		.log = models->log,
	};
	unsigned i;

	for (i = 0; i < models->n; i++)
		streams_symbols_make(coder->movers + i * STREAMS_SYMBOLS,
				     &coder->models[i], models->log);
	for (i = 0; i < 256; i++)
		input.rows[i] = delta_model_of(models, i) * STREAMS_SYMBOLS;
	return streams_encode(&input, coder->lanes, out, err);
}

enum wh_status delta_encode(struct delta_coder *coder,
			    struct codec_element element,
			    const struct delta_reference *reference,
			    const uint8_t *bytes, size_t len, size_t limit,
			    struct wh_buf *out, enum delta_result *result,
			    struct wh_error *err)
{
	size_t n = len / element.width, at, before = out->size;
	unsigned n_lanes = choose_lanes(element.width, n);
	struct delta_models models;

	*result = DELTA_TOO_LONG;
	WH_TRY(make_room(coder, n, n_lanes, element.width, err));
	clear_counts(coder);
	for (at = 0; at < n; at += BLOCK_ELEMENTS)
		count_block(coder, element, reference, bytes, at,
			    n - at < BLOCK_ELEMENTS ? n - at : BLOCK_ELEMENTS);
	note_used(coder, n);
	if (count_noise(coder) > limit)
		return WH_OK;
	make_models(coder, n, &models);
	WH_TRY(write_head(coder, &models, element, reference->context, n_lanes,
			  out, err));
	if (n_lanes == N_STATES)
		WH_TRY(write_streams(coder, &models, n, out, err));
	else
		WH_TRY(delta_lanes_encode(coder, &models, n, n_lanes,
					  element.width, out, err));
	if (out->size - before > limit)
		out->size = before;
	else
		*result = n_lanes == N_STATES ? DELTA_STREAMS : DELTA_LANES;
	return WH_OK;
}
