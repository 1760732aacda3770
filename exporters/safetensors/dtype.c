/* The dtypes of safetensors 0.8, in the order of its enum (tensor.rs): by
 * alignment, ascending. */
#include "safetensors/dtype.h"

#include <string.h>

static const struct {
	const char *name;
	enum wh_dtype dtype;
} facts[] = {
	{"BOOL", WH_BOOL},
	{"F4", WH_DTYPE_NONE},
	{"F6_E2M3", WH_DTYPE_NONE},
	{"F6_E3M2", WH_DTYPE_NONE},
	{"U8", WH_UINT8},
	{"I8", WH_INT8},
	{"F8_E5M2", WH_FLOAT8_E5M2},
	{"F8_E4M3", WH_FLOAT8_E4M3FN},
	{"F8_E8M0", WH_DTYPE_NONE},
	{"F8_E4M3FNUZ", WH_FLOAT8_E4M3FNUZ},
	{"F8_E5M2FNUZ", WH_FLOAT8_E5M2FNUZ},
	{"I16", WH_INT16},
	{"U16", WH_UINT16},
	{"F16", WH_FLOAT16},
	{"BF16", WH_BFLOAT16},
	{"I32", WH_INT32},
	{"U32", WH_UINT32},
	{"F32", WH_FLOAT32},
	{"C64", WH_COMPLEX64},
	{"F64", WH_FLOAT64},
	{"I64", WH_INT64},
	{"U64", WH_UINT64},
};

#define N_FACTS (sizeof(facts) / sizeof(facts[0]))

bool st_dtype_find(const char *name, enum wh_dtype *dtype)
{
	size_t i;

	for (i = 0; i < N_FACTS; i++)
		if (strcmp(facts[i].name, name) == 0) {
			*dtype = facts[i].dtype;
			return true;
		}
	return false;
}

const char *st_dtype_name(enum wh_dtype dtype)
{
	size_t i;

	for (i = 0; i < N_FACTS; i++)
		if (facts[i].dtype == dtype && dtype != WH_DTYPE_NONE)
			return facts[i].name;
	return NULL;
}

unsigned st_dtype_rank(const char *name)
{
	unsigned i;

	for (i = 0; i < N_FACTS; i++)
		if (strcmp(facts[i].name, name) == 0)
			break;
	return i;
}
