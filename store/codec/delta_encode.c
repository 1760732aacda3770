/* The encoder: counts first, then writes each lane from its end to its start,
 * since a tANS decoder gives back what was put in last. */
#include <stdlib.h>
#include <string.h>

#include "base/endian.h"
#include "codec/delta_internal.h"

#define MANY_ELEMENTS 8192 /* in which most classes occur */

#define MIN_MODEL  512u /* elements: fewer don't pay for a model's head */
#define MODELS	   32u	/* wanted at most: a class of fewer shares one */
#define LANE_SLACK 16u
#define HEAD_ROOM  ((size_t)64 << 10) /* of all models, far above any */

#define INLINE static inline __attribute__((always_inline))

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
	free(coder->cells);
	free(coder->symbols);
	free(coder->classes);
	free(coder->magnitudes);
	free(coder->lanes);
	free(coder);
}

/* What a lane can need at most: an element's own bits and a symbol's. */
static size_t lane_room(size_t n, unsigned n_lanes, unsigned width)
{
	return lane_length(n, n_lanes) * (width + 2u) + LANE_SLACK;
}

static enum wh_status make_room(struct delta_coder *coder, size_t n,
				unsigned n_lanes, unsigned width,
				struct wh_error *err)
{
	size_t lanes = n_lanes * lane_room(n, n_lanes, width);
	size_t magnitudes = n * (width == 8 ? 8u : 4u);

