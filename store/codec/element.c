#include "codec/element.h"

#include <stdatomic.h>
#include <string.h>

#if __BYTE_ORDER__ != __ORDER_LITTLE_ENDIAN__
#define FROM_LE16(x) __builtin_bswap16(x)
#define FROM_LE32(x) __builtin_bswap32(x)
#define FROM_LE64(x) __builtin_bswap64(x)
#else
#define FROM_LE16(x) (x)
#define FROM_LE32(x) (x)
#define FROM_LE64(x) (x)
#endif

#define INLINE static inline __attribute__((always_inline))

struct codec_element codec_element_of(enum wh_dtype dtype)
{
	static const uint8_t mantissas[] = {
		[WH_FLOAT32] = 23,	  [WH_FLOAT64] = 52,
		[WH_COMPLEX64] = 23,	  [WH_COMPLEX128] = 52,
		[WH_BFLOAT16] = 7,	  [WH_FLOAT16] = 10,
		[WH_FLOAT8_E5M2] = 2,	  [WH_FLOAT8_E4M3FN] = 3,
		[WH_FLOAT8_E4M3FNUZ] = 3, [WH_FLOAT8_E4M3B11FNUZ] = 3,
		[WH_FLOAT8_E5M2FNUZ] = 2, [WH_FLOAT4_E2M1FN] = 0,
	};
	struct codec_element element = {.width = 1, .text = true};
	size_t size = wh_dtype_size(dtype);

	if (size == 0 || dtype == WH_DTYPE_NONE)
		return element;
	element.text = dtype == WH_UINT8;
	element.mantissa = mantissas[dtype];
	if (dtype == WH_COMPLEX64 || dtype == WH_COMPLEX128)
		size /= 2;
	element.width = (uint8_t)size;
	return element;
}

/* ---- Bodies, compiled once for each kind of processor -------------------- */

/* Its own inverse. Negative floats grow downwards in sign and magnitude: all
 * bits but the sign are turned. */
INLINE uint32_t turn32(uint32_t x, uint32_t is_float)
{
	return x ^ ((uint32_t)((int32_t)x >> 31) & 0x7fffffffu & is_float);
}

INLINE uint64_t turn64(uint64_t x, uint64_t is_float)
{
	return x ^ ((uint64_t)((int64_t)x >> 63) &
		    UINT64_C(0x7fffffffffffffff) & is_float);
}

/* Bits of a 32-bit number through the exponent of a float: processors without
 * a vector instruction that counts zeros still have one that converts. With
 * the second-highest bit cleared below the highest nothing rounds up; the
 * sign, of 2^31, is masked away. */
INLINE uint32_t bits_of32(uint32_t a)
{
	float f = (float)(int32_t)(a & ~(a >> 1));
	uint32_t raw, n;

	memcpy(&raw, &f, sizeof(raw));
	n = (raw >> 23 & 0xff);
	return n > 126 ? n - 126 : 0;
}

INLINE uint32_t bits_of64(uint64_t a)
{
	return a ? 64u - (uint32_t)__builtin_clzll(a) : 0;
}

INLINE void load4(const uint8_t *bytes, size_t n, uint32_t *out,
		  uint32_t is_float)
{
	size_t i;

	for (i = 0; i < n; i++) {
		uint32_t x;

		memcpy(&x, bytes + 4 * i, 4);
		out[i] = turn32(FROM_LE32(x), is_float);
	}
}

INLINE void load2(const uint8_t *bytes, size_t n, uint32_t *out,
		  uint32_t is_float)
{
	size_t i;

	for (i = 0; i < n; i++) {
		uint16_t x;
		uint32_t wide;

		memcpy(&x, bytes + 2 * i, 2);
		wide = (uint32_t)(int32_t)(int16_t)FROM_LE16(x);
		out[i] = wide ^
			 ((uint32_t)((int32_t)wide >> 31) & 0x7fffu & is_float);
	}
}

INLINE void load1(const uint8_t *bytes, size_t n, uint32_t *out,
		  uint32_t is_float)
{
	size_t i;

	for (i = 0; i < n; i++) {
		uint32_t wide = (uint32_t)(int32_t)(int8_t)bytes[i];

		out[i] = wide ^
			 ((uint32_t)((int32_t)wide >> 31) & 0x7fu & is_float);
	}
}

INLINE uint32_t float_mask(struct codec_element element)
{
	return element.mantissa ? UINT32_MAX : 0;
}

INLINE void load32_body(const uint8_t *bytes, size_t n, uint32_t *out,
			struct codec_element element)
{
	switch (element.width) {
	case 4:
		load4(bytes, n, out, float_mask(element));
		break;
	case 2:
		load2(bytes, n, out, float_mask(element));
		break;
	default:
		load1(bytes, n, out, float_mask(element));
		break;
	}
}

INLINE void store32_body(const uint32_t *ordered, size_t n, uint8_t *bytes,
			 struct codec_element element)
{
	uint32_t is_float = float_mask(element);
	size_t i;

