#include "hdf5/types.h"

#include <string.h>

#include "hdf5/session.h"

bool h5_type_known(enum wh_dtype dtype)
{
	switch ((int)dtype) {
	case WH_FLOAT16:
	case WH_BFLOAT16:
	case WH_FLOAT32:
	case WH_FLOAT64:
	case WH_INT8:
	case WH_INT16:
	case WH_INT32:
	case WH_INT64:
	case WH_UINT8:
	case WH_UINT16:
	case WH_UINT32:
	case WH_UINT64:
	case WH_BOOL:
	case WH_COMPLEX64:
	case WH_COMPLEX128:
		return true;
	default:
		return false;
	}
}

/* Predefined types, by dtype and byte order. A function and not a table: the
 * names are variables of libhdf5. */
static hid_t predefined(enum wh_dtype dtype, bool big)
{
	switch ((int)dtype) {
	case WH_FLOAT32:
		return big ? H5T_IEEE_F32BE : H5T_IEEE_F32LE;
	case WH_FLOAT64:
		return big ? H5T_IEEE_F64BE : H5T_IEEE_F64LE;
	case WH_INT8:
		return big ? H5T_STD_I8BE : H5T_STD_I8LE;
	case WH_INT16:
		return big ? H5T_STD_I16BE : H5T_STD_I16LE;
	case WH_INT32:
		return big ? H5T_STD_I32BE : H5T_STD_I32LE;
	case WH_INT64:
		return big ? H5T_STD_I64BE : H5T_STD_I64LE;
	case WH_UINT8:
		return big ? H5T_STD_U8BE : H5T_STD_U8LE;
	case WH_UINT16:
		return big ? H5T_STD_U16BE : H5T_STD_U16LE;
	case WH_UINT32:
		return big ? H5T_STD_U32BE : H5T_STD_U32LE;
	case WH_UINT64:
		return big ? H5T_STD_U64BE : H5T_STD_U64LE;
	default:
		return -1;
	}
}

/* libhdf5 1.10 has no predefined half: sign bit 15, exponent 5 bits from 10,
 * mantissa 10 bits from 0, bias 15. */
static hid_t make_half(bool big)
{
	hid_t type = H5Tcopy(predefined(WH_FLOAT32, big));

	if (H5Tset_fields(type, 15, 10, 5, 0, 10) < 0 ||
	    H5Tset_size(type, 2) < 0 || H5Tset_ebias(type, 15) < 0) {
		H5Tclose(type);
		return -1;
	}
	return type;
}

static hid_t make_bool(void)
{
	hid_t type = H5Tenum_create(H5T_STD_I8LE);
	signed char no = 0, yes = 1;

	if (H5Tenum_insert(type, "FALSE", &no) < 0 ||
	    H5Tenum_insert(type, "TRUE", &yes) < 0) {
		H5Tclose(type);
		return -1;
	}
	return type;
}

static hid_t make_complex(enum wh_dtype part, bool big)
{
	size_t size = wh_dtype_size(part);
	hid_t type = H5Tcreate(H5T_COMPOUND, 2 * size);

	if (H5Tinsert(type, "r", 0, predefined(part, big)) < 0 ||
	    H5Tinsert(type, "i", size, predefined(part, big)) < 0) {
		H5Tclose(type);
		return -1;
	}
	return type;
}

static hid_t make_opaque(void)
{
	hid_t type = H5Tcreate(H5T_OPAQUE, 2);

	if (H5Tset_tag(type, "") < 0) {
		H5Tclose(type);
		return -1;
	}
	return type;
}

hid_t h5_type_make(enum wh_dtype dtype)
{
	switch ((int)dtype) {
	case WH_FLOAT16:
		return make_half(false);
	case WH_BFLOAT16:
		return make_opaque();
	case WH_BOOL:
		return make_bool();
	case WH_COMPLEX64:
		return make_complex(WH_FLOAT32, false);
	case WH_COMPLEX128:
		return make_complex(WH_FLOAT64, false);
	default:
		return predefined(dtype, false) < 0
			       ? -1
			       : H5Tcopy(predefined(dtype, false));
	}
}

