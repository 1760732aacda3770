#include <string.h>

#include <weighhouse/tensor.h>
#include <weighhouse/version.h>

#define STRINGIFY_(x) #x
#define STRINGIFY(x)  STRINGIFY_(x)

struct dtype_fact {
	enum wh_dtype dtype;
	const char *name;
	size_t size;
};

static const struct dtype_fact facts[] = {
	{WH_FLOAT32, "float32", 4},
	{WH_FLOAT64, "float64", 8},
	{WH_INT32, "int32", 4},
	{WH_UINT8, "uint8", 1},
	{WH_INT16, "int16", 2},
	{WH_INT8, "int8", 1},
	{WH_STRING, "string", 0},
	{WH_COMPLEX64, "complex64", 8},
	{WH_INT64, "int64", 8},
	{WH_BOOL, "bool", 1},
	{WH_QINT8, "qint8", 1},
	{WH_QUINT8, "quint8", 1},
	{WH_QINT32, "qint32", 4},
	{WH_BFLOAT16, "bfloat16", 2},
	{WH_QINT16, "qint16", 2},
	{WH_QUINT16, "quint16", 2},
	{WH_UINT16, "uint16", 2},
	{WH_COMPLEX128, "complex128", 16},
	{WH_FLOAT16, "float16", 2},
	{WH_VARIANT, "variant", 0},
	{WH_UINT32, "uint32", 4},
	{WH_UINT64, "uint64", 8},
	{WH_FLOAT8_E5M2, "float8_e5m2", 1},
	{WH_FLOAT8_E4M3FN, "float8_e4m3fn", 1},
	{WH_FLOAT8_E4M3FNUZ, "float8_e4m3fnuz", 1},
	{WH_FLOAT8_E4M3B11FNUZ, "float8_e4m3b11fnuz", 1},
	{WH_FLOAT8_E5M2FNUZ, "float8_e5m2fnuz", 1},
	{WH_INT4, "int4", 1},
	{WH_UINT4, "uint4", 1},
	{WH_INT2, "int2", 1},
	{WH_UINT2, "uint2", 1},
	{WH_FLOAT4_E2M1FN, "float4_e2m1fn", 1},
};

#define N_FACTS (sizeof(facts) / sizeof(facts[0]))

static const struct dtype_fact *find_fact(enum wh_dtype dtype)
{
	size_t i;

	for (i = 0; i < N_FACTS; i++)
		if (facts[i].dtype == dtype)
			return &facts[i];
	return NULL;
}

const char *wh_dtype_name(enum wh_dtype dtype)
{
	const struct dtype_fact *fact = find_fact(dtype);

	return fact ? fact->name : NULL;
}

size_t wh_dtype_size(enum wh_dtype dtype)
{
	const struct dtype_fact *fact = find_fact(dtype);

	return fact ? fact->size : 0;
}

enum wh_dtype wh_dtype_from_name(const char *name)
{
	size_t i;

	for (i = 0; i < N_FACTS; i++)
		if (strcmp(facts[i].name, name) == 0)
			return facts[i].dtype;
	return WH_DTYPE_NONE;
}

const char *wh_version(void)
{
	return STRINGIFY(WH_VERSION_MAJOR) "." STRINGIFY(
		WH_VERSION_MINOR) "." STRINGIFY(WH_VERSION_PATCH);
}
