/* hdf5/classic/types.h: datatype messages of version 1, as bytes.
 *
 * "HDF5 File Format Specification 3.0", IV.A.2.d: class and version, 24 bits
 * of flags, size, properties. Of all that a message may say, only what h5py
 * writes for a dtype (and the same in the other byte order) is known here.
 */
#ifndef WH_HDF5_CLASSIC_TYPES_H
#define WH_HDF5_CLASSIC_TYPES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <weighhouse/tensor.h>

#define CLASSIC_TYPE_MAX 128u /* bytes: a complex number's */

/** Encodes a dtype (`big`: in the other byte order); returns the number of
 *  bytes, 0 for dtypes that HDF5 weights don't have. */
size_t classic_type_encode(enum wh_dtype dtype, bool big,
			   uint8_t out[CLASSIC_TYPE_MAX]);

/** The dtype whose encoding these bytes begin with, and the width of what must
 *  be reversed to little-endian, or 0; WH_DTYPE_NONE for all others. */
enum wh_dtype classic_type_decode(const uint8_t *bytes, size_t size,
				  unsigned *swap);

/** Strings of attributes. */
struct classic_string {
	bool variable;	  /* of 16 bytes in the attribute: a reference */
	uint32_t size;	  /* of each in the attribute */
	unsigned padding; /* 0: NUL at the end, 1: NULs, 2: blanks */
};

/** Whether these bytes begin with a type of strings, of either kind. */
bool classic_string_decode(const uint8_t *bytes, size_t size,
			   struct classic_string *string);

/** The inverse; returns the number of bytes. */
size_t classic_string_encode(const struct classic_string *string, bool utf8,
			     uint8_t out[CLASSIC_TYPE_MAX]);

#endif