	if (!coder->encoders)
		coder->encoders = malloc(N_CLASSES * sizeof(*coder->encoders));
	if (n > coder->room) {
		free(coder->symbols);
		free(coder->classes);
		coder->room = n;
		coder->symbols = malloc(n);
		coder->classes = malloc(n);
	}
	if (magnitudes > coder->magnitudes_room) {
		free(coder->magnitudes);
		coder->magnitudes_room = magnitudes;
		coder->magnitudes = malloc(magnitudes);
	}
	if (lanes > coder->lanes_room) {
		free(coder->lanes);
		coder->lanes_room = lanes;
		coder->lanes = malloc(lanes);
	}
	if (coder->encoders && coder->symbols && coder->classes &&
	    coder->magnitudes && coder->lanes)
		return WH_OK;
	coder->room = coder->magnitudes_room = coder->lanes_room = 0;
	return wh_fail_memory(err);
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

static void count_block32(struct delta_coder *coder, size_t at,
			  const uint32_t *values, const uint32_t *base,
			  size_t n)
{
	uint32_t *magnitudes = coder->magnitudes;
	size_t i;

	for (i = 0; i < n; i++) {
		uint32_t move = values[i] - base[i];
		uint32_t down = (uint32_t)((int32_t)move >> 31);
		uint32_t magnitude = (move ^ down) - down;
		uint8_t class_ = coder->classes[at + i];
		unsigned symbol = symbol_of(magnitude, down & 1, class_);

		magnitudes[at + i] = magnitude;
		coder->symbols[at + i] = (uint8_t)symbol;
		coder->counts[class_ & CLASS_MASK][symbol]++;
	}
}

static void count_block64(struct delta_coder *coder, size_t at,
			  const uint64_t *values, const uint64_t *base,
			  size_t n)
{
	uint64_t *magnitudes = coder->magnitudes;
	size_t i;

	for (i = 0; i < n; i++) {
		uint64_t move = values[i] - base[i];
		uint64_t down = (uint64_t)((int64_t)move >> 63);
		uint64_t magnitude = (move ^ down) - down;
		uint8_t class_ = coder->classes[at + i];
		unsigned symbol = symbol_of(magnitude, down & 1, class_);

		magnitudes[at + i] = magnitude;
		coder->symbols[at + i] = (uint8_t)symbol;
		coder->counts[class_ & CLASS_MASK][symbol]++;
	}
}

/* The block of 8-byte elements, or of smaller ones, from `at` on. */
static void count_block(struct delta_coder *coder, struct codec_element element,
			const struct delta_reference *reference,
			const uint8_t *bytes, size_t at, size_t n)
{
	const struct element_kernels *kernels = element_kernels();
	size_t offset = at * element.width;
	uint8_t *classes = coder->classes + at;
	const uint8_t *context = reference->context;

	if (element.width == 8) {
		uint64_t v[BLOCK_ELEMENTS], b[BLOCK_ELEMENTS];
		uint64_t c[BLOCK_ELEMENTS];

		kernels->load64(bytes + offset, n, v, element);
		kernels->load64(reference->base + offset, n, b, element);
		if (context)
			kernels->load64(context + offset, n, c, element);
		kernels->classify64(b, context ? c : NULL, n, classes, element);
		count_block64(coder, at, v, b, n);
	} else {
		uint32_t v[BLOCK_ELEMENTS], b[BLOCK_ELEMENTS];
		uint32_t c[BLOCK_ELEMENTS];

		kernels->load32(bytes + offset, n, v, element);
		kernels->load32(reference->base + offset, n, b, element);
		if (context)
			kernels->load32(context + offset, n, c, element);
		kernels->classify32(b, context ? c : NULL, n, classes, element);
		count_block32(coder, at, v, b, n);
	}
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
	for (i = 0; i < models->n; i++) {
		ans_model_make(&coder->models[i], coder->counts[first[i]],
			       models->log);
		ans_encoder_make(&coder->encoders[i], &coder->models[i],
				 models->log);
	}
}

/* ---- Second pass: bits ----------------------------------------------------
 */

struct lane {
	uint8_t *at; /* moves down */
	uint64_t held;
	unsigned n_held;
	uint32_t state;
};

INLINE void push(struct lane *lane, uint64_t value, unsigned n)
{
	lane->held = lane->held << n | value;
	lane->n_held += n;
	put_le64(lane->at - 8, lane->held << 1 << (63 - lane->n_held));
	lane->at -= lane->n_held >> 3;
	lane->n_held &= 7;
}

INLINE uint64_t low_bits(uint64_t value, unsigned n)
{
	return value & ((UINT64_C(1) << n) - 1);
}

/* What the second pass looks up: the encoder of each class, with CLASS_DOWN or
 * not. */
struct pass {
	const struct delta_coder *coder;
	const struct ans_encoder *of[256];
};

/* Gives out the state's bits and moves on; `*n` says how many. */
INLINE uint64_t step_state(const struct pass *pass, struct lane *lane, size_t i,
			   unsigned symbol, unsigned *n)
{
	const struct ans_encoder *encoder = pass->of[pass->coder->classes[i]];
	struct ans_step step = encoder->steps[symbol];
	uint32_t state = lane->state;

	*n = (state + step.bits) >> 16;
	lane->state = encoder->states[(int32_t)(state >> *n) + step.find];
	return low_bits(state, *n);
}

INLINE void encode32(const struct pass *pass, struct lane *lane, size_t i)
{
	unsigned symbol = pass->coder->symbols[i], n;
	unsigned rest = symbol_bits(symbol >> 1);
	uint64_t given = step_state(pass, lane, i, symbol, &n);
	uint32_t magnitude = ((const uint32_t *)pass->coder->magnitudes)[i];

	push(lane, given | low_bits(magnitude, rest) << n, n + rest);
}

/* Up to 62 bits don't fit beside the state's. */
static void encode64(const struct pass *pass, struct lane *lane, size_t i)
{
	unsigned symbol = pass->coder->symbols[i], n;
	unsigned rest = symbol_bits(symbol >> 1);
	uint64_t given = step_state(pass, lane, i, symbol, &n);
	uint64_t bits =
		low_bits(((const uint64_t *)pass->coder->magnitudes)[i], rest);

	if (rest > 32) {
		push(lane, bits >> 32, rest - 32);
		bits = low_bits(bits, 32);
		rest = 32;
	}
	push(lane, bits, rest);
	push(lane, given, n);
}

static void encode_wide(const struct pass *pass, struct lane *lanes,
			unsigned n_lanes, size_t n)
{
	size_t length = lane_length(n, n_lanes), i;
	unsigned k;

	for (k = 0; k < n_lanes; k++) {
		size_t begin = k * length;

		for (i = k + 1 == n_lanes ? n : begin + length; i-- > begin;)
			encode64(pass, &lanes[k], i);
	}
}

INLINE void encode_narrow_body(const struct pass *pass, struct lane *lanes,
			       unsigned n_lanes, size_t n)
{
	size_t length = lane_length(n, n_lanes), i;
	size_t last = n - (n_lanes - 1) * length;
	struct lane a = lanes[0], b, c, d;

	if (n_lanes != MAX_LANES) {
		for (i = n; i-- > 0;)
			encode32(pass, &a, i);
		lanes[0] = a;
		return;
	}
	b = lanes[1];
	c = lanes[2];
	d = lanes[3];
	for (i = length; i-- > 0;) {
		encode32(pass, &a, i);
		encode32(pass, &b, length + i);
		encode32(pass, &c, 2 * length + i);
		if (i < last)
			encode32(pass, &d, 3 * length + i);
	}
	lanes[0] = a;
	lanes[1] = b;
	lanes[2] = c;
	lanes[3] = d;
}

static void encode_narrow_portable(const struct pass *pass, struct lane *lanes,
				   unsigned n_lanes, size_t n)
{
	encode_narrow_body(pass, lanes, n_lanes, n);
}

#if defined(__x86_64__)
__attribute__((target("bmi,bmi2"))) static void
encode_narrow_bmi2(const struct pass *pass, struct lane *lanes,
		   unsigned n_lanes, size_t n)
{
	encode_narrow_body(pass, lanes, n_lanes, n);
}
#endif

static void encode_narrow(const struct pass *pass, struct lane *lanes,
			  unsigned n_lanes, size_t n)
{
#if defined(__x86_64__)
	if (element_kernels()->bmi2) {
		encode_narrow_bmi2(pass, lanes, n_lanes, n);
		return;
	}
#endif
	encode_narrow_portable(pass, lanes, n_lanes, n);
}

static void encode_lanes(const struct delta_coder *coder,
			 const struct delta_models *models, struct lane *lanes,
			 unsigned n_lanes, size_t n, bool wide)
{
	struct pass pass = {.coder = coder};
	unsigned i;

	for (i = 0; i < 256; i++) {
		unsigned class_ = i & CLASS_MASK;

		pass.of[i] =
			&coder->encoders[models->model_of[class_ < N_CLASSES
								  ? class_
								  : 0]];
	}
	if (wide)
		encode_wide(&pass, lanes, n_lanes, n);
	else
		encode_narrow(&pass, lanes, n_lanes, n);
}

static enum wh_status append_lane(struct wh_buf *out, const struct lane *lane,
				  const uint8_t *end, unsigned log, size_t head,
				  struct wh_error *err)
{
	const uint8_t *begin = lane->at - (lane->n_held ? 1 : 0);
	uint32_t state = lane->state - (UINT32_C(1) << log);
	size_t size = (size_t)(end - begin);

