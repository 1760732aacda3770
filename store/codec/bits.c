#include "codec/bits.h"

void bits_write(struct bit_writer *to, uint32_t value, unsigned n)
{
	to->held |= (uint64_t)value << to->n_held;
	to->n_held += n;
	while (to->n_held >= 8) {
		if (to->at == to->end) {
			to->full = true;
			to->n_held = 0;
			to->held = 0;
			return;
		}
		*to->at++ = (uint8_t)to->held;
		to->held >>= 8;
		to->n_held -= 8;
	}
}

uint32_t bits_read(struct bit_reader *from, unsigned n)
{
	uint32_t value;

	while (from->n_held < n) {
		if (from->at == from->end)
			from->short_ = true;
		else
			from->held |= (uint64_t)*from->at++ << from->n_held;
		from->n_held += 8;
	}
	value = (uint32_t)(from->held & ((UINT64_C(1) << n) - 1));
	from->held >>= n;
	from->n_held -= n;
	return value;
}

/* The place of its highest bit. */
static unsigned log2_of(uint32_t value)
{
	unsigned n = 0;

	while (value >>= 1)
		n++;
	return n;
}

void bits_write_number(struct bit_writer *to, uint32_t value)
{
	unsigned n = log2_of(value + 1);

	bits_write(to, 0, n);
	bits_write(to, 1, 1);
	bits_write(to, (value + 1) & ((UINT32_C(1) << n) - 1), n);
}

static void fill(struct bit_reader *from)
{
	for (; from->n_held <= 56 && from->at != from->end; from->n_held += 8)
		from->held |= (uint64_t)*from->at++ << from->n_held;
}

static uint32_t read_number_slowly(struct bit_reader *from)
{
	unsigned n = 0;

	while (!bits_read(from, 1) && !from->short_)
		if (++n > 31) {
			from->short_ = true;
			return 0;
		}
	return (UINT32_C(1) << n) + bits_read(from, n) - 1;
}

/* All of it is held, as a rule. */
uint32_t bits_read_number(struct bit_reader *from)
{
	unsigned n;

	fill(from);
	n = from->held ? (unsigned)__builtin_ctzll(from->held) : 64;
	if (from->short_ || n > 28 || 2 * n + 1 > from->n_held)
		return read_number_slowly(from);
	bits_read(from, n + 1);
	return (UINT32_C(1) << n) + bits_read(from, n) - 1;
}

void bits_flush(struct bit_writer *to)
{
	if (to->n_held)
		bits_write(to, 0, 8 - to->n_held);
}

void bits_align(struct bit_reader *from)
{
	if (!from->short_)
		from->at -= from->n_held / 8;
	from->held = 0;
	from->n_held = 0;
}
