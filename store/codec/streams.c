/* The decoder: trusts nothing. What lies behind the end of the words or bits
 * is read as zeros, and told at the end. */
#include "codec/streams.h"

#include <string.h>

#include "base/endian.h"

#define SAFE_LOAD 8u  /* bytes that a read of bits takes at once */
#define MOST_BITS 30u /* of an element, below its two highest */

#define INLINE static inline __attribute__((always_inline))

/* The cells of a symbol, but for the place. */
static uint32_t cell_of(uint32_t symbol, uint32_t frequency)
{
	uint32_t half = symbol >> 1;
	uint32_t rest = half < 4 ? 0 : half / 2 - 1;
	uint32_t top = half < 4 ? half : 2 + (half & 1);

	return frequency | rest << CELL_REST | top << CELL_TOP |
	       (symbol & 1) << CELL_SIGN;
}

bool streams_cells(uint32_t *cells, const struct ans_model *model)
{
	uint32_t i, k, j;

	for (i = 0; i < ANS_SYMBOLS; i++) {
		uint32_t f = model->frequency[i], cell = cell_of(i, f);

		if (f && i >= STREAMS_SYMBOLS)
			return false;
		/* The next symbol's overwrite those that are too many. */
		for (k = 0; k < f; k += STREAMS_SLACK)
			for (j = 0; j < STREAMS_SLACK; j++)
				cells[k + j] = cell + ((k + j) << CELL_PLACE);
		cells += f;
	}
	return true;
}

bool streams_open(struct streams *streams, const uint8_t *body, size_t size)
{
	size_t n_words, i;

	if (size < STREAMS_HEAD_SIZE)
		return false;
	for (i = 0; i < N_STATES; i++)
		streams->states[i] = get_le32(body + 4 * i);
	n_words = get_le32(body + sizeof(streams->states));
	if (n_words % 2 || n_words > size - STREAMS_HEAD_SIZE)
		return false;
	streams->words = body + STREAMS_HEAD_SIZE;
	streams->words_end = streams->bits = streams->words + n_words;
	streams->bits_end = body + size;
	streams->bit = 0;
	streams->short_ = false;
	return true;
}

bool streams_close(const struct streams *streams)
{
	uint64_t n_bits = 8 * (uint64_t)(streams->bits_end - streams->bits);
	unsigned i;

	for (i = 0; i < N_STATES; i++)
		if (streams->states[i] != FIRST_STATE)
			return false;
	return !streams->short_ && streams->words == streams->words_end &&
	       streams->bit <= n_bits && n_bits - streams->bit < 8;
}

/* ---- Near the end ---------------------------------------------------------
 */

static uint64_t peek_safely(const struct streams *streams)
{
	uint8_t bytes[SAFE_LOAD] = {0};
	size_t size = (size_t)(streams->bits_end - streams->bits), left;
	size_t at = (size_t)(streams->bit >> 3);

	if (at < size) {
		left = size - at;
		memcpy(bytes, streams->bits + at,
		       left < SAFE_LOAD ? left : SAFE_LOAD);
	}
	return get_le64(bytes) >> (streams->bit & 7);
}

static uint32_t next_word(struct streams *streams)
{
	if (streams->words == streams->words_end) {
		streams->short_ = true;
		return 0;
	}
	streams->words += 2;
	return get_le16(streams->words - 2);
}

/* A block of elements as vectors work on it: ordered base, then values. */
struct block {
	uint32_t values[BLOCK_ELEMENTS], moves[BLOCK_ELEMENTS];
	uint8_t classes[BLOCK_ELEMENTS], turned[BLOCK_ELEMENTS];
};

INLINE unsigned rest_of(uint32_t cell)
{
	return cell >> CELL_REST & CELL_RESTS;
}

INLINE uint32_t move_of(uint32_t cell, uint64_t bits)
{
	unsigned rest = rest_of(cell);

	return (cell >> CELL_TOP & 3) << rest |
	       ((uint32_t)bits & ((UINT32_C(1) << rest) - 1));
}

INLINE uint32_t step(uint32_t state, uint32_t cell, unsigned log)
{
	return (cell & CELL_FIELD) * (state >> log) +
	       (cell >> CELL_PLACE & CELL_FIELD);
}

INLINE uint8_t turned_of(uint32_t cell)
{
	return (uint8_t)(cell >> (CELL_SIGN - 7));
}

