#include "loading/converted.h"

#include <stdlib.h>
#include <string.h>

#include "base/arena.h"
#include "base/auto.h"
#include "base/error.h"

#define MAX_BYTES ((uint64_t)256 << 20)
#define NOTHING	  UINT32_MAX

struct converted {
	struct wh_source base; /* first: they are cast into each other */
	struct wh_source_ops ops;
	struct wh_source *inner;
	struct arena arena;
	struct conversion *conversions;
	uint32_t n_own, room;
	/* The tensor that was made last: it is read piece by piece. */
	uint32_t made;
	uint8_t *bytes;
};

/* ---- Element by element ------------------------------------------------ */

/* One tensor on its way out of its inputs. */
struct making {
	const struct conversion *conversion;
	const struct wh_tensor *from[CONVERSION_INPUTS];
	uint8_t *in[CONVERSION_INPUTS];
	uint8_t *out;
	size_t size; /* of an element */
	uint64_t n;
};

static void copy_element(const struct making *m, uint64_t to, uint64_t from)
{
	memcpy(m->out + to * m->size, m->in[0] + from * m->size, m->size);
}

static void permute(const struct making *m)
{
	const struct wh_tensor *from = m->from[0];
	uint64_t strides[CONVERSION_RANK], at[CONVERSION_RANK] = {0};
	uint64_t stride = 1, source = 0, to;
	uint32_t i;

	for (i = from->rank; i--; stride *= from->shape[i])
		strides[i] = stride;
	for (to = 0; to < m->n; to++) {
		copy_element(m, to, source);
		for (i = from->rank; i--;) {
			uint32_t axis = m->conversion->permutation[i];

			source += strides[axis];
			if (++at[i] < from->shape[axis])
				break;
			source -= strides[axis] * from->shape[axis];
			at[i] = 0;
		}
	}
}

static void join(const struct making *m)
{
	const struct conversion *c = m->conversion;
	uint64_t wide = c->shape[c->rank - 1], rows = wide ? m->n / wide : 0;
	uint64_t row, k;
	uint8_t *out = m->out;

	for (row = 0; row < rows; row++)
		for (k = 0; k < c->n_inputs; k++) {
			const struct wh_tensor *from = m->from[k];
			size_t some =
				(size_t)from->shape[from->rank - 1] * m->size;

			memcpy(out, m->in[k] + row * some, some);
			out += some;
		}
}

/* Which element of a gate of `rows` x `units`, counted by rows, goes to its
 * row i and column j. */
static uint64_t gate_source(enum conversion_kind kind, uint64_t rows,
			    uint64_t units, uint64_t i, uint64_t j)
{
	uint64_t place = i * units + j;

	switch (kind) {
	case CONVERSION_FROM_CUDNN:
		return i + j * rows;
	case CONVERSION_TO_CUDNN:
		return place % rows * units + place / rows;
	case CONVERSION_TRANSPOSE_GATES:
		return j * units + i;
	case CONVERSION_PERMUTE:
	case CONVERSION_RESHAPE:
	case CONVERSION_JOIN:
	case CONVERSION_ADD_HALVES:
	case CONVERSION_HALVE_TWICE:
	default:
		return place;
	}
}

static void change_gates(const struct making *m)
{
	const struct conversion *c = m->conversion;
	uint64_t rows = c->shape[0], wide = c->shape[1];
	uint64_t units = wide / c->n_gates, gate, i, j;

	for (gate = 0; gate < c->n_gates; gate++)
		for (i = 0; i < rows; i++)
			for (j = 0; j < units; j++) {
				uint64_t from =
					gate_source(c->kind, rows, units, i, j);

				copy_element(m, i * wide + gate * units + j,
					     from / units * wide +
						     gate * units +
						     from % units);
			}
}

static void change_bias(const struct making *m)
{
	bool adds = m->conversion->kind == CONVERSION_ADD_HALVES;
	uint64_t i, half = adds ? m->n : m->n / 2;

	for (i = 0; i < m->n; i++)
		if (m->size == sizeof(float)) {
			const float *in = (const float *)(void *)m->in[0];
			float *out = (float *)(void *)m->out;

			out[i] = adds ? in[i] + in[i + half]
				      : 0.5F * in[i % half];
		} else {
			const double *in = (const double *)(void *)m->in[0];
			double *out = (double *)(void *)m->out;

			out[i] = adds ? in[i] + in[i + half]
				      : 0.5 * in[i % half];
		}
}

static void make(const struct making *m)
{
	switch (m->conversion->kind) {
	case CONVERSION_PERMUTE:
		permute(m);
		return;
	case CONVERSION_JOIN:
		join(m);
		return;
	case CONVERSION_FROM_CUDNN:
	case CONVERSION_TO_CUDNN:
	case CONVERSION_TRANSPOSE_GATES:
		change_gates(m);
		return;
	case CONVERSION_ADD_HALVES:
	case CONVERSION_HALVE_TWICE:
		change_bias(m);
		return;
	case CONVERSION_RESHAPE:
	default:
		memcpy(m->out, m->in[0], (size_t)m->n * m->size);
	}
}

/* ---- The source --------------------------------------------------------- */

static enum wh_status make_tensor(struct converted *source, uint32_t index,
				  uint8_t **out, struct wh_error *err);

