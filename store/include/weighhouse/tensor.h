/* tensor.h: dtypes, shapes, and what is known of one tensor.
 *
 * Payload bytes are little-endian, C order (outermost dimension first) and
 * packed everywhere inside weighhouse, whatever the machine and the file.
 */
#ifndef WEIGHHOUSE_TENSOR_H
#define WEIGHHOUSE_TENSOR_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <weighhouse/error.h>

#ifdef __cplusplus
extern "C" {
#endif

/** Numbered as TensorFlow's DataType (tensorflow/core/framework/types.proto),
 *  so that the number alone is enough in a TF index; stores keep the name. */
enum wh_dtype {
	WH_DTYPE_NONE = 0,
	WH_FLOAT32 = 1,
	WH_FLOAT64 = 2,
	WH_INT32 = 3,
	WH_UINT8 = 4,
	WH_INT16 = 5,
	WH_INT8 = 6,
	WH_STRING = 7, /* payload: uint64 length x n, then the bytes */
	WH_COMPLEX64 = 8,
	WH_INT64 = 9,
	WH_BOOL = 10, /* one byte, 0 or 1 */
	WH_QINT8 = 11,
	WH_QUINT8 = 12,
	WH_QINT32 = 13,
	WH_BFLOAT16 = 14,
	WH_QINT16 = 15,
	WH_QUINT16 = 16,
	WH_UINT16 = 17,
	WH_COMPLEX128 = 18,
	WH_FLOAT16 = 19,
	WH_VARIANT = 21, /* payload: the bytes of the TF file, kept raw */
	WH_UINT32 = 22,
	WH_UINT64 = 23,
	WH_FLOAT8_E5M2 = 24,
	WH_FLOAT8_E4M3FN = 25,
	WH_FLOAT8_E4M3FNUZ = 26,
	WH_FLOAT8_E4M3B11FNUZ = 27,
	WH_FLOAT8_E5M2FNUZ = 28,
	WH_INT4 = 29, /* one byte an element, the value in the low bits */
	WH_UINT4 = 30,
	WH_INT2 = 31,
	WH_UINT2 = 32,
	WH_FLOAT4_E2M1FN = 33, /* one byte an element */
};

/* Limits on what is taken from anywhere. */
#define WH_MAX_TENSORS 1000000u
#define WH_MAX_LAYERS  100000u /* of kind WH_LAYER */
#define WH_MAX_NAME    4096u   /* bytes */
#define WH_MAX_RANK    32u
#define WH_MAX_NBYTES  (UINT64_C(1) << 53) /* of one tensor */
#define WH_SHA256_SIZE 32

/** "float32", as NumPy and TensorFlow spell it; NULL if there is no such. */
WH_API const char *wh_dtype_name(enum wh_dtype dtype);

/** The dtype of a name; WH_DTYPE_NONE if there is no such. */
WH_API enum wh_dtype wh_dtype_from_name(const char *name);

/** Bytes of an element; 0 for WH_STRING and WH_VARIANT, whose elements vary. */
WH_API size_t wh_dtype_size(enum wh_dtype dtype);

/** Which of a tensor's digests are filled, and which a caller needs. */
enum wh_weighed {
	WH_SHA256 = 1,
	WH_CRC32C = 2, /* Castagnoli, as TF's index (unmasked) and chunks */
	WH_CRC32 = 4,  /* ISO 3309, as zip members */
	WH_STATISTICS = 8,
};

/** Of a float, integer or bool tensor's elements; NaN elements are counted
 *  and left out of the rest, infinities are counted and left out of mean,
 *  standard deviation and norm. Sums are of doubles per MiB of payload, added
 *  in order, so they are the same on every machine. */
struct wh_statistics {
	uint64_t n_elements, n_zero, n_nan, n_inf;
	double min, max;  /* NaN if no element is left */
	double mean, std; /* population standard deviation */
	double l2;	  /* Euclidean norm */
};

struct wh_tensor {
	const char *key; /* unique in its manifest; valid UTF-8 */
	enum wh_dtype dtype;
	uint32_t rank;
	const uint64_t *shape; /* `rank` dimensions, outermost first */
	uint64_t nbytes;       /* of the payload */
	unsigned weighed;      /* enum wh_weighed: what below is known */
	uint8_t sha256[WH_SHA256_SIZE]; /* of the payload */
	/* What the file that it came from claims: weighing holds it against
	 * what it finds. */
	bool has_expected_crc32c;
	uint32_t expected_crc32c;
	uint32_t crc32c, crc32; /* of the payload */
	bool has_statistics;	/* the dtype has them */
	struct wh_statistics statistics;
};

#ifdef __cplusplus
}
#endif
#endif