	put_le32(out->data + head, (uint32_t)size);
	out->data[head + 4] = (uint8_t)state;
	out->data[head + 5] = (uint8_t)(state >> 8);
	out->data[head + 6] = (uint8_t)(lane->n_held ? 8 - lane->n_held : 0);
	return wh_buf_append(out, begin, size, err);
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
			    (n_lanes > 1 ? FOUR_LANES : 0));
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

static enum wh_status write_lanes(struct delta_coder *coder,
				  const struct delta_models *models, size_t n,
				  unsigned n_lanes, unsigned width,
				  struct wh_buf *out, struct wh_error *err)
{
	size_t room = lane_room(n, n_lanes, width);
	size_t heads = out->size;
	struct lane lanes[MAX_LANES] = {{0}};
	unsigned k;

	for (k = 0; k < n_lanes; k++)
		lanes[k] = (struct lane){.at = coder->lanes + (k + 1) * room,
					 .state = UINT32_C(1) << models->log};
	encode_lanes(coder, models, lanes, n_lanes, n, width == 8);
	WH_TRY(wh_buf_append_zeros(out, n_lanes * LANE_HEAD_SIZE, err));
	for (k = 0; k < n_lanes; k++)
		WH_TRY(append_lane(out, &lanes[k],
				   coder->lanes + (k + 1) * room, models->log,
				   heads + k * LANE_HEAD_SIZE, err));
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

enum wh_status delta_encode(struct delta_coder *coder,
			    struct codec_element element,
			    const struct delta_reference *reference,
			    const uint8_t *bytes, size_t len, size_t limit,
			    struct wh_buf *out, bool *fits,
			    struct wh_error *err)
{
	size_t n = len / element.width, at, before = out->size;
	unsigned n_lanes = n < ONE_LANE_BELOW ? 1 : MAX_LANES;
	struct delta_models models;

	*fits = false;
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
	WH_TRY(write_lanes(coder, &models, n, n_lanes, element.width, out,
			   err));
	*fits = out->size - before <= limit;
	if (!*fits)
		out->size = before;
	return WH_OK;
}
