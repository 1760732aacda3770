/* loading/converted.h: a source with tensors that are made of others: what
 * Keras 1 and cuDNN stored in another layout. They stand behind the source's
 * own, as hidden ones do. */
#ifndef WH_LOADING_CONVERTED_H
#define WH_LOADING_CONVERTED_H

#include <weighhouse/source.h>

#define CONVERSION_INPUTS 4u
#define CONVERSION_RANK	  5u

enum conversion_kind {
	CONVERSION_PERMUTE = 0, /* axis i is the input's axis permutation[i] */
	CONVERSION_RESHAPE,	/* the same elements in the same order */
	CONVERSION_JOIN,	/* inputs beside each other on the last axis */
	/* Gates stand beside each other on the last axis; each is changed. */
	CONVERSION_FROM_CUDNN, /* input kernels: K.T, filled by columns */
	CONVERSION_TO_CUDNN,   /* the reverse */
	CONVERSION_TRANSPOSE_GATES,
	CONVERSION_ADD_HALVES,	/* two biases become one */
	CONVERSION_HALVE_TWICE, /* one bias becomes two */
};

struct conversion {
	enum conversion_kind kind;
	uint32_t inputs[CONVERSION_INPUTS], n_inputs; /* tensors */
	uint32_t permutation[CONVERSION_RANK];
	uint64_t n_gates;
	uint32_t rank; /* of what comes out; the dtype is the inputs' */
	uint64_t shape[CONVERSION_RANK];
};

/** Wraps `inner`, which stays the caller's and has to outlive it; up to `room`
 *  tensors can be added. */
enum wh_status converted_new(struct wh_source *inner, uint32_t room,
			     struct wh_source **out, struct wh_error *err);

/** Adds a tensor; shapes have to fit, which the caller has checked.
 *  WH_EUNSUPPORTED if it is over 256 MiB, since it is made as a whole, or if a
 *  bias has a dtype in which Keras doesn't add. */
enum wh_status converted_add(struct wh_source *source,
			     const struct conversion *conversion,
			     uint32_t *index, struct wh_error *err);

#endif
