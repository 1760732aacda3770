#include "loading/cast.h"

#include <math.h>
#include <string.h>

#include "base/endian.h"
#include "core/number.h"

/* What values a dtype has: n bits of magnitude, and for floats an exponent
 * range, widest last. */
struct range {
	enum wh_dtype dtype;
	bool is_float, is_signed;
	int bits;	  /* of the significand, or of the magnitude */
	int max_exponent; /* of floats: values are below 2^this */
};

static const struct range ranges[] = {
	{WH_BOOL, false, false, 1, 0},	    {WH_INT8, false, true, 7, 0},
	{WH_UINT8, false, false, 8, 0},	    {WH_INT16, false, true, 15, 0},
	{WH_UINT16, false, false, 16, 0},   {WH_INT32, false, true, 31, 0},
	{WH_UINT32, false, false, 32, 0},   {WH_INT64, false, true, 63, 0},
	{WH_UINT64, false, false, 64, 0},   {WH_FLOAT16, true, true, 11, 16},
	{WH_BFLOAT16, true, true, 8, 128},  {WH_FLOAT32, true, true, 24, 128},
	{WH_FLOAT64, true, true, 53, 1024},
};

static const struct range *find_range(enum wh_dtype dtype)
{
	size_t i;

	for (i = 0; i < sizeof(ranges) / sizeof(ranges[0]); i++)
		if (ranges[i].dtype == dtype)
			return &ranges[i];
	return NULL;
}

enum cast_kind cast_kind(enum wh_dtype from, enum wh_dtype to)
{
	const struct range *a = find_range(from), *b = find_range(to);

	if (from == to)
		return CAST_NONE;
	if (!a || !b || (a->is_float && !b->is_float))
		return CAST_IMPOSSIBLE;
	if (!b->is_float && (a->bits > b->bits || a->is_signed > b->is_signed))
		return CAST_IMPOSSIBLE;
	/* 64-bit integers go through doubles. */
	if (!a->is_float && a->bits > 53)
		return b->is_float ? CAST_ROUNDS : CAST_IMPOSSIBLE;
	if (!b->is_float)
		return CAST_EXACT;
	if (a->bits > b->bits || a->max_exponent > b->max_exponent ||
	    (!a->is_float && a->bits > b->max_exponent))
		return CAST_ROUNDS;
	return CAST_EXACT;
}

/* The nearest value of a binary format of so many bits, as a double. */
static double round_to(double value, int bits, int max_exponent)
{
	int exponent;
	double quantum, rounded;

	if (!isfinite(value) || fpclassify(value) == FP_ZERO)
		return value;
	frexp(value, &exponent);
	/* Below the normal numbers the steps stay as they are. */
	if (exponent < 3 - max_exponent)
		exponent = 3 - max_exponent;
	quantum = ldexp(1, exponent - bits);
	rounded = rint(value / quantum) * quantum;
	return fabs(rounded) >= ldexp(1, max_exponent)
		       ? copysign((double)INFINITY, value)
		       : rounded;
}

/* A float with `bits` of significand and the bias of `max_exponent`; NaN
 * becomes the quiet one. */
static uint16_t pack_half(double value, int bits, int max_exponent)
{
	int fraction_bits = bits - 1, exponent;
	unsigned sign = signbit(value) ? 0x8000u : 0;
	unsigned top = (0x7fffu >> fraction_bits) << fraction_bits;
	double magnitude = fabs(round_to(value, bits, max_exponent));

	if (isnan(value))
		return (uint16_t)(sign | top | 1u << (fraction_bits - 1));
	if (isinf(magnitude))
		return (uint16_t)(sign | top);
	if (fpclassify(magnitude) == FP_ZERO)
		return (uint16_t)sign;
	frexp(magnitude, &exponent);
	if (exponent < 3 - max_exponent)
		exponent = 2 - max_exponent;
	/* Subnormals are counted in steps; normals add their exponent. */
	if (exponent == 2 - max_exponent)
		return (uint16_t)(sign |
				  (unsigned)ldexp(magnitude,
						  max_exponent - 3 + bits));
	magnitude = ldexp(magnitude, bits - exponent) - ldexp(1, bits - 1);
	return (uint16_t)(sign |
			  (unsigned)(exponent + max_exponent - 2)
				  << fraction_bits |
			  (unsigned)magnitude);
}

static void put_float(enum wh_dtype to, double value, uint8_t *out)
{
	uint64_t wide;
	uint32_t narrow;
	float single;

	if (to == WH_FLOAT64) {
		memcpy(&wide, &value, sizeof(wide));
		put_le64(out, wide);
	} else if (to == WH_FLOAT32) {
		single = (float)value;
		memcpy(&narrow, &single, sizeof(narrow));
		put_le32(out, narrow);
	} else {
		unsigned half = to == WH_FLOAT16 ? pack_half(value, 11, 16)
						 : pack_half(value, 8, 128);

		out[0] = (uint8_t)half;
		out[1] = (uint8_t)(half >> 8);
	}
}

static void put_integer(double value, size_t size, uint8_t *out)
{
	uint64_t bits = (uint64_t)(int64_t)value;
	size_t i;

	for (i = 0; i < size; i++)
		out[i] = (uint8_t)(bits >> (8 * i));
}

#define BATCH 256

void cast_elements(enum wh_dtype from, const void *in, enum wh_dtype to,
		   void *out, size_t n)
{
	const struct range *range = find_range(to);
	size_t size = wh_dtype_size(to), i;
	const uint8_t *at = in;
	uint8_t *put = out;
	double batch[BATCH];

	while (n) {
		size_t some = n < BATCH ? n : BATCH;

		number_to_double(from, at, some, batch);
		for (i = 0; i < some; i++, put += size) {
			if (range->is_float)
				put_float(to, batch[i], put);
			else
				put_integer(batch[i], size, put);
		}
		at += some * wh_dtype_size(from);
		n -= some;
	}
}
