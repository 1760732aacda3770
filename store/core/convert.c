#include "core/convert.h"

#include <math.h>
#include <stdint.h>
#include <string.h>

#include "base/elements.h"
#include "base/endian.h"

/* Where NaN and infinity are. */
enum special {
	IEEE,	/* in the highest exponent */
	FN,	/* NaN has all bits set; no infinity */
	FNUZ,	/* NaN is what would be -0; no infinity */
	FINITE, /* neither */
};

struct float_kind {
	enum wh_dtype dtype;
	unsigned exponent, mantissa; /* bits */
	int bias;
	enum special special;
};

static const struct float_kind floats[] = {
	{WH_FLOAT64, 11, 52, 1023, IEEE},
	{WH_FLOAT32, 8, 23, 127, IEEE},
	{WH_FLOAT16, 5, 10, 15, IEEE},
	{WH_BFLOAT16, 8, 7, 127, IEEE},
	{WH_FLOAT8_E5M2, 5, 2, 15, IEEE},
	{WH_FLOAT8_E4M3FN, 4, 3, 7, FN},
	{WH_FLOAT8_E4M3FNUZ, 4, 3, 8, FNUZ},
	{WH_FLOAT8_E5M2FNUZ, 5, 2, 16, FNUZ},
	{WH_FLOAT8_E4M3B11FNUZ, 4, 3, 11, FNUZ},
	{WH_FLOAT4_E2M1FN, 2, 1, 1, FINITE},
};

/* Of the value; 4-bit ones and their like take a byte each. */
struct integer_kind {
	enum wh_dtype dtype;
	unsigned bits;
	bool is_signed;
};

static const struct integer_kind integers[] = {
	{WH_BOOL, 1, false},	{WH_UINT2, 2, false},	{WH_INT2, 2, true},
	{WH_UINT4, 4, false},	{WH_INT4, 4, true},	{WH_UINT8, 8, false},
	{WH_INT8, 8, true},	{WH_QUINT8, 8, false},	{WH_QINT8, 8, true},
	{WH_UINT16, 16, false}, {WH_INT16, 16, true},	{WH_QUINT16, 16, false},
	{WH_QINT16, 16, true},	{WH_UINT32, 32, false}, {WH_INT32, 32, true},
	{WH_QINT32, 32, true},	{WH_UINT64, 64, false}, {WH_INT64, 64, true},
};

#define DOUBLE_MANTISSA 52u
#define DOUBLE_BIAS	1023
#define DOUBLE_TOP	0x7ffu
#define BATCH		1024u /* elements that are read at a time */

static const struct float_kind *find_float(enum wh_dtype dtype)
{
	size_t i;

	for (i = 0; i < sizeof(floats) / sizeof(floats[0]); i++)
		if (floats[i].dtype == dtype)
			return &floats[i];
	return NULL;
}

static const struct integer_kind *find_integer(enum wh_dtype dtype)
{
	size_t i;

	for (i = 0; i < sizeof(integers) / sizeof(integers[0]); i++)
		if (integers[i].dtype == dtype)
			return &integers[i];
	return NULL;
}

/* A complex is two floats. */
static enum wh_dtype part_of(enum wh_dtype dtype)
{
	if (dtype == WH_COMPLEX128)
		return WH_FLOAT64;
	return dtype == WH_COMPLEX64 ? WH_FLOAT32 : WH_DTYPE_NONE;
}

/* ---- What loses
 * ---------------------------------------------------------------- */

static bool holds_specials(const struct float_kind *from,
			   const struct float_kind *to)
{
	if (to->special == IEEE || from->special == FINITE)
		return true;
	return from->special == to->special;
}

