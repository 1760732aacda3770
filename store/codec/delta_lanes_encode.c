/* The second pass of an encoder with one lane or four: each is written from its
 * end to its start, since a tANS decoder gives back what was put in last. */
#include "base/endian.h"
#include "codec/delta_internal.h"

#define LANE_SLACK 16u

#define INLINE static inline __attribute__((always_inline))

/* What a lane can need at most: an element's own bits and a symbol's. */
static size_t lane_room(size_t n, unsigned n_lanes, unsigned width)
{
	return lane_length(n, n_lanes) * (width + 2u) + LANE_SLACK;
}

size_t delta_lanes_room(size_t n, unsigned n_lanes, unsigned width)
{
	return n_lanes * lane_room(n, n_lanes, width);
}

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

/* Narrow elements in one lane: where there are more, streams code them. */
static void encode_narrow(const struct pass *pass, struct lane *lane, size_t n)
{
	struct lane at = *lane;

	while (n-- > 0)
		encode32(pass, &at, n);
	*lane = at;
}

static void encode_lanes(const struct delta_coder *coder,
			 const struct delta_models *models, struct lane *lanes,
			 unsigned n_lanes, size_t n, bool wide)
{
	struct pass pass = {.coder = coder};
	unsigned i;

	for (i = 0; i < models->n; i++)
		ans_encoder_make(&coder->encoders[i], &coder->models[i],
				 models->log);
	for (i = 0; i < 256; i++)
		pass.of[i] = &coder->encoders[delta_model_of(models, i)];
	if (wide)
		encode_wide(&pass, lanes, n_lanes, n);
	else
		encode_narrow(&pass, lanes, n);
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

enum wh_status delta_lanes_encode(struct delta_coder *coder,
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
