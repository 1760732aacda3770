#include "core/number.h"

#include <string.h>

#include "base/endian.h"
#include "core/convert.h"

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
	const uint8_t *at = bytes;
	size_t i, size = wh_dtype_size(dtype);

	switch ((int)dtype) {
	case WH_FLOAT16:
	case WH_BFLOAT16:
	case WH_FLOAT32:
	case WH_FLOAT64:
		widen_floats(dtype, at, n, out);
		break;
	case WH_FLOAT8_E5M2:
	case WH_FLOAT8_E4M3FN:
	case WH_FLOAT8_E4M3FNUZ:
	case WH_FLOAT8_E4M3B11FNUZ:
	case WH_FLOAT8_E5M2FNUZ:
		convert_elements(dtype, at, WH_FLOAT64, out, n);
		widen_floats(WH_FLOAT64, (const uint8_t *)out, n, out);
		break;
	default:
		for (i = 0; i < n; i++)
			out[i] = widen_integer(dtype, at + i * size);
	}
}