	if (element.width == 4)
		for (i = 0; i < n; i++) {
			uint32_t x = FROM_LE32(turn32(ordered[i], is_float));

			memcpy(bytes + 4 * i, &x, 4);
		}
	else if (element.width == 2)
		for (i = 0; i < n; i++) {
			uint32_t wide = (uint32_t)(int32_t)(int16_t)ordered[i];
			uint16_t x =
				(uint16_t)(turn32(wide, is_float & 0x7fff));

			x = FROM_LE16(x);
			memcpy(bytes + 2 * i, &x, 2);
		}
	else
		for (i = 0; i < n; i++) {
			uint32_t wide = (uint32_t)(int32_t)(int8_t)ordered[i];

			bytes[i] = (uint8_t)turn32(wide, is_float & 0x7f);
		}
}

/* The exponent's low bits, of the ordered form's magnitude; of an integer its
 * length. */
INLINE uint32_t still_class(uint32_t ordered, unsigned mantissa)
{
	uint32_t down = (uint32_t)((int32_t)ordered >> 31);
	uint32_t magnitude = ordered ^ down, n = bits_of32(magnitude);

	if (mantissa)
		return CLASS_STILL + (magnitude >> mantissa & 31);
	return CLASS_STILL + (n < 31 ? n : 31);
}

INLINE void classify32_body(const uint32_t *base, const uint32_t *context,
			    size_t n, uint8_t *classes,
			    struct codec_element element)
{
	size_t i;

	if (!context) {
		for (i = 0; i < n; i++)
			classes[i] =
				(uint8_t)still_class(base[i], element.mantissa);
		return;
	}
	for (i = 0; i < n; i++) {
		uint32_t move = base[i] - context[i];
		uint32_t down = (uint32_t)((int32_t)move >> 31);
		uint32_t bits = bits_of32((move ^ down) - down);
		uint32_t still = still_class(base[i], element.mantissa);

		classes[i] =
			(uint8_t)((bits ? bits : still) | (down & CLASS_DOWN));
	}
}

INLINE void differ32_body(const uint32_t *values, const uint32_t *base,
			  const uint8_t *classes, size_t n,
			  uint32_t *restrict magnitudes,
			  uint8_t *restrict symbols)
{
	size_t i;

	for (i = 0; i < n; i++) {
		uint32_t move = values[i] - base[i];
		uint32_t down = (uint32_t)((int32_t)move >> 31);
		uint32_t magnitude = (move ^ down) - down;
		uint32_t bits = bits_of32(magnitude);
		uint32_t second = magnitude >> ((bits - 2) & 31) & 1;
		uint32_t half = bits < 2 ? bits : 2 * (bits - 1) + second;
		uint32_t turned = (down ^ (uint32_t)classes[i] >> 7) & 1;

		magnitudes[i] = magnitude;
		symbols[i] = (uint8_t)(half << 1 | (bits ? turned : 0));
	}
}

INLINE void move32_body(uint32_t *restrict values, const uint32_t *moves,
			const uint8_t *turned, const uint8_t *classes, size_t n)
{
	size_t i;

	for (i = 0; i < n; i++) {
		uint32_t down =
			0u - (uint32_t)((turned[i] ^ classes[i]) >> 7 & 1);

		values[i] += (moves[i] ^ down) - down;
	}
}

INLINE void load64_body(const uint8_t *bytes, size_t n, uint64_t *out,
			struct codec_element element)
{
	uint64_t is_float = element.mantissa ? UINT64_MAX : 0;
	size_t i;

	for (i = 0; i < n; i++) {
		uint64_t x;

		memcpy(&x, bytes + 8 * i, 8);
		out[i] = turn64(FROM_LE64(x), is_float);
	}
}

INLINE void store64_body(const uint64_t *ordered, size_t n, uint8_t *bytes,
			 struct codec_element element)
{
	uint64_t is_float = element.mantissa ? UINT64_MAX : 0;
	size_t i;

	for (i = 0; i < n; i++) {
		uint64_t x = FROM_LE64(turn64(ordered[i], is_float));

		memcpy(bytes + 8 * i, &x, 8);
	}
}

INLINE void classify64_body(const uint64_t *base, const uint64_t *context,
			    size_t n, uint8_t *classes,
			    struct codec_element element)
{
	size_t i;

	for (i = 0; i < n; i++) {
		uint64_t move = context ? base[i] - context[i] : 0;
		uint64_t down = (uint64_t)((int64_t)move >> 63);
		uint64_t up = (uint64_t)((int64_t)base[i] >> 63);
		uint64_t magnitude = base[i] ^ up;
		uint32_t bits = bits_of64((move ^ down) - down);
		uint32_t still = bits_of64(magnitude);

		bits = bits < CLASS_STILL ? bits : CLASS_STILL - 1;
		still = element.mantissa
				? (uint32_t)(magnitude >> element.mantissa) & 31
			: still < 31 ? still
				     : 31;
		classes[i] = (uint8_t)((bits ? bits : CLASS_STILL + still) |
				       (down & CLASS_DOWN));
	}
}

