/* What the numbers mean ("HDF5 File Format Specification 3.0", IV.A.2.d):
 *
 *	class: 0 integer, 1 float, 3 string, 5 opaque, 6 compound, 8 enum,
 *	9 of variable length; above it the version, 1
 *	flags of an integer: bit 0 big-endian, bit 3 signed; then bit offset
 *	and precision
 *	flags of a float: also 0x20 for a leading 1 that isn't stored, and in
 *	the second byte the sign's position; then offset, precision, exponent's
 *	position and size, mantissa's, bias
 */
#include "hdf5/classic/types.h"

#include <string.h>

#include "base/endian.h"

#define BIG_ENDIAN_BIT 1u
#define SIGNED_BIT     8u

enum class_and_version {
	INTEGER = 0x10,
	FLOAT = 0x11,
	STRING = 0x13,
	OPAQUE = 0x15,
	COMPOUND = 0x16,
	ENUM = 0x18,
	VARIABLE = 0x19,
};

static uint8_t *put_head(uint8_t *out, enum class_and_version class,
			 unsigned flags, size_t size)
{
	out[0] = (uint8_t) class;
	out[1] = (uint8_t)flags;
	out[2] = (uint8_t)(flags >> 8);
	out[3] = 0;
	put_le32(out + 4, (uint32_t)size);
	return out + 8;
}

static uint8_t *put_integer(uint8_t *out, size_t size, bool is_signed, bool big)
{
	out = put_head(out, INTEGER,
		       (is_signed ? SIGNED_BIT : 0) |
			       (big ? BIG_ENDIAN_BIT : 0),
		       size);
	put_le16(out, 0);
	put_le16(out + 2, (uint16_t)(8 * size));
	return out + 4;
}

static uint8_t *put_float(uint8_t *out, size_t size, bool big)
{
	unsigned bits = (unsigned)size * 8;
	unsigned exponent = size == 2 ? 5 : size == 4 ? 8 : 11;
	unsigned mantissa = bits - 1 - exponent;

	out = put_head(out, FLOAT,
		       0x20 | (big ? BIG_ENDIAN_BIT : 0) | (bits - 1) << 8,
		       size);
	put_le16(out, 0);
	put_le16(out + 2, (uint16_t)bits);
	out[4] = (uint8_t)mantissa;
	out[5] = (uint8_t)exponent;
	out[6] = 0;
	out[7] = (uint8_t)mantissa;
	put_le32(out + 8, (1u << (exponent - 1)) - 1);
	return out + 12;
}

/* A name of up to 7 letters, padded to 8 bytes. */
static uint8_t *put_name(uint8_t *out, const char *name)
{
	memset(out, 0, 8);
	memcpy(out, name, strlen(name));
	return out + 8;
}

/* Two members: name, offset, 28 bytes of a dimension that isn't there. */
static uint8_t *put_complex(uint8_t *out, size_t size, bool big)
{
	static const char *const names[] = {"r", "i"};
	size_t i;

	out = put_head(out, COMPOUND, 2, size);
	for (i = 0; i < 2; i++) {
		out = put_name(out, names[i]);
		put_le32(out, (uint32_t)(i * size / 2));
		memset(out + 4, 0, 28);
		out = put_float(out + 32, size / 2, big);
	}
	return out;
}

static uint8_t *put_bool(uint8_t *out)
{
	out = put_integer(put_head(out, ENUM, 2, 1), 1, true, false);
	out = put_name(put_name(out, "FALSE"), "TRUE");
	out[0] = 0;
	out[1] = 1;
	return out + 2;
}

static uint8_t *put_type(uint8_t *out, enum wh_dtype dtype, bool big)
{
	size_t size = wh_dtype_size(dtype);

	switch ((int)dtype) {
	case WH_FLOAT16:
	case WH_FLOAT32:
	case WH_FLOAT64:
		return put_float(out, size, big);
	case WH_INT8:
	case WH_INT16:
	case WH_INT32:
	case WH_INT64:
		return put_integer(out, size, true, big);
	case WH_UINT8:
	case WH_UINT16:
	case WH_UINT32:
	case WH_UINT64:
		return put_integer(out, size, false, big);
	case WH_COMPLEX64:
	case WH_COMPLEX128:
		return put_complex(out, size, big);
	case WH_BOOL:
		return put_bool(out);
	case WH_BFLOAT16:
		return put_head(out, OPAQUE, 0, size);
	default:
		return out;
	}
}

size_t classic_type_encode(enum wh_dtype dtype, bool big,
			   uint8_t out[CLASSIC_TYPE_MAX])
{
	return (size_t)(put_type(out, dtype, big) - out);
}

/* The most frequent ones first. */
static const enum wh_dtype known[] = {
	WH_FLOAT32, WH_FLOAT64, WH_FLOAT16, WH_BFLOAT16,  WH_INT64,
	WH_INT32,   WH_UINT8,	WH_INT8,    WH_INT16,	  WH_UINT16,
	WH_UINT32,  WH_UINT64,	WH_BOOL,    WH_COMPLEX64, WH_COMPLEX128};

enum wh_dtype classic_type_decode(const uint8_t *bytes, size_t size,
				  unsigned *swap)
{
	uint8_t wanted[CLASSIC_TYPE_MAX];
	size_t i, big;

	for (i = 0; i < sizeof(known) / sizeof(known[0]); i++)
		for (big = 0; big < 2; big++) {
			unsigned width = (unsigned)wh_dtype_size(known[i]);
			size_t length =
				classic_type_encode(known[i], big, wanted);

			if (length > size || memcmp(bytes, wanted, length) != 0)
				continue;
			if (known[i] == WH_COMPLEX64 ||
			    known[i] == WH_COMPLEX128)
				width /= 2;
			*swap = big && width > 1 ? width : 0;
			return known[i];
		}
	return WH_DTYPE_NONE;
}

/* ---- Strings ---------------------------------------------------------- */

#define VARIABLE_SIZE 16u
#define IS_STRING     1u /* of variable length, and not a sequence */

size_t classic_string_encode(const struct classic_string *string, bool utf8,
			     uint8_t out[CLASSIC_TYPE_MAX])
{
	unsigned cset = utf8;

	if (!string->variable)
		return (size_t)(put_head(out, STRING,
					 string->padding | cset << 4,
					 string->size) -
				out);
	return (size_t)(put_integer(put_head(out, VARIABLE,
					     IS_STRING | string->padding << 4 |
						     cset << 8,
					     VARIABLE_SIZE),
				    1, false, false) -
			out);
}

bool classic_string_decode(const uint8_t *bytes, size_t size,
			   struct classic_string *string)
{
	uint8_t wanted[CLASSIC_TYPE_MAX];
	size_t i, length;

	if (size < 8)
		return false;
	string->variable = bytes[0] == VARIABLE;
	string->size = get_le32(bytes + 4);
	string->padding = string->variable ? bytes[1] >> 4 : bytes[1] & 0x0fu;
	if (string->padding > 2 || string->size == 0)
		return false;
	for (i = 0; i < 2; i++) {
		length = classic_string_encode(string, i, wanted);
		if (length <= size && memcmp(bytes, wanted, length) == 0)
			return true;
	}
	return false;
}
