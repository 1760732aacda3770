/* The decoder of lanes: trusts nothing. A lane's bits are read within its own
 * bytes and zeros behind them; at the end its state and place must be where
 * the encoder began. */
#include <string.h>

#include "base/endian.h"
#include "codec/delta_internal.h"

#define SAFE_LOAD 8u /* bytes that a read of bits takes at once */
/* Most bits of an element: 10 of the state, and 31 or 62. */
#define MOST_BITS32 41u
#define MOST_BITS64 73u

#define INLINE static inline __attribute__((always_inline))

struct lane {
	const uint8_t *bytes;
	size_t size;  /* bytes of the lane */
	uint64_t bit; /* where it is */
	uint32_t state;
};

struct decoding {
	/* By class, with CLASS_DOWN or not. */
	const struct delta_cell *rows[256];
	struct codec_element element;
	unsigned n_lanes;
	struct lane lanes[MAX_LANES];
};

void delta_lanes_cells(struct delta_cell *cells, const struct ans_model *model,
		       unsigned log, bool wide)
{
	struct ans_cell plain[ANS_SIZE_MAX];
	size_t i;

	ans_decoder_make(plain, model, log);
	for (i = 0; i < (size_t)1 << log; i++) {
		unsigned half = plain[i].symbol >> 1;
		unsigned rest = symbol_bits(half) & (wide ? 63 : 31);

		cells[i] = (struct delta_cell){
			.next = plain[i].next,
			.mask = (uint16_t)((1u << plain[i].bits) - 1),
			.bits = plain[i].bits,
			.total = (uint8_t)(plain[i].bits + rest),
			.top = (uint8_t)symbol_top(half),
			.rest = (uint8_t)(rest |
					  (plain[i].symbol & 1 ? CELL_TURNED
							       : 0)),
		};
	}
}

/* ---- Heads ----------------------------------------------------------------
 */

static bool read_lane(struct lane *lane, const uint8_t *head,
		      const uint8_t **at, const uint8_t *end, unsigned log)
{
	lane->bytes = *at;
	lane->size = get_le32(head);
	lane->state = (uint32_t)head[4] | (uint32_t)head[5] << 8;
	lane->bit = head[6];
	if (lane->size > (size_t)(end - *at) || lane->state >> log ||
	    lane->bit > 7)
		return false;
	*at += lane->size;
	return true;
}

static bool read_lanes(struct decoding *to, const uint8_t *at,
		       const uint8_t *end, unsigned log)
{
	const uint8_t *head = at;
	unsigned k;

	if ((size_t)(end - at) < to->n_lanes * LANE_HEAD_SIZE)
		return false;
	at += to->n_lanes * LANE_HEAD_SIZE;
	for (k = 0; k < to->n_lanes; k++)
		if (!read_lane(&to->lanes[k], head + k * LANE_HEAD_SIZE, &at,
			       end, log))
			return false;
	return at == end;
}

/* ---- Bits -----------------------------------------------------------------
 */

INLINE uint64_t low_bits(uint64_t value, unsigned n)
{
	return value & ((UINT64_C(1) << n) - 1);
}

/* 57 bits at least, from where the lane is. */
INLINE uint64_t peek(const struct lane *lane)
{
	return get_le64(lane->bytes + (lane->bit >> 3)) >> (lane->bit & 7);
}

/* The same near the lane's end: zeros behind it. */
static uint64_t peek_safely(const struct lane *lane)
{
	uint8_t bytes[SAFE_LOAD] = {0};
	size_t at = (size_t)(lane->bit >> 3), left;

	if (at < lane->size) {
		left = lane->size - at;
		memcpy(bytes, lane->bytes + at,
		       left < SAFE_LOAD ? left : SAFE_LOAD);
	}
	return get_le64(bytes) >> (lane->bit & 7);
}

/* Whether so many elements can be read without looking at the end. */
static bool is_far_from_end(const struct lane *lane, size_t n, unsigned most)
{
	uint64_t end = (uint64_t)lane->size * 8;
	uint64_t needed = n * most + 64;

	return lane->bit <= end && end - lane->bit >= needed;
}

/* ---- Blocks ---------------------------------------------------------------
 */

/* As much of each lane as is worked on at once: ordered base, then values. */
struct block {
	union {
		uint32_t narrow[BLOCK_ELEMENTS];
		uint64_t wide[BLOCK_ELEMENTS]; /* of 8-byte elements */
	} values;
	uint32_t moves[BLOCK_ELEMENTS];
	uint8_t classes[BLOCK_ELEMENTS], turned[BLOCK_ELEMENTS];
};

static void prepare32(const struct decoding *from,
		      const struct delta_reference *reference, size_t at,
		      size_t n, struct block *block)
{
	const struct element_kernels *kernels = element_kernels();
	uint32_t *base = block->values.narrow;
	uint32_t context[BLOCK_ELEMENTS];
	size_t offset = at * from->element.width;

	kernels->load32(reference->base + offset, n, base, from->element);
	if (reference->context)
		kernels->load32(reference->context + offset, n, context,
				from->element);
	kernels->classify32(base, reference->context ? context : NULL, n,
			    block->classes, from->element);
}

