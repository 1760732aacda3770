/* safetensors/dtype.h: dtypes as the format spells them. */
#ifndef WH_SAFETENSORS_DTYPE_H
#define WH_SAFETENSORS_DTYPE_H

#include <weighhouse/tensor.h>

/** The dtype of "F32"; false if safetensors has no such; WH_DTYPE_NONE in
 *  `*dtype` where weighhouse hasn't. */
bool st_dtype_find(const char *name, enum wh_dtype *dtype);

/** "F32"; NULL if safetensors has no such. */
const char *st_dtype_name(enum wh_dtype dtype);

/** Where the dtype stands in the reference library's order of alignment, by
 *  which it sorts, descending. */
unsigned st_dtype_rank(const char *name);

#endif