/* A block begins at a multiple of N_STATES. */
static void take_carefully(struct streams *streams, struct block *block,
			   size_t n)
{
	uint32_t mask = (UINT32_C(1) << streams->log) - 1;
	size_t i;

	for (i = 0; i < n; i++) {
		uint32_t state = streams->states[i % N_STATES];
		uint32_t row = streams->rows[block->classes[i]];
		uint32_t cell = streams->cells[row + (state & mask)];

		state = step(state, cell, streams->log);
		if (state < FIRST_STATE)
			state = state << 16 | next_word(streams);
		streams->states[i % N_STATES] = state;
		block->moves[i] = move_of(cell, peek_safely(streams));
		block->turned[i] = turned_of(cell);
		streams->bit += rest_of(cell);
	}
}

/* ---- Elsewhere ------------------------------------------------------------
 */

/* What changes is in variables of its own, for a byte that is stored might be
 * any of the structure's. */
INLINE void take_body(struct streams *streams, struct block *block, size_t n)
{
	const uint32_t *rows = streams->rows, *cells = streams->cells;
	const uint8_t *words = streams->words, *bits = streams->bits;
	uint32_t *states = streams->states;
	unsigned log = streams->log;
	uint32_t mask = (UINT32_C(1) << log) - 1;
	uint64_t bit = streams->bit;
	size_t i;

	for (i = 0; i < n; i++) {
		uint32_t state = states[i % N_STATES];
		uint32_t cell = cells[rows[block->classes[i]] + (state & mask)];
		uint32_t low;

		state = step(state, cell, log);
		/* No branch: which states are low no processor foresees. */
		low = state < FIRST_STATE;
		states[i % N_STATES] =
			state << (16 * low) | (get_le16(words) & (0u - low));
		words += 2 * low;
		block->moves[i] =
			move_of(cell, get_le64(bits + (bit >> 3)) >> (bit & 7));
		block->turned[i] = turned_of(cell);
		bit += rest_of(cell);
	}
	streams->words = words;
	streams->bit = bit;
}

static void take_portable(struct streams *streams, struct block *block,
			  size_t n)
{
	take_body(streams, block, n);
}

#if defined(__x86_64__)
/* Shifts and masks by a variable number of bits in one step each. */
__attribute__((target("bmi,bmi2"))) static void
take_bmi2(struct streams *streams, struct block *block, size_t n)
{
	take_body(streams, block, n);
}
#else
#define take_bmi2 take_portable
#endif

static bool is_far_from_end(const struct streams *streams, size_t n)
{
	uint64_t n_bits = 8 * (uint64_t)(streams->bits_end - streams->bits);

	return (size_t)(streams->words_end - streams->words) >= 2 * (n + 1) &&
	       n_bits >= streams->bit + n * MOST_BITS + 8 * SAFE_LOAD;
}

static void decode_block(struct streams *streams, const uint8_t *base,
			 const uint8_t *context, uint8_t *out, size_t n)
{
	const struct element_kernels *kernels = element_kernels();
	struct codec_element element = streams->element;
	uint32_t other[BLOCK_ELEMENTS];
	struct block block;

	kernels->load32(base, n, block.values, element);
	if (context)
		kernels->load32(context, n, other, element);
	kernels->classify32(block.values, context ? other : NULL, n,
			    block.classes, element);
	if (!is_far_from_end(streams, n))
		take_carefully(streams, &block, n);
	else if (kernels->level == LEVEL_PORTABLE)
		take_portable(streams, &block, n);
	else
		take_bmi2(streams, &block, n);
	kernels->move32(block.values, block.moves, block.turned, block.classes,
			n);
	kernels->store32(block.values, n, out, element);
}

static streams_kernel *kernel_of(enum element_level level)
{
#if defined(__x86_64__)
	if (level == LEVEL_VBMI2)
		return streams_decode_vbmi2;
	if (level == LEVEL_AVX512)
		return streams_decode_avx512;
	if (level == LEVEL_AVX2)
		return streams_decode_avx2;
#endif
	(void)level;
	return NULL;
}

void streams_decode(struct streams *streams, const uint8_t *base,
		    const uint8_t *context, uint8_t *out, size_t n)
{
	streams_kernel *kernel = kernel_of(element_kernels()->level);
	size_t at = kernel ? kernel(streams, base, context, out, n) : 0;
	size_t width = streams->element.width;

	while (at < n) {
		size_t some = n - at < BLOCK_ELEMENTS ? n - at : BLOCK_ELEMENTS;

		decode_block(streams, base + at * width,
			     context ? context + at * width : NULL,
			     out + at * width, some);
		at += some;
	}
}