/* A lane in registers. `ahead` are the bits from `bit` on, enough of them for a
 * state's: so the next state needs not wait for a load from where the last
 * element ended. `bit` counts from a place that all lanes share. */
struct quick_lane {
	uint64_t bit, ahead;
	size_t state;
};

INLINE struct quick_lane begin_quickly(const struct lane *lane,
				       const uint8_t *bytes)
{
	return (struct quick_lane){lane->bit +
					   8 * (uint64_t)(lane->bytes - bytes),
				   peek(lane), lane->state};
}

INLINE void end_quickly(struct lane *lane, const struct quick_lane *quick,
			const uint8_t *bytes)
{
	lane->bit = quick->bit - 8 * (uint64_t)(lane->bytes - bytes);
	lane->state = (uint32_t)quick->state;
}

/* The move of a cell, from the bits that it stands at. */
INLINE uint32_t move_of(const struct delta_cell *cell, uint64_t bits)
{
	unsigned rest = cell->rest & 63;

	return (uint32_t)((uint64_t)cell->top << rest |
			  low_bits(bits >> cell->bits, rest));
}

INLINE void take32(const struct delta_cell *const *rows, struct block *block,
		   struct quick_lane *lane, const uint8_t *bytes, size_t i)
{
	const struct delta_cell *cell = rows[block->classes[i]] + lane->state;
	uint64_t bits = get_le64(bytes + (lane->bit >> 3)) >> (lane->bit & 7);

	lane->state = cell->next + (size_t)(lane->ahead & cell->mask);
	lane->ahead = bits >> (cell->total & 63);
	lane->bit += cell->total;
	block->moves[i] = move_of(cell, bits);
	block->turned[i] = cell->rest;
}

static void decode_slowly32(const struct decoding *from, struct block *block,
			    struct lane *lane, size_t begin, size_t n)
{
	size_t i;

	for (i = begin; i < n; i++) {
		const struct delta_cell *cell =
			from->rows[block->classes[i]] + lane->state;
		uint64_t bits = peek_safely(lane);

		lane->state = cell->next + (uint32_t)(bits & cell->mask);
		lane->bit += cell->total;
		block->moves[i] = move_of(cell, bits);
		block->turned[i] = cell->rest;
	}
}

static void decode_lane32(const struct decoding *from, struct block *block,
			  struct lane *lane, size_t begin, size_t n)
{
	struct quick_lane quick;
	size_t i;

	if (!is_far_from_end(lane, n, MOST_BITS32)) {
		decode_slowly32(from, block, lane, begin, n);
		return;
	}
	quick = begin_quickly(lane, lane->bytes);
	for (i = begin; i < n; i++)
		take32(from->rows, block, &quick, lane->bytes, i);
	end_quickly(lane, &quick, lane->bytes);
}

/* Four lanes in step: none waits for another's table. */
INLINE void decode_four32_body(struct decoding *from, struct block *blocks,
			       size_t n)
{
	const uint8_t *bytes = from->lanes[0].bytes;
	const struct delta_cell *const *rows = from->rows;
	struct quick_lane a = begin_quickly(&from->lanes[0], bytes);
	struct quick_lane b = begin_quickly(&from->lanes[1], bytes);
	struct quick_lane c = begin_quickly(&from->lanes[2], bytes);
	struct quick_lane d = begin_quickly(&from->lanes[3], bytes);
	size_t i;

	for (i = 0; i < n; i++) {
		take32(rows, &blocks[0], &a, bytes, i);
		take32(rows, &blocks[1], &b, bytes, i);
		take32(rows, &blocks[2], &c, bytes, i);
		take32(rows, &blocks[3], &d, bytes, i);
	}
	end_quickly(&from->lanes[0], &a, bytes);
	end_quickly(&from->lanes[1], &b, bytes);
	end_quickly(&from->lanes[2], &c, bytes);
	end_quickly(&from->lanes[3], &d, bytes);
}

static void decode_four32_portable(struct decoding *from, struct block *blocks,
				   size_t n)
{
	decode_four32_body(from, blocks, n);
}

#if defined(__x86_64__)
/* Shifts and masks by a variable number of bits in one step each. */
__attribute__((target("bmi,bmi2"))) static void
decode_four32_bmi2(struct decoding *from, struct block *blocks, size_t n)
{
	decode_four32_body(from, blocks, n);
}
#endif

static void decode_four32(struct decoding *from, struct block *blocks, size_t n)
{
#if defined(__x86_64__)
	if (element_kernels()->level >= LEVEL_AVX2) {
		decode_four32_bmi2(from, blocks, n);
		return;
	}
#endif
	decode_four32_portable(from, blocks, n);
}