/* Smallest and largest magnitudes fit, and all bits between. */
static enum convert_loss float_loss(const struct float_kind *from,
				    const struct float_kind *to)
{
	int from_low = 1 - from->bias - (int)from->mantissa;
	int to_low = 1 - to->bias - (int)to->mantissa;
	int from_high = (1 << from->exponent) - 1 - from->bias -
			(from->special == IEEE);
	int to_high =
		(1 << to->exponent) - 1 - to->bias - (to->special == IEEE);

	return from->mantissa <= to->mantissa && from_low >= to_low &&
			       from_high <= to_high && holds_specials(from, to)
		       ? CONVERT_EXACT
		       : CONVERT_ROUNDS;
}

static enum convert_loss integer_loss(const struct integer_kind *from,
				      const struct integer_kind *to)
{
	unsigned need = from->bits + (to->is_signed && !from->is_signed);

	return need <= to->bits && (to->is_signed || !from->is_signed) &&
			       to->dtype != WH_BOOL
		       ? CONVERT_EXACT
		       : CONVERT_NEVER;
}

static enum convert_loss integer_to_float(const struct integer_kind *from,
					  const struct float_kind *to)
{
	return from->bits - from->is_signed <= to->mantissa + 1 &&
			       (int)from->bits <= (1 << (to->exponent - 1)) - 1
		       ? CONVERT_EXACT
		       : CONVERT_ROUNDS;
}

enum convert_loss convert_loss(enum wh_dtype from, enum wh_dtype to)
{
	const struct float_kind *narrow = find_float(from);
	const struct float_kind *wide = find_float(to);
	const struct integer_kind *few = find_integer(from);
	const struct integer_kind *many = find_integer(to);

	if (part_of(from) && part_of(to)) {
		narrow = find_float(part_of(from));
		wide = find_float(part_of(to));
	}
	if (few && many)
		return integer_loss(few, many);
	/* Nothing is rounded to the eight values of 4 bits. */
	if (!wide || wide->special == FINITE)
		return CONVERT_NEVER;
	if (narrow)
		return float_loss(narrow, wide);
	return few ? integer_to_float(few, wide) : CONVERT_NEVER;
}

bool convert_is_kin(enum wh_dtype from, enum wh_dtype to)
{
	if (part_of(to))
		return part_of(from);
	if (find_float(to))
		return find_float(from);
	return find_integer(from) && from != WH_BOOL && find_integer(to);
}

/* ---- Floats, by way of binary64's bits
 * ---------------------------------------- */

static uint64_t bits_of(double value)
{
	uint64_t bits;

	memcpy(&bits, &value, sizeof(bits));
	return bits;
}

static bool is_nan(const struct float_kind *kind, uint64_t sign,
		   uint64_t exponent, uint64_t mantissa)
{
	uint64_t top = (UINT64_C(1) << kind->exponent) - 1;
	uint64_t all = (UINT64_C(1) << kind->mantissa) - 1;

	switch (kind->special) {
	case IEEE:
		return exponent == top && mantissa;
	case FN:
		return exponent == top && mantissa == all;
	case FNUZ:
		return sign && !exponent && !mantissa;
	case FINITE:
		break;
	}
	return false;
}

static uint64_t widen(const struct float_kind *kind, uint64_t bits)
{
	unsigned width = kind->exponent + kind->mantissa;
	uint64_t sign = bits >> width & 1;
	uint64_t exponent =
		bits >> kind->mantissa & ((UINT64_C(1) << kind->exponent) - 1);
	uint64_t mantissa = bits & ((UINT64_C(1) << kind->mantissa) - 1);
	unsigned shift = DOUBLE_MANTISSA - kind->mantissa;

	if (kind->dtype == WH_FLOAT64)
		return bits;
	if (is_nan(kind, sign, exponent, mantissa))
		return sign << 63 | (uint64_t)DOUBLE_TOP << DOUBLE_MANTISSA |
		       (kind->special == IEEE ? mantissa << shift
					      : UINT64_C(1) << 51);
	if (kind->special == IEEE &&
	    exponent == (UINT64_C(1) << kind->exponent) - 1)
		return sign << 63 | (uint64_t)DOUBLE_TOP << DOUBLE_MANTISSA;
	if (exponent == 0)
		return sign << 63 |
		       bits_of(ldexp((double)mantissa,
				     1 - kind->bias - (int)kind->mantissa));
	return sign << 63 |
	       (uint64_t)((int)exponent - kind->bias + DOUBLE_BIAS)
		       << DOUBLE_MANTISSA |
	       mantissa << shift;
}

