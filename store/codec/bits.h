/* codec/bits.h: runs of bits, the lowest first, for the heads of chunks. */
#ifndef WH_CODEC_BITS_H
#define WH_CODEC_BITS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/** `full` is set, and nothing more written, once there is no room. */
struct bit_writer {
	uint8_t *at, *end;
	uint64_t held;
	unsigned n_held;
	bool full;
};

/** `short_` is set, and zeros are read, once there are no more. */
struct bit_reader {
	const uint8_t *at, *end;
	uint64_t held;
	unsigned n_held;
	bool short_;
};

/** Up to 32 bits. */
void bits_write(struct bit_writer *to, uint32_t value, unsigned n);
uint32_t bits_read(struct bit_reader *from, unsigned n);

/** A number from 0, cheap where it is small (Elias's gamma code of it + 1). */
void bits_write_number(struct bit_writer *to, uint32_t value);
uint32_t bits_read_number(struct bit_reader *from);

/** Fills up the last byte: what follows begins with a whole one. */
void bits_flush(struct bit_writer *to);
/** Gives back what was read ahead; the rest of a byte is dropped. */
void bits_align(struct bit_reader *from);

#endif