static void decode_blocks32(struct decoding *from, struct block *blocks,
			    const size_t *n)
{
	bool fast = from->n_lanes == MAX_LANES;
	size_t common = fast ? n[MAX_LANES - 1] : 0;
	unsigned k;

	for (k = 0; k < from->n_lanes && fast; k++)
		fast = is_far_from_end(&from->lanes[k], common, MOST_BITS32);
	if (fast)
		decode_four32(from, blocks, common);
	for (k = 0; k < from->n_lanes; k++)
		decode_lane32(from, &blocks[k], &from->lanes[k],
			      fast ? common : 0, n[k]);
}

static void prepare64(const struct decoding *from,
		      const struct delta_reference *reference, size_t at,
		      size_t n, struct block *block)
{
	const struct element_kernels *kernels = element_kernels();
	uint64_t context[BLOCK_ELEMENTS];

	kernels->load64(reference->base + 8 * at, n, block->values.wide,
			from->element);
	if (reference->context)
		kernels->load64(reference->context + 8 * at, n, context,
				from->element);
	kernels->classify64(block->values.wide,
			    reference->context ? context : NULL, n,
			    block->classes, from->element);
}

/* Up to 62 bits don't fit beside the state's. */
static void take64(const struct decoding *from, struct block *block,
		   struct lane *lane, size_t i)
{
	const struct delta_cell *cell =
		from->rows[block->classes[i]] + lane->state;
	unsigned rest = cell->rest & 63, low = rest < 32 ? rest : 32;
	uint64_t magnitude = (uint64_t)cell->top << rest, down;

	lane->state =
		cell->next + (uint32_t)low_bits(peek_safely(lane), cell->bits);
	lane->bit += cell->bits;
	magnitude += low_bits(peek_safely(lane), low);
	lane->bit += low;
	magnitude += low_bits(peek_safely(lane), rest - low) << 32;
	lane->bit += rest - low;
	down = (uint64_t)0 - (uint64_t)((cell->rest ^ block->classes[i]) >> 7);
	block->values.wide[i] += (magnitude ^ down) - down;
}

static void decode_lane64(const struct decoding *from, struct block *block,
			  struct lane *lane, size_t n)
{
	size_t i;

	for (i = 0; i < n; i++)
		take64(from, block, lane, i);
}

static void finish32(const struct decoding *from, struct block *block, size_t n,
		     uint8_t *out)
{
	const struct element_kernels *kernels = element_kernels();
	uint32_t *values = block->values.narrow;

	kernels->move32(values, block->moves, block->turned, block->classes, n);
	kernels->store32(values, n, out, from->element);
}

/* Elements `at` to `at` + BLOCK_ELEMENTS of every lane. */
static void decode_step(struct decoding *from,
			const struct delta_reference *reference, uint8_t *out,
			size_t n_elements, size_t at)
{
	const struct element_kernels *kernels = element_kernels();
	size_t length = lane_length(n_elements, from->n_lanes);
	size_t n[MAX_LANES] = {0}, begin[MAX_LANES];
	struct block blocks[MAX_LANES];
	bool wide = from->element.width == 8;
	unsigned k;

	for (k = 0; k < from->n_lanes; k++) {
		size_t end =
			k == from->n_lanes - 1 ? n_elements : (k + 1) * length;

		begin[k] = k * length + at;
		n[k] = end > begin[k] ? end - begin[k] : 0;
		if (n[k] > BLOCK_ELEMENTS)
			n[k] = BLOCK_ELEMENTS;
		if (wide)
			prepare64(from, reference, begin[k], n[k], &blocks[k]);
		else
			prepare32(from, reference, begin[k], n[k], &blocks[k]);
	}
	for (k = 0; wide && k < from->n_lanes; k++)
		decode_lane64(from, &blocks[k], &from->lanes[k], n[k]);
	if (!wide)
		decode_blocks32(from, blocks, n);
	for (k = 0; k < from->n_lanes; k++) {
		uint8_t *to = out + begin[k] * from->element.width;

		if (wide)
			kernels->store64(blocks[k].values.wide, n[k], to,
					 from->element);
		else
			finish32(from, &blocks[k], n[k], to);
	}
}

bool delta_lanes_decode(const struct delta_head *head,
			const struct delta_cell *cells,
			const struct delta_reference *reference,
			const uint8_t *body, size_t size, uint8_t *out,
			size_t n)
{
	struct decoding from = {.element = head->element,
				.n_lanes = head->n_lanes};
	size_t at, length = lane_length(n, from.n_lanes);
	unsigned i;

	if (from.n_lanes > 1 && n < ONE_LANE_BELOW)
		return false;
	for (i = 0; i < 256; i++)
		from.rows[i] = cells + ((size_t)delta_model_of(&head->models, i)
					<< head->models.log);
	if (!read_lanes(&from, body, body + size, head->models.log))
		return false;
	for (at = 0; at < length; at += BLOCK_ELEMENTS)
		decode_step(&from, reference, out, n, at);
	for (i = 0; i < from.n_lanes; i++)
		if (from.lanes[i].state ||
		    from.lanes[i].bit != (uint64_t)from.lanes[i].size * 8)
			return false;
	return true;
}