static uint64_t make_nan(const struct float_kind *kind, uint64_t sign,
			 uint64_t mantissa)
{
	uint64_t top = (UINT64_C(1) << kind->exponent) - 1;
	uint64_t kept = mantissa >> (DOUBLE_MANTISSA - kind->mantissa);

	if (kind->special == FNUZ)
		return UINT64_C(1) << (kind->exponent + kind->mantissa);
	if (kind->special == FN)
		kept = (UINT64_C(1) << kind->mantissa) - 1;
	/* A payload that is cut off must not leave an infinity. */
	if (!kept)
		kept = UINT64_C(1) << (kind->mantissa - 1);
	return sign << (kind->exponent + kind->mantissa) |
	       top << kind->mantissa | kept;
}

/* What is larger than the largest: infinity, or NaN where there is none. */
static uint64_t make_overflow(const struct float_kind *kind, uint64_t sign)
{
	if (kind->special != IEEE)
		return make_nan(kind, sign, 0);
	return sign << (kind->exponent + kind->mantissa) |
	       ((UINT64_C(1) << kind->exponent) - 1) << kind->mantissa;
}

/* The first pattern behind the largest finite one. */
static uint64_t overflow_limit(const struct float_kind *kind)
{
	uint64_t all = (UINT64_C(1) << (kind->exponent + kind->mantissa)) - 1;

	if (kind->special == FN)
		return all;
	if (kind->special == FNUZ)
		return all + 1;
	return all >> kind->mantissa << kind->mantissa;
}

static uint64_t round_to_even(uint64_t value, unsigned shift)
{
	uint64_t kept, rest, half;

	if (shift == 0)
		return value;
	if (shift > 63)
		return 0;
	kept = value >> shift;
	rest = value & ((UINT64_C(1) << shift) - 1);
	half = UINT64_C(1) << (shift - 1);
	return kept + (rest > half || (rest == half && (kept & 1)));
}

static uint64_t narrow(const struct float_kind *kind, uint64_t bits)
{
	uint64_t sign = bits >> 63, mantissa = bits & ((UINT64_C(1) << 52) - 1);
	int exponent = (int)(bits >> DOUBLE_MANTISSA & DOUBLE_TOP);
	int scale = exponent - DOUBLE_BIAS + kind->bias, below;
	uint64_t whole = mantissa | UINT64_C(1) << DOUBLE_MANTISSA, made;

	if (kind->dtype == WH_FLOAT64)
		return bits;
	if (exponent == (int)DOUBLE_TOP)
		return mantissa ? make_nan(kind, sign, mantissa)
				: make_overflow(kind, sign);
	below = scale < 1 ? 1 - scale : 0;
	if (exponent == 0 || below > (int)DOUBLE_MANTISSA + 2)
		made = 0; /* binary64's own subnormals are below all others */
	else
		made = round_to_even(whole, DOUBLE_MANTISSA - kind->mantissa +
						    (unsigned)below);
	/* A carry out of the mantissa goes on into the exponent. */
	if (made && !below)
		made += (uint64_t)(scale - 1) << kind->mantissa;
	if (made >= overflow_limit(kind))
		return make_overflow(kind, sign);
	if (!made && kind->special == FNUZ)
		return 0;
	return sign << (kind->exponent + kind->mantissa) | made;
}

/* ---- Elements
 * ------------------------------------------------------------------ */

static uint64_t load(const uint8_t *at, size_t size)
{
	switch (size) {
	case 1:
		return *at;
	case 2:
		return get_le16(at);
	case 4:
		return get_le32(at);
	default:
		return get_le64(at);
	}
}

