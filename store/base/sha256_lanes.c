/* SHA-256 as FIPS 180-4 has it, sections 4.1.2, 4.2.2, 5.1.1, 5.3.3, 6.2.2.
 *
 * The rounds are in sha256_rounds.h, which each width of vectors includes. A
 * lane whose message has ended goes along, and gets its words back.
 */
#include "base/sha256_lanes.h"

#include <stdatomic.h>
#include <stdbool.h>
#include <string.h>

#if defined(__x86_64__)
#include <cpuid.h>
#include <immintrin.h>
#endif

typedef void add_blocks_fn(uint32_t words[8][SHA256_LANES],
			   const uint8_t *const bytes[], size_t n_blocks);

#if defined(__x86_64__)

/* FIPS 180-4, 4.2.2: of the cube roots of the first primes. */
static const uint32_t constants[64] = {
	0x428a2f98, 0x71374491, 0xb5c0fbcf, 0xe9b5dba5, 0x3956c25b, 0x59f111f1,
	0x923f82a4, 0xab1c5ed5, 0xd807aa98, 0x12835b01, 0x243185be, 0x550c7dc3,
	0x72be5d74, 0x80deb1fe, 0x9bdc06a7, 0xc19bf174, 0xe49b69c1, 0xefbe4786,
	0x0fc19dc6, 0x240ca1cc, 0x2de92c6f, 0x4a7484aa, 0x5cb0a9dc, 0x76f988da,
	0x983e5152, 0xa831c66d, 0xb00327c8, 0xbf597fc7, 0xc6e00bf3, 0xd5a79147,
	0x06ca6351, 0x14292967, 0x27b70a85, 0x2e1b2138, 0x4d2c6dfc, 0x53380d13,
	0x650a7354, 0x766a0abb, 0x81c2c92e, 0x92722c85, 0xa2bfe8a1, 0xa81a664b,
	0xc24b8b70, 0xc76c51a3, 0xd192e819, 0xd6990624, 0xf40e3585, 0x106aa070,
	0x19a4c116, 0x1e376c08, 0x2748774c, 0x34b0bcb5, 0x391c0cb3, 0x4ed8aa4a,
	0x5b9cca4f, 0x682e6ff3, 0x748f82ee, 0x78a5636f, 0x84c87814, 0x8cc70208,
	0x90befffa, 0xa4506ceb, 0xbef9a3f7, 0xc67178f2,
};

#define NAME(x)         x##_avx512
#define TARGET          __attribute__((target("avx512f,avx512bw")))
#define LANES           16
#define VECTOR          __m512i
#define ADD(x, y)       _mm512_add_epi32(x, y)
#define RIGHT(x, n)     _mm512_srli_epi32(x, n)
#define ROTATE(x, n)    _mm512_ror_epi32(x, n)
#define XOR3(x, y, z)   _mm512_ternarylogic_epi32(x, y, z, 0x96)
#define CHOOSE(x, y, z) _mm512_ternarylogic_epi32(x, y, z, 0xca)
#define MOST(x, y, z)   _mm512_ternarylogic_epi32(x, y, z, 0xe8)
#define LOAD(at)        _mm512_loadu_si512(at)
#define STORE(at, x)    _mm512_storeu_si512(at, x)
#define SPREAD(x)       _mm512_set1_epi32((int)(x))
#include "base/sha256_rounds.h"

#define NAME(x)         x##_avx2
#define TARGET          __attribute__((target("avx2")))
#define LANES           8
#define VECTOR          __m256i
#define ADD(x, y)       _mm256_add_epi32(x, y)
#define RIGHT(x, n)     _mm256_srli_epi32(x, n)
#define ROTATE(x, n)                                                           \
	_mm256_or_si256(_mm256_srli_epi32(x, n), _mm256_slli_epi32(x, 32 - (n)))
#define XOR3(x, y, z)   _mm256_xor_si256(x, _mm256_xor_si256(y, z))
#define CHOOSE(x, y, z)                                                        \
	_mm256_xor_si256(z, _mm256_and_si256(x, _mm256_xor_si256(y, z)))
#define MOST(x, y, z)                                                          \
	_mm256_or_si256(_mm256_and_si256(x, y),                                \
			_mm256_and_si256(z, _mm256_or_si256(x, y)))
#define LOAD(at)        _mm256_loadu_si256((const __m256i *)(const void *)(at))
#define STORE(at, x)    _mm256_storeu_si256((__m256i *)(void *)(at), x)
#define SPREAD(x)       _mm256_set1_epi32((int)(x))
#include "base/sha256_rounds.h"

/* Of leaf 7: what gcc and clang don't ask for by name in all versions. */
static bool hashes_by_itself(void)
{
	unsigned a, b, c, d;

	return __get_cpuid_count(7, 0, &a, &b, &c, &d) && (b & bit_SHA);
}

static unsigned widest(void)
{
	__builtin_cpu_init();
	if (__builtin_cpu_supports("avx512f") &&
	    __builtin_cpu_supports("avx512bw"))
		return 16;
	return __builtin_cpu_supports("avx2") ? 8 : 0;
}