/* ---- Kinds of processors --------------------------------------------------
 *
 * What every processor of an architecture has (SSE2, NEON) the compiler uses
 * in the portable ones too.
 */

#define KERNELS(suffix, target, level)                                         \
	target static void load32_##suffix(const uint8_t *bytes, size_t n,     \
					   uint32_t *out,                      \
					   struct codec_element element)       \
	{                                                                      \
		load32_body(bytes, n, out, element);                           \
	}                                                                      \
	target static void classify32_##suffix(                                \
		const uint32_t *base, const uint32_t *context, size_t n,       \
		uint8_t *classes, struct codec_element element)                \
	{                                                                      \
		classify32_body(base, context, n, classes, element);           \
	}                                                                      \
	target static void differ32_##suffix(                                  \
		const uint32_t *values, const uint32_t *base,                  \
		const uint8_t *classes, size_t n, uint32_t *magnitudes,        \
		uint8_t *symbols)                                              \
	{                                                                      \
		differ32_body(values, base, classes, n, magnitudes, symbols);  \
	}                                                                      \
	target static void move32_##suffix(                                    \
		uint32_t *values, const uint32_t *moves,                       \
		const uint8_t *turned, const uint8_t *classes, size_t n)       \
	{                                                                      \
		move32_body(values, moves, turned, classes, n);                \
	}                                                                      \
	target static void store32_##suffix(const uint32_t *ordered, size_t n, \
					    uint8_t *bytes,                    \
					    struct codec_element element)      \
	{                                                                      \
		store32_body(ordered, n, bytes, element);                      \
	}                                                                      \
	target static void load64_##suffix(const uint8_t *bytes, size_t n,     \
					   uint64_t *out,                      \
					   struct codec_element element)       \
	{                                                                      \
		load64_body(bytes, n, out, element);                           \
	}                                                                      \
	target static void classify64_##suffix(                                \
		const uint64_t *base, const uint64_t *context, size_t n,       \
		uint8_t *classes, struct codec_element element)                \
	{                                                                      \
		classify64_body(base, context, n, classes, element);           \
	}                                                                      \
	target static void store64_##suffix(const uint64_t *ordered, size_t n, \
					    uint8_t *bytes,                    \
					    struct codec_element element)      \
	{                                                                      \
		store64_body(ordered, n, bytes, element);                      \
	}                                                                      \
	static const struct element_kernels kernels_##suffix =                 \
		LIST(suffix, level)

#define LIST(suffix, level)                                                    \
	{                                                                      \
		load32_##suffix, classify32_##suffix, differ32_##suffix,       \
			move32_##suffix, store32_##suffix, load64_##suffix,    \
			classify64_##suffix, store64_##suffix, level           \
	}

KERNELS(portable, , LEVEL_PORTABLE);
#if defined(__x86_64__)
KERNELS(avx2, __attribute__((target("avx2"))), LEVEL_AVX2);
KERNELS(avx512,
	__attribute__((target("avx512f,avx512cd,avx512bw,avx512dq,avx512vl"))),
	LEVEL_AVX512);
/* The compiler finds nothing in VBMI2 for these. */
static const struct element_kernels kernels_vbmi2 = LIST(avx512, LEVEL_VBMI2);
#endif

static enum element_level level_of_machine(void)
{
#if defined(__x86_64__)
	__builtin_cpu_init();
	if (!__builtin_cpu_supports("avx2") || !__builtin_cpu_supports("bmi") ||
	    !__builtin_cpu_supports("bmi2"))
		return LEVEL_PORTABLE;
	if (!__builtin_cpu_supports("avx512f") ||
	    !__builtin_cpu_supports("avx512cd") ||
	    !__builtin_cpu_supports("avx512bw") ||
	    !__builtin_cpu_supports("avx512dq") ||
	    !__builtin_cpu_supports("avx512vl"))
		return LEVEL_AVX2;
	return __builtin_cpu_supports("avx512vbmi2") ? LEVEL_VBMI2
						     : LEVEL_AVX512;
#else
	return LEVEL_PORTABLE;
#endif
}

static const struct element_kernels *kernels_of(enum element_level level)
{
#if defined(__x86_64__)
	if (level >= LEVEL_VBMI2)
		return &kernels_vbmi2;
	if (level == LEVEL_AVX512)
		return &kernels_avx512;
	if (level == LEVEL_AVX2)
		return &kernels_avx2;
#endif
	(void)level;
	return &kernels_portable;
}

static _Atomic(const struct element_kernels *) chosen;

const struct element_kernels *element_kernels(void)
{
	const struct element_kernels *kernels = atomic_load(&chosen);

	if (!kernels) {
		kernels = kernels_of(level_of_machine());
		atomic_store(&chosen, kernels);
	}
	return kernels;
}

bool element_kernels_limit(enum element_level level)
{
	enum element_level most = level_of_machine();

	if (level == LEVEL_FASTEST)
		level = most;
	if (level > most)
		return false;
	atomic_store(&chosen, kernels_of(level));
	return true;
}