static void store(uint8_t *at, size_t size, uint64_t bits)
{
	size_t i;

	for (i = 0; i < size; i++)
		at[i] = (uint8_t)(bits >> 8 * i);
}

static uint64_t value_of(const struct integer_kind *kind, uint64_t bits)
{
	uint64_t sign = UINT64_C(1) << (kind->bits - 1);

	if (kind->bits < 64)
		bits &= (sign << 1) - 1;
	return kind->is_signed ? (bits ^ sign) - sign : bits;
}

/* binary64's bits. What is rounded again afterwards gets the lowest bit that is
 * kept set where any are lost, so that no tie seems to be one. */
static uint64_t widen_integer(const struct integer_kind *kind, uint64_t value,
			      bool again)
{
	const uint64_t lost = (UINT64_C(1) << 11) - 1;
	bool negative = kind->is_signed && value >> 63;
	uint64_t size = negative ? 0 - value : value;
	double whole;

	if (again && size >> (DOUBLE_MANTISSA + 1))
		size = (size & ~lost) | (size & lost ? lost + 1 : 0);
	whole = (double)size;
	return bits_of(negative ? -whole : whole);
}

/* A bfloat16 is the high half of the float32 of the same value: common, and
 * worth its own loop. */
static void widen_bfloat16(const uint8_t *in, uint8_t *out, size_t n)
{
	size_t i;

	for (i = 0; i < n; i++) {
		out[4 * i] = out[4 * i + 1] = 0;
		out[4 * i + 2] = in[2 * i];
		out[4 * i + 3] = in[2 * i + 1];
	}
}

void convert_elements(enum wh_dtype from, const void *in, enum wh_dtype to,
		      void *out, size_t n)
{
	const struct float_kind *source = find_float(from);
	const struct float_kind *target = find_float(to);
	const struct integer_kind *integer = find_integer(from);
	size_t size = wh_dtype_size(from), wide = wh_dtype_size(to), i;
	const uint8_t *at = in;
	uint8_t *made = out;

	if (part_of(from)) {
		convert_elements(part_of(from), in, part_of(to), out, 2 * n);
		return;
	}
	if (from == WH_BFLOAT16 && to == WH_FLOAT32) {
		widen_bfloat16(in, out, n);
		return;
	}
	for (i = 0; i < n; i++, at += size, made += wide) {
		uint64_t bits = load(at, size);

		if (source && target)
			bits = narrow(target, widen(source, bits));
		else if (integer && target)
			bits = narrow(target,
				      widen_integer(integer,
						    value_of(integer, bits),
						    to != WH_FLOAT64));
		else if (integer)
			bits = value_of(integer, bits);
		store(made, wide, bits);
	}
}

/* ---- Of a source
 * --------------------------------------------------------------- */

struct reading {
	struct wh_source *source;
	uint32_t index;
	enum wh_dtype dtype;
};

static enum wh_status make_converted(void *arg, uint64_t first, size_t n,
				     uint8_t *out, struct wh_error *err)
{
	const struct reading *r = arg;
	enum wh_dtype own = r->source->manifest.tensors[r->index].dtype;
	size_t size = wh_dtype_size(own), some;
	uint8_t in[BATCH * ELEMENT_MAX];

	for (; n; n -= some, first += some) {
		some = n < BATCH ? n : BATCH;
		WH_TRY(wh_source_read(r->source, r->index, first * size, in,
				      some * size, err));
		convert_elements(own, in, r->dtype, out, some);
		out += some * wh_dtype_size(r->dtype);
	}
	return WH_OK;
}

enum wh_status source_read_as(struct wh_source *source, uint32_t index,
			      enum wh_dtype dtype, uint64_t offset, void *buf,
			      size_t len, struct wh_error *err)
{
	struct reading reading = {source, index, dtype};

	if (source->manifest.tensors[index].dtype == dtype)
		return wh_source_read(source, index, offset, buf, len, err);
	return elements_read(make_converted, &reading, wh_dtype_size(dtype),
			     offset, buf, len, err);
}
