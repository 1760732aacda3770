#include "codec/ans.h"

#include <string.h>

/* ---- Models ---------------------------------------------------------------
 */

/* Symbols up to the last one that occurs. */
static uint32_t count_symbols(const struct ans_model *model)
{
	uint32_t n = ANS_SYMBOLS;

	while (n && !model->frequency[n - 1])
		n--;
	return n;
}

/* Of the first `n`. */
static uint32_t most_frequent(const struct ans_model *model, uint32_t n)
{
	uint32_t i, best = 0;

	for (i = 1; i < n; i++)
		if (model->frequency[i] > model->frequency[best])
			best = i;
	return best;
}

/* What rounding left over is the commonest symbol's gain or, a unit at a time
 * as the commonest changes, loss. */
static void balance(struct ans_model *model, uint32_t sum, uint32_t size)
{
	uint32_t n = count_symbols(model);

	if (sum <= size) {
		uint32_t most = most_frequent(model, n);

		model->frequency[most] =
			(uint16_t)(model->frequency[most] + (size - sum));
		return;
	}
	for (; sum > size; sum--)
		model->frequency[most_frequent(model, n)]--;
}

void ans_model_make(struct ans_model *model, const uint32_t *counts,
		    unsigned log)
{
	uint64_t total = 0;
	uint32_t i, sum = 0, size = UINT32_C(1) << log;

	for (i = 0; i < ANS_SYMBOLS; i++)
		total += counts[i];
	for (i = 0; i < ANS_SYMBOLS; i++) {
		uint64_t share = 0;

		if (counts[i])
			share = (counts[i] * (uint64_t)size + total / 2) /
				total;
		if (counts[i] && !share)
			share = 1;
		model->frequency[i] = (uint16_t)share;
		sum += (uint32_t)share;
	}
	balance(model, sum, size);
}

void ans_model_write(struct bit_writer *to, const struct ans_model *model)
{
	uint32_t i, n = count_symbols(model);

	bits_write_number(to, n);
	for (i = 0; i < n; i++)
		bits_write_number(to, model->frequency[i]);
}

bool ans_model_read(struct bit_reader *from, struct ans_model *model,
		    unsigned log)
{
	uint32_t i, n = bits_read_number(from), sum = 0;
	uint32_t size = UINT32_C(1) << log;

	memset(model, 0, sizeof(*model));
	if (n > ANS_SYMBOLS)
		return false;
	for (i = 0; i < n; i++) {
		uint32_t frequency = bits_read_number(from);

		if (from->short_ || frequency > size - sum)
			return false;
		model->frequency[i] = (uint16_t)frequency;
		sum += frequency;
	}
	return sum == size;
}

/* ---- Tables ---------------------------------------------------------------
 */

static unsigned floor_log2(uint32_t value)
{
	return 31u - (unsigned)__builtin_clz(value);
}

/* Which symbol each state stands for: occurrences of one lie far apart. The
 * step is odd, so it visits every state once. */
static void spread(uint8_t *symbols, const struct ans_model *model,
		   unsigned log)
{
	uint32_t size = UINT32_C(1) << log, at = 0, i, k;
	uint32_t step = (size >> 1) + (size >> 3) + 3;

	for (i = 0; i < ANS_SYMBOLS; i++)
		for (k = 0; k < model->frequency[i]; k++) {
			symbols[at] = (uint8_t)i;
			at = (at + step) & (size - 1);
		}
}

void ans_decoder_make(struct ans_cell *cells, const struct ans_model *model,
		      unsigned log)
{
	uint8_t symbols[ANS_SIZE_MAX];
	uint32_t size = UINT32_C(1) << log, i;
	uint16_t next[ANS_SYMBOLS];

	spread(symbols, model, log);
	memcpy(next, model->frequency, sizeof(next));
	for (i = 0; i < size; i++) {
		uint32_t x = next[symbols[i]]++;
		unsigned bits = log - floor_log2(x);

		cells[i] = (struct ans_cell){
			.next = (uint16_t)((x << bits) - size),
			.bits = (uint8_t)bits,
			.symbol = symbols[i],
		};
	}
}

static void make_steps(struct ans_step *steps, const struct ans_model *model,
		       unsigned log)
{
	uint32_t i, total = 0;

	for (i = 0; i < ANS_SYMBOLS; i++) {
		uint32_t f = model->frequency[i];
		unsigned most = f > 1 ? log - floor_log2(f - 1) : log;

		if (!f)
			continue;
		steps[i].bits = ((uint32_t)most << 16) - (f << most);
		steps[i].find = (int32_t)total - (int32_t)f;
		total += f;
	}
}

void ans_encoder_make(struct ans_encoder *encoder,
		      const struct ans_model *model, unsigned log)
{
	uint8_t symbols[ANS_SIZE_MAX];
	uint32_t size = UINT32_C(1) << log, i, total = 0;
	uint16_t place[ANS_SYMBOLS];

	spread(symbols, model, log);
	for (i = 0; i < ANS_SYMBOLS; i++) {
		place[i] = (uint16_t)total;
		total += model->frequency[i];
	}
	for (i = 0; i < size; i++)
		encoder->states[place[symbols[i]]++] = (uint16_t)(size + i);
	make_steps(encoder->steps, model, log);
}