static add_blocks_fn *adder(unsigned width)
{
	return width > 8 ? add_blocks_avx512 : add_blocks_avx2;
}

#else

static bool hashes_by_itself(void)
{
	return true;
}

static unsigned widest(void)
{
	return 0;
}

static add_blocks_fn *adder(unsigned width)
{
	(void)width;
	return NULL;
}

#endif

/* One more than the width; 0: not looked at yet. */
static atomic_uint chosen;

unsigned sha256_lanes_width(void)
{
	unsigned found = atomic_load(&chosen);

	if (!found) {
		found = 1 + (hashes_by_itself() ? 0 : widest());
		atomic_store(&chosen, found);
	}
	return found - 1;
}

void sha256_lanes_force(int width)
{
	unsigned most = widest();

	if (width < 0)
		atomic_store(&chosen, 0);
	else
		atomic_store(&chosen,
			     1 + ((unsigned)width < most ? (unsigned)width
							 : most));
}

/* FIPS 180-4, 5.3.3: of the square roots of the first primes. */
void sha256_lanes_begin(struct sha256_lanes *lanes)
{
	static const uint32_t first[8] = {
		0x6a09e667, 0xbb67ae85, 0x3c6ef372, 0xa54ff53a,
		0x510e527f, 0x9b05688c, 0x1f83d9ab, 0x5be0cd19,
	};
	unsigned i, lane;

	for (i = 0; i < 8; i++)
		for (lane = 0; lane < SHA256_LANES; lane++)
			lanes->words[i][lane] = first[i];
}

/* The fewest blocks that one that has some has; 0: none has. */
static size_t count_shared(unsigned width, const size_t left[])
{
	size_t fewest = 0;
	unsigned lane;

	for (lane = 0; lane < width; lane++)
		if (left[lane] && (!fewest || left[lane] < fewest))
			fewest = left[lane];
	return fewest;
}

/* Those that have blocks left keep what came out, the others what they had. */
static void add_shared(struct sha256_lanes *lanes, unsigned width,
		       const uint8_t *at[], size_t left[], size_t shared)
{
	const uint8_t *from[SHA256_LANES];
	struct sha256_lanes before = *lanes;
	const uint8_t *any = NULL;
	unsigned i, lane;

	for (lane = 0; lane < width; lane++)
		if (left[lane])
			any = at[lane];
	for (lane = 0; lane < SHA256_LANES; lane++)
		from[lane] = lane < width && left[lane] ? at[lane] : any;
	adder(width)(lanes->words, from, shared);
	for (lane = 0; lane < width; lane++) {
		if (left[lane]) {
			at[lane] += shared * SHA256_BLOCK;
			left[lane] -= shared;
			continue;
		}
		for (i = 0; i < 8; i++)
			lanes->words[i][lane] = before.words[i][lane];
	}
}

void sha256_lanes_add(struct sha256_lanes *lanes, unsigned width,
		      const uint8_t *const bytes[], const size_t n_blocks[])
{
	const uint8_t *at[SHA256_LANES];
	size_t left[SHA256_LANES], shared;

	memcpy(at, bytes, width * sizeof(at[0]));
	memcpy(left, n_blocks, width * sizeof(left[0]));
	while ((shared = count_shared(width, left)))
		add_shared(lanes, width, at, left, shared);
}

/* FIPS 180-4, 5.1.1: a bit, zeros, the number of bits; in how many blocks. */
static size_t pad(uint8_t out[2 * SHA256_BLOCK], const uint8_t *rest,
		  uint64_t size)
{
	size_t used = (size_t)(size % SHA256_BLOCK);
	size_t n = used < SHA256_BLOCK - 8 ? 1 : 2;
	unsigned i;

	memset(out, 0, 2 * SHA256_BLOCK);
	if (used)
		memcpy(out, rest, used);
	out[used] = 0x80;
	for (i = 0; i < 8; i++)
		out[n * SHA256_BLOCK - 1 - i] = (uint8_t)(size << 3 >> 8 * i);
	return n;
}

void sha256_lanes_end(struct sha256_lanes *lanes, unsigned width,
		      const uint8_t *const rests[], const uint64_t sizes[],
		      uint8_t digests[][SHA256_SIZE])
{
	uint8_t padded[SHA256_LANES][2 * SHA256_BLOCK];
	const uint8_t *bytes[SHA256_LANES] = {0};
	size_t n_blocks[SHA256_LANES] = {0};
	unsigned i, lane;

	for (lane = 0; lane < width; lane++) {
		bytes[lane] = padded[lane];
		n_blocks[lane] = pad(padded[lane], rests[lane], sizes[lane]);
	}
	sha256_lanes_add(lanes, width, bytes, n_blocks);
	for (lane = 0; lane < width; lane++)
		for (i = 0; i < SHA256_SIZE; i++)
			digests[lane][i] = (uint8_t)(lanes->words[i / 4][lane] >>
						     (24 - 8 * (i % 4)));
}
