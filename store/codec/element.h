/* codec/element.h: what codecs know of a payload's elements.
 *
 * The coders think in ordered integers: floats map, one to one, to integers
 * that are in the same order, so that neighbours in value differ by little
 * whatever their exponents are. Arithmetic wraps, so nothing is lost: NaNs
 * with their payloads, infinities, both zeros and denormals are integers like
 * all others.
 */
#ifndef WH_CODEC_ELEMENT_H
#define WH_CODEC_ELEMENT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <weighhouse/tensor.h>

struct codec_element {
	uint8_t width;	  /* bytes: 1, 2, 4 or 8; complex ones are two */
	uint8_t mantissa; /* bits of a float's fraction; 0: an integer */
	bool text;	  /* bytes without a numeric meaning */
};

/** Of a dtype; strings, variants and none are text. */
struct codec_element codec_element_of(enum wh_dtype dtype);

#define BLOCK_ELEMENTS 512u /* that the kernels take at a time, at most */

/* An element's class: what its decoder knows of how far it may have moved. If
 * the base moved against its own base, by a number of b bits: b. If it stood
 * still, or nothing is known: the exponent, from CLASS_STILL on. */
#define CLASS_STILL 64u
#define N_CLASSES   96u
#define CLASS_MASK  0x7fu
#define CLASS_DOWN  0x80u /* it moved down: set in the class's byte */

/** Elements with their bases, and those with theirs, or NULL. */
struct element_run {
	const uint8_t *values, *base, *context;
	size_t n;
};

/** Elements of up to 4 bytes as ordered integers, sign-extended. */
typedef void load32_fn(const uint8_t *bytes, size_t n, uint32_t *out,
		       struct codec_element element);
/** `context` NULL: nothing is known. */
typedef void classify32_fn(const uint32_t *base, const uint32_t *context,
			   size_t n, uint8_t *classes,
			   struct codec_element element);
/** How far each went from its base, and that move's symbol (delta.h). */
typedef void differ32_fn(const uint32_t *values, const uint32_t *base,
			 const uint8_t *classes, size_t n, uint32_t *magnitudes,
			 uint8_t *symbols);
/** Adds each move to its base, in place: down where `turned` and the class, by
 *  the bit CLASS_DOWN, differ. */
typedef void move32_fn(uint32_t *values, const uint32_t *moves,
		       const uint8_t *turned, const uint8_t *classes, size_t n);
typedef void store32_fn(const uint32_t *ordered, size_t n, uint8_t *bytes,
			struct codec_element element);

/** The same for 8 bytes. */
typedef void load64_fn(const uint8_t *bytes, size_t n, uint64_t *out,
		       struct codec_element element);
typedef void classify64_fn(const uint64_t *base, const uint64_t *context,
			   size_t n, uint8_t *classes,
			   struct codec_element element);
typedef void store64_fn(const uint64_t *ordered, size_t n, uint8_t *bytes,
			struct codec_element element);

/** What the processor has, each with all that stands before it. */
enum element_level {
	LEVEL_PORTABLE,
	LEVEL_AVX2,   /* and BMI2: x86's instructions on runs of bits */
	LEVEL_AVX512, /* F, CD, BW, DQ and VL */
	LEVEL_VBMI2,  /* of AVX-512, too */
	LEVEL_FASTEST,
};

struct element_kernels {
	load32_fn *load32;
	classify32_fn *classify32;
	differ32_fn *differ32;
	move32_fn *move32;
	store32_fn *store32;
	load64_fn *load64;
	classify64_fn *classify64;
	store64_fn *store64;
	enum element_level level;
};

/** The fastest that this machine runs; all give the same. */
const struct element_kernels *element_kernels(void);

/** For tests: those of no more than this level from now on. False, and as
 *  before, where the machine hasn't got it. */
bool element_kernels_limit(enum element_level level);

#endif
