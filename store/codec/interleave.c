#include "codec/interleave.h"

#include <string.h>

#include "base/endian.h"
#include "codec/element.h"

#define INLINE static inline __attribute__((always_inline))

/* ---- Bodies, compiled once for each kind of processor -------------------- */

INLINE void split4(const uint8_t *restrict bytes, size_t n,
		   uint8_t *restrict planes)
{
	size_t i;

	for (i = 0; i < n; i++) {
		uint32_t x = get_le32(bytes + 4 * i);

		x = x << 1 | x >> 31;
		planes[i] = (uint8_t)x;
		planes[n + i] = (uint8_t)(x >> 8);
		planes[2 * n + i] = (uint8_t)(x >> 16);
		planes[3 * n + i] = (uint8_t)(x >> 24);
	}
}

INLINE void join4(const uint8_t *const *planes, size_t n,
		  uint8_t *restrict bytes)
{
	const uint8_t *a = planes[0], *b = planes[1], *c = planes[2];
	const uint8_t *d = planes[3];
	size_t i;

	for (i = 0; i < n; i++) {
		uint32_t x = (uint32_t)a[i] | (uint32_t)b[i] << 8 |
			     (uint32_t)c[i] << 16 | (uint32_t)d[i] << 24;

		put_le32(bytes + 4 * i, x >> 1 | x << 31);
	}
}

INLINE void split2(const uint8_t *restrict bytes, size_t n,
		   uint8_t *restrict planes)
{
	size_t i;

	for (i = 0; i < n; i++) {
		uint16_t x = get_le16(bytes + 2 * i);

		x = (uint16_t)(x << 1 | x >> 15);
		planes[i] = (uint8_t)x;
		planes[n + i] = (uint8_t)(x >> 8);
	}
}

INLINE void join2(const uint8_t *const *planes, size_t n,
		  uint8_t *restrict bytes)
{
	const uint8_t *a = planes[0], *b = planes[1];
	size_t i;

	for (i = 0; i < n; i++) {
		uint16_t x = (uint16_t)(a[i] | b[i] << 8);

		put_le16(bytes + 2 * i, (uint16_t)(x >> 1 | x << 15));
	}
}

INLINE void split8(const uint8_t *restrict bytes, size_t n,
		   uint8_t *restrict planes)
{
	size_t i, k;

	for (i = 0; i < n; i++) {
		uint64_t x = get_le64(bytes + 8 * i);

		x = x << 1 | x >> 63;
		for (k = 0; k < 8; k++)
			planes[k * n + i] = (uint8_t)(x >> 8 * k);
	}
}

INLINE void join8(const uint8_t *const *planes, size_t n,
		  uint8_t *restrict bytes)
{
	size_t i, k;

	for (i = 0; i < n; i++) {
		uint64_t x = 0;

		for (k = 0; k < 8; k++)
			x |= (uint64_t)planes[k][i] << 8 * k;
		put_le64(bytes + 8 * i, x >> 1 | x << 63);
	}
}

INLINE void split_body(unsigned width, const uint8_t *bytes, size_t n,
		       uint8_t *planes)
{
	if (width == 8)
		split8(bytes, n, planes);
	else if (width == 4)
		split4(bytes, n, planes);
	else if (width == 2)
		split2(bytes, n, planes);
	else
		memcpy(planes, bytes, n);
}

INLINE void join_body(unsigned width, const uint8_t *const *planes, size_t n,
		      uint8_t *bytes)
{
	if (width == 8)
		join8(planes, n, bytes);
	else if (width == 4)
		join4(planes, n, bytes);
	else if (width == 2)
		join2(planes, n, bytes);
	else
		memcpy(bytes, planes[0], n);
}

/* ---- Kinds of processors --------------------------------------------------
 */

#define KINDS(suffix, target)                                                  \
	target static void split_##suffix(unsigned width,                      \
					  const uint8_t *bytes, size_t n,      \
					  uint8_t *planes)                     \
	{                                                                      \
		split_body(width, bytes, n, planes);                           \
	}                                                                      \
	target static void join_##suffix(unsigned width,                       \
					 const uint8_t *const *planes,         \
					 size_t n, uint8_t *bytes)             \
	{                                                                      \
		join_body(width, planes, n, bytes);                            \
	}

KINDS(portable, )
#if defined(__x86_64__)
KINDS(avx2, __attribute__((target("avx2"))))
#endif

void interleave_split(unsigned width, const uint8_t *bytes, size_t n,
		      uint8_t *planes)
{
#if defined(__x86_64__)
	if (element_kernels()->level >= LEVEL_AVX2) {
		split_avx2(width, bytes, n, planes);
		return;
	}
#endif
	split_portable(width, bytes, n, planes);
}

void interleave_join(unsigned width, const uint8_t *const *planes, size_t n,
		     uint8_t *bytes)
{
#if defined(__x86_64__)
	if (element_kernels()->level >= LEVEL_AVX2) {
		join_avx2(width, planes, n, bytes);
		return;
	}
#endif
	join_portable(width, planes, n, bytes);
}
