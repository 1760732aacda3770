/* base/endian.h: fixed-width integers in files, whatever the host's order. */
#ifndef WH_BASE_ENDIAN_H
#define WH_BASE_ENDIAN_H

#include <stddef.h>
#include <stdint.h>

static inline uint16_t get_le16(const void *at)
{
	const uint8_t *b = at;

	return (uint16_t)(b[0] | b[1] << 8);
}

static inline uint32_t get_le32(const void *at)
{
	const uint8_t *b = at;

	return (uint32_t)b[0] | (uint32_t)b[1] << 8 | (uint32_t)b[2] << 16 |
	       (uint32_t)b[3] << 24;
}

static inline uint64_t get_le64(const void *at)
{
	const uint8_t *b = at;

	return (uint64_t)get_le32(b) | (uint64_t)get_le32(b + 4) << 32;
}

static inline void put_le16(void *at, uint16_t value)
{
	uint8_t *b = at;

	b[0] = (uint8_t)value;
	b[1] = (uint8_t)(value >> 8);
}

static inline void put_le32(void *at, uint32_t value)
{
	uint8_t *b = at;

	b[0] = (uint8_t)value;
	b[1] = (uint8_t)(value >> 8);
	b[2] = (uint8_t)(value >> 16);
	b[3] = (uint8_t)(value >> 24);
}

static inline void put_le64(void *at, uint64_t value)
{
	uint8_t *b = at;

	put_le32(b, (uint32_t)value);
	put_le32(b + 4, (uint32_t)(value >> 32));
}

/** Reverses each element of `width` bytes in place; `len` is a multiple. */
void swap_elements(void *bytes, size_t len, unsigned width);

#endif
