/* base/crc.h: CRC-32C (Castagnoli, RFC 3720) and CRC-32 (ISO 3309, zip).
 *
 * Both reflected, initial and final XOR 0xFFFFFFFF, so that the value of an
 * empty run is 0 and runs can be chained: crc(crc(0, a), b) = crc(0, a + b).
 */
#ifndef WH_BASE_CRC_H
#define WH_BASE_CRC_H

#include <stddef.h>
#include <stdint.h>

uint32_t crc32c_update(uint32_t crc, const void *bytes, size_t len);
uint32_t crc32_update(uint32_t crc, const void *bytes, size_t len);

/** The CRC of A followed by B, from theirs and B's length: by multiplication
 *  in GF(2)[x], without the bytes. */
uint32_t crc32c_combine(uint32_t crc_a, uint32_t crc_b, uint64_t len_b);
uint32_t crc32_combine_runs(uint32_t crc_a, uint32_t crc_b, uint64_t len_b);

#endif
