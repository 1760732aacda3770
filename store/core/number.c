#include "core/number.h"

#include <math.h>
#include <string.h>

#include "base/endian.h"

bool number_is_real(enum wh_dtype dtype)
{
	switch ((int)dtype) {
	case WH_FLOAT16:
	case WH_BFLOAT16:
	case WH_FLOAT32:
	case WH_FLOAT64:
	case WH_FLOAT8_E5M2:
	case WH_FLOAT8_E4M3FN:
	case WH_FLOAT8_E4M3FNUZ:
	case WH_FLOAT8_E4M3B11FNUZ:
	case WH_FLOAT8_E5M2FNUZ:
	case WH_INT8:
	case WH_INT16:
	case WH_INT32:
	case WH_INT64:
	case WH_UINT8:
	case WH_UINT16:
	case WH_UINT32:
	case WH_UINT64:
	case WH_BOOL:
		return true;
	default:
		return false;
	}
}

static float float_of_bits(uint32_t bits)
{
	float value;

	memcpy(&value, &bits, sizeof(value));
	return value;
}

float number_from_half(uint16_t half)
{
	uint32_t sign = (uint32_t)(half & 0x8000u) << 16;
	uint32_t exponent = half >> 10 & 0x1fu, fraction = half & 0x3ffu;

	if (exponent == 0x1f)
		return float_of_bits(sign | 0x7f800000u | fraction << 13);
	if (exponent)
		return float_of_bits(sign | (exponent + 112) << 23 |
				     fraction << 13);
	/* Subnormal: fraction * 2^-24, which a float holds exactly. */
	return (sign ? -1.0f : 1.0f) * ((float)fraction * 0x1p-24f);
}

/* Eight-bit floats: OCP's two (OFP8, 2023), with the names and the FNUZ forms
 * of ml_dtypes: no infinity, and 0x80, the negative zero, is NaN. */
static const struct small_float {
	enum wh_dtype dtype;
	int fraction_bits, bias;
	uint8_t infinity; /* 0: none */
	uint8_t nan;	  /* without its sign: from here on */
	bool zero_is_nan; /* the negative one, and nothing else */
} small_floats[] = {
	{WH_FLOAT8_E5M2, 2, 15, 0x7c, 0x7d, false},
	{WH_FLOAT8_E4M3FN, 3, 7, 0, 0x7f, false},
	{WH_FLOAT8_E4M3FNUZ, 3, 8, 0, 0, true},
	{WH_FLOAT8_E4M3B11FNUZ, 3, 11, 0, 0, true},
	{WH_FLOAT8_E5M2FNUZ, 2, 16, 0, 0, true},
};

static const struct small_float *small_float(enum wh_dtype dtype)
{
	size_t i;

	for (i = 0; i < sizeof(small_floats) / sizeof(small_floats[0]); i++)
		if (small_floats[i].dtype == dtype)
			return &small_floats[i];
	return NULL;
}

static double widen_small(const struct small_float *kind, uint8_t byte)
{
	uint8_t rest = byte & 0x7f;
	int unit = 1 << kind->fraction_bits;
	int exponent = rest >> kind->fraction_bits, fraction = rest % unit;
	double value;

	if (kind->zero_is_nan ? byte == 0x80 : rest >= kind->nan)
		return (double)NAN;
	if (kind->infinity && rest == kind->infinity)
		value = (double)INFINITY;
	else if (exponent)
		value = ldexp(unit + fraction,
			      exponent - kind->bias - kind->fraction_bits);
	else
		value = ldexp(fraction, 1 - kind->bias - kind->fraction_bits);
	return byte & 0x80 ? -value : value;
}

static void widen_floats(enum wh_dtype dtype, const uint8_t *at, size_t n,
			 double *out)
{
	size_t i;

	if (dtype == WH_FLOAT32)
		for (i = 0; i < n; i++)
			out[i] = (double)float_of_bits(get_le32(at + 4 * i));
	else if (dtype == WH_BFLOAT16)
		for (i = 0; i < n; i++)
			out[i] = (double)float_of_bits(
				(uint32_t)get_le16(at + 2 * i) << 16);
	else if (dtype == WH_FLOAT16)
		for (i = 0; i < n; i++)
			out[i] = (double)number_from_half(get_le16(at + 2 * i));
	else
		for (i = 0; i < n; i++) {
			uint64_t bits = get_le64(at + 8 * i);

			memcpy(&out[i], &bits, sizeof(bits));
		}
}

static double widen_integer(enum wh_dtype dtype, const uint8_t *at)
{
	switch ((int)dtype) {
	case WH_INT8:
		return (double)(int8_t)at[0];
	case WH_INT16:
		return (double)(int16_t)get_le16(at);
	case WH_UINT16:
		return (double)get_le16(at);
	case WH_INT32:
		return (double)(int32_t)get_le32(at);
	case WH_UINT32:
		return (double)get_le32(at);
	case WH_INT64:
		return (double)(int64_t)get_le64(at);
	case WH_UINT64:
		return (double)get_le64(at);
	default:
		return (double)at[0];
	}
}

void number_to_double(enum wh_dtype dtype, const void *bytes, size_t n,
		      double *out)
{
	const struct small_float *kind = small_float(dtype);
	const uint8_t *at = bytes;
	size_t i, size = wh_dtype_size(dtype);

	switch ((int)dtype) {
	case WH_FLOAT16:
	case WH_BFLOAT16:
	case WH_FLOAT32:
	case WH_FLOAT64:
		widen_floats(dtype, at, n, out);
		break;
	default:
		for (i = 0; i < n; i++)
			out[i] = kind ? widen_small(kind, at[i])
				      : widen_integer(dtype, at + i * size);
	}
}