static bool is_number(hid_t type, enum wh_dtype dtype, bool big)
{
	return H5Tequal(type, predefined(dtype, big)) > 0;
}

static enum wh_dtype number_dtype(hid_t type, bool *big)
{
	static const enum wh_dtype numbers[] = {
		WH_FLOAT32, WH_FLOAT64, WH_INT32,  WH_INT64,  WH_UINT8,
		WH_INT8,    WH_INT16,	WH_UINT16, WH_UINT32, WH_UINT64};
	size_t i, size = H5Tget_size(type);

	for (i = 0; i < sizeof(numbers) / sizeof(numbers[0]); i++) {
		if (wh_dtype_size(numbers[i]) != size)
			continue;
		for (*big = false;; *big = true) {
			if (is_number(type, numbers[i], *big))
				return numbers[i];
			if (*big)
				break;
		}
	}
	return WH_DTYPE_NONE;
}

static bool is_half(hid_t type, bool big)
{
	h5_auto hid_t half = make_half(big);

	return half > 0 && H5Tequal(type, half) > 0;
}

static bool member_is(hid_t type, unsigned index, const char *name)
{
	char *member = H5Tget_member_name(type, index);
	bool same = member && strcmp(member, name) == 0;

	H5free_memory(member);
	return same;
}

static bool is_bool(hid_t type)
{
	h5_auto hid_t base = H5Tget_super(type);
	signed char no = -1, yes = -1;

	return H5Tget_nmembers(type) == 2 && H5Tget_size(base) == 1 &&
	       member_is(type, 0, "FALSE") && member_is(type, 1, "TRUE") &&
	       H5Tget_member_value(type, 0, &no) >= 0 &&
	       H5Tget_member_value(type, 1, &yes) >= 0 && no == 0 && yes == 1;
}

static enum wh_dtype complex_dtype(hid_t type, bool *big)
{
	h5_auto hid_t real = 0, imaginary = 0;
	enum wh_dtype part;

	if (H5Tget_nmembers(type) != 2 || !member_is(type, 0, "r") ||
	    !member_is(type, 1, "i"))
		return WH_DTYPE_NONE;
	real = H5Tget_member_type(type, 0);
	imaginary = H5Tget_member_type(type, 1);
	if (real < 0 || imaginary < 0 || H5Tequal(real, imaginary) <= 0)
		return WH_DTYPE_NONE;
	part = number_dtype(real, big);
	if ((part != WH_FLOAT32 && part != WH_FLOAT64) ||
	    H5Tget_member_offset(type, 0) != 0 ||
	    H5Tget_member_offset(type, 1) != wh_dtype_size(part) ||
	    H5Tget_size(type) != 2 * wh_dtype_size(part))
		return WH_DTYPE_NONE;
	return part == WH_FLOAT32 ? WH_COMPLEX64 : WH_COMPLEX128;
}

static enum wh_dtype float_dtype(hid_t type, bool *big)
{
	if (H5Tget_size(type) != 2)
		return number_dtype(type, big);
	*big = is_half(type, true);
	return *big || is_half(type, false) ? WH_FLOAT16 : WH_DTYPE_NONE;
}

static enum wh_dtype class_dtype(hid_t type, bool *big)
{
	switch ((int)H5Tget_class(type)) {
	case H5T_FLOAT:
		return float_dtype(type, big);
	case H5T_INTEGER:
		return number_dtype(type, big);
	case H5T_ENUM:
		return is_bool(type) ? WH_BOOL : WH_DTYPE_NONE;
	case H5T_OPAQUE:
		return H5Tget_size(type) == 2 ? WH_BFLOAT16 : WH_DTYPE_NONE;
	case H5T_COMPOUND:
		return complex_dtype(type, big);
	default:
		return WH_DTYPE_NONE;
	}
}

enum wh_dtype h5_type_dtype(hid_t type, unsigned *swap)
{
	bool big = false;
	enum wh_dtype dtype = class_dtype(type, &big);
	size_t width = wh_dtype_size(dtype);

	if (dtype == WH_COMPLEX64 || dtype == WH_COMPLEX128)
		width /= 2;
	*swap = big && width > 1 ? (unsigned)width : 0;
	return dtype;
}