/* All bytes of a tensor, the inner source's or one that is made. */
static enum wh_status whole_tensor(struct converted *source, uint32_t index,
				   uint8_t **out, struct wh_error *err)
{
	const struct wh_tensor *tensor = &source->base.manifest.tensors[index];
	uint8_t *bytes;
	enum wh_status status;

	if (index >= source->n_own)
		return make_tensor(source, index, out, err);
	bytes = tensor->nbytes < SIZE_MAX ? malloc((size_t)tensor->nbytes + 1)
					  : NULL;
	if (!bytes)
		return wh_fail_memory(err);
	status = wh_source_read(source->inner, index, 0, bytes,
				(size_t)tensor->nbytes, err);
	if (status) {
		free(bytes);
		return status;
	}
	*out = bytes;
	return WH_OK;
}

static enum wh_status make_tensor(struct converted *source, uint32_t index,
				  uint8_t **out, struct wh_error *err)
{
	const struct wh_tensor *tensors = source->base.manifest.tensors;
	const struct conversion *c =
		&source->conversions[index - source->n_own];
	struct making m = {.conversion = c,
			   .size = wh_dtype_size(tensors[index].dtype)};
	enum wh_status status;
	uint32_t i = 0;

	m.n = tensors[index].nbytes / m.size;
	do { /* nothing is made of nothing */
		m.from[i] = &tensors[c->inputs[i]];
		status = whole_tensor(source, c->inputs[i], &m.in[i], err);
	} while (!status && ++i < c->n_inputs);
	if (!status) {
		if (tensors[index].nbytes < SIZE_MAX)
			m.out = malloc((size_t)tensors[index].nbytes + 1);
		if (m.out)
			make(&m);
		else
			status = wh_fail_memory(err);
	}
	for (i = 0; i < c->n_inputs; i++)
		free(m.in[i]);
	if (!status)
		*out = m.out;
	return status;
}

static enum wh_status read_converted(struct wh_source *base, uint32_t index,
				     uint64_t offset, void *buf, size_t len,
				     struct wh_error *err)
{
	struct converted *source = (struct converted *)base;

	if (index < source->n_own)
		return wh_source_read(source->inner, index, offset, buf, len,
				      err);
	if (source->made != index) {
		free(source->bytes);
		source->bytes = NULL;
		source->made = NOTHING;
		WH_TRY(make_tensor(source, index, &source->bytes, err));
		source->made = index;
	}
	memcpy(buf, source->bytes + offset, len);
	return WH_OK;
}

static enum wh_status check_unchanged(struct wh_source *base,
				      struct wh_error *err)
{
	struct wh_source *inner = ((struct converted *)base)->inner;

	return inner->ops->unchanged ? inner->ops->unchanged(inner, err)
				     : WH_OK;
}

static void close_converted(struct wh_source *base)
{
	struct converted *source = (struct converted *)base;

	free(source->bytes);
	arena_free(&source->arena);
	free(source);
}

enum wh_status converted_new(struct wh_source *inner, uint32_t room,
			     struct wh_source **out, struct wh_error *err)
{
	struct converted *source = calloc(1, sizeof(*source));
	struct wh_manifest *manifest;

	if (!source)
		return wh_fail_memory(err);
	source->inner = inner;
	source->n_own = inner->manifest.n_tensors;
	source->room = room;
	source->made = NOTHING;
	source->ops = (struct wh_source_ops){.read = read_converted,
					     .unchanged = check_unchanged,
					     .close = close_converted};
	source->base.ops = &source->ops;
	manifest = &source->base.manifest;
	*manifest = inner->manifest;
	manifest->n_hidden = 0;
	manifest->template_ = NULL;
	manifest->tensors =
		arena_alloc(&source->arena, (size_t)source->n_own + room,
			    sizeof(*manifest->tensors));
	source->conversions =
		arena_alloc(&source->arena, room, sizeof(*source->conversions));
	if (!manifest->tensors || !source->conversions) {
		close_converted(&source->base);
		return wh_fail_memory(err);
	}
	if (source->n_own)
		memcpy(manifest->tensors, inner->manifest.tensors,
		       source->n_own * sizeof(*manifest->tensors));
	*out = &source->base;
	return WH_OK;
}

enum wh_status converted_add(struct wh_source *base,
			     const struct conversion *conversion,
			     uint32_t *index, struct wh_error *err)
{
	struct converted *source = (struct converted *)base;
	struct wh_manifest *manifest = &base->manifest;
	const struct wh_tensor *first =
		&manifest->tensors[conversion->inputs[0]];
	bool is_bias = conversion->kind == CONVERSION_ADD_HALVES ||
		       conversion->kind == CONVERSION_HALVE_TWICE;
	struct wh_tensor made = {.key = first->key,
				 .dtype = first->dtype,
				 .rank = conversion->rank,
				 .nbytes = wh_dtype_size(first->dtype)};
	uint64_t *shape;
	uint32_t i;

	if (manifest->n_hidden == source->room)
		return wh_fail(err, WH_EINVAL, "too many conversions");
	if (is_bias && first->dtype != WH_FLOAT32 && first->dtype != WH_FLOAT64)
		return wh_fail(err, WH_EUNSUPPORTED,
			       "tensor '%s': biases of %s are not added here",
			       first->key, wh_dtype_name(first->dtype));
	shape = arena_alloc(&source->arena, conversion->rank, sizeof(*shape));
	if (!shape)
		return wh_fail_memory(err);
	for (i = 0; i < conversion->rank; i++) {
		shape[i] = conversion->shape[i];
		made.nbytes *= shape[i];
	}
	made.shape = shape;
	if (made.nbytes > MAX_BYTES)
		return wh_fail(err, WH_EUNSUPPORTED,
			       "tensor '%s' has another layout here and is too "
			       "large to be converted: at most %llu bytes are",
			       first->key, (unsigned long long)MAX_BYTES);
	*index = source->n_own + manifest->n_hidden++;
	manifest->tensors[*index] = made;
	source->conversions[*index - source->n_own] = *conversion;
	return WH_OK;
}
