#include "base/crc.h"

#include "config.h"
#include <pthread.h>
#include <string.h>

#if HAVE_ISAL
#include <isa-l/crc.h>
#endif

#define CRC32C_POLY 0x82f63b78u /* reflected; RFC 3720 appendix B.4 */
#define CRC32_POLY  0xedb88320u /* reflected; ISO 3309 */

/* a * b modulo the polynomial; bit 31 is x^0, as the CRCs are reflected. */
static uint32_t multiply(uint32_t a, uint32_t b, uint32_t poly)
{
	uint32_t product = 0, bit;

	for (bit = UINT32_C(1) << 31; bit; bit >>= 1) {
		if (a & bit)
			product ^= b;
		b = b & 1 ? (b >> 1) ^ poly : b >> 1;
	}
	return product;
}

/* x^(8 * n) modulo the polynomial, by squaring. */
static uint32_t shift_bytes(uint64_t n, uint32_t poly)
{
	uint32_t power = UINT32_C(1) << 23;  /* x^8 */
	uint32_t result = UINT32_C(1) << 31; /* 1 */

	for (; n; n >>= 1) {
		if (n & 1)
			result = multiply(power, result, poly);
		power = multiply(power, power, poly);
	}
	return result;
}

uint32_t crc32c_combine(uint32_t crc_a, uint32_t crc_b, uint64_t len_b)
{
	/* Of nothing before it, most often. */
	if (!crc_a)
		return crc_b;
	return multiply(shift_bytes(len_b, CRC32C_POLY), crc_a, CRC32C_POLY) ^
	       crc_b;
}

uint32_t crc32_combine_runs(uint32_t crc_a, uint32_t crc_b, uint64_t len_b)
{
	return multiply(shift_bytes(len_b, CRC32_POLY), crc_a, CRC32_POLY) ^
	       crc_b;
}

#if HAVE_ISAL

/* ISA-L takes an int length; stay far below it. */
#define PIECE ((size_t)1 << 30)

uint32_t crc32c_update(uint32_t crc, const void *bytes, size_t len)
{
	/* Not const in the library's prototype, though it only reads. */
	unsigned char *at = (unsigned char *)(uintptr_t)bytes;
	uint32_t state = ~crc;

	for (; len > PIECE; at += PIECE, len -= PIECE)
		state = crc32_iscsi(at, (int)PIECE, state);
	return ~crc32_iscsi(at, (int)len, state);
}

uint32_t crc32_update(uint32_t crc, const void *bytes, size_t len)
{
	return crc32_gzip_refl(crc, bytes, len);
}

#else

/* Eight bytes a step by table, after M. Kounavis and F. Berry, "A systematic
 * approach to building high performance software-based CRC generators". */
static uint32_t tables[2][8][256];
static pthread_once_t once = PTHREAD_ONCE_INIT;

static void fill_table(uint32_t table[8][256], uint32_t poly)
{
	uint32_t i, k;

	for (i = 0; i < 256; i++) {
		uint32_t crc = i;

		for (k = 0; k < 8; k++)
			crc = crc & 1 ? (crc >> 1) ^ poly : crc >> 1;
		table[0][i] = crc;
	}
	for (i = 0; i < 256; i++)
		for (k = 1; k < 8; k++)
			table[k][i] = (table[k - 1][i] >> 8) ^
				      table[0][table[k - 1][i] & 0xff];
}

static void fill_tables(void)
{
	fill_table(tables[0], CRC32C_POLY);
	fill_table(tables[1], CRC32_POLY);
}

static uint32_t update(uint32_t crc, const uint8_t *at, size_t len, int which)
{
	uint32_t(*t)[256] = tables[which];
	uint32_t state = ~crc;

	pthread_once(&once, fill_tables);
	for (; len >= 8; at += 8, len -= 8) {
		state ^= (uint32_t)at[0] | (uint32_t)at[1] << 8 |
			 (uint32_t)at[2] << 16 | (uint32_t)at[3] << 24;
		state = t[7][state & 0xff] ^ t[6][state >> 8 & 0xff] ^
			t[5][state >> 16 & 0xff] ^ t[4][state >> 24] ^
			t[3][at[4]] ^ t[2][at[5]] ^ t[1][at[6]] ^ t[0][at[7]];
	}
	for (; len; at++, len--)
		state = (state >> 8) ^ t[0][(state ^ *at) & 0xff];
	return ~state;
}

uint32_t crc32c_update(uint32_t crc, const void *bytes, size_t len)
{
	return update(crc, bytes, len, 0);
}

uint32_t crc32_update(uint32_t crc, const void *bytes, size_t len)
{
	return update(crc, bytes, len, 1);
}

#endif
