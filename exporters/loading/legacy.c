/* Keras's rules: tf_keras/src/saving/legacy/hdf5_format.py 2.21,
 * preprocess_weights_for_loading and _convert_rnn_weights. There the layer's
 * class decides. Here the names do where they are enough: what stands beside a
 * `recurrent_kernel` is a cell's, whatever is around it. */
#include "loading/legacy.h"

#include <string.h>

#include "loading/converted.h"
#include "mapping/config.h"
#include "mapping/paths.h"

#define ABSENT UINT32_MAX

/* A layer on its way; weights[i] becomes the value of to->weights[i]. */
struct legacy {
	struct pairing *pairing;
	const struct mapping_layer *from, *to;
	struct mapping_weight *weights;
	uint32_t n;
};

bool legacy_is_keras1(const struct wh_manifest *manifest)
{
	return manifest->origin_format &&
	       strcmp(manifest->origin_format, "h5") == 0 &&
	       !mapping_h5_attribute(manifest, "keras_version");
}

/* ---- Names --------------------------------------------------------------- */

/* "kernel" of "lstm/lstm_cell/kernel:0", and how long what precedes it is. */
static bool has_leaf(const char *name, const char *leaf, size_t *scope)
{
	size_t end = strcspn(name, ":"), at = end, len = strlen(leaf);

	while (at && name[at - 1] != '/' && name[at - 1] != '.')
		at--;
	*scope = at;
	return end - at == len && strncmp(name + at, leaf, len) == 0;
}

/* The weight of that leaf in the scope of weight `beside`. */
static uint32_t find_beside(const struct mapping_layer *layer, uint32_t beside,
			    const char *leaf)
{
	const char *name = layer->weights[beside].name;
	size_t wanted, scope;
	uint32_t i;

	has_leaf(name, "", &wanted);
	for (i = 0; i < layer->n_weights; i++)
		if (has_leaf(layer->weights[i].name, leaf, &scope) &&
		    scope == wanted &&
		    strncmp(layer->weights[i].name, name, scope) == 0)
			return i;
	return ABSENT;
}

/* The configuration of the innermost layer that a weight is of, or NULL. */
static const struct config_layer *config_of(const struct legacy *legacy,
					    uint32_t index)
{
	const struct config_layer *at =
		config_child(legacy->pairing->config, legacy->to->name);
	const char *name = legacy->to->weights[index].name;
	uint32_t i;

	while (at && at->kind != CONFIG_LAYER && at->kind != CONFIG_CELLS) {
		const struct config_layer *inner = NULL;

		if (at->kind != CONFIG_MODEL)
			inner = at->children;
		else
			for (i = 0; i < at->n_children && !inner; i++)
				if (name_below(name, at->children[i].name))
					inner = &at->children[i];
		at = inner;
	}
	return at;
}

/* ---- Tensors ------------------------------------------------------------- */

static const struct wh_tensor *given(const struct legacy *legacy,
				     uint32_t index)
{
	return &legacy->pairing->from->tensors[legacy->weights[index].tensor];
}

static const struct wh_tensor *wanted(const struct legacy *legacy,
				      uint32_t index)
{
	return &legacy->pairing->to->tensors[legacy->to->weights[index].tensor];
}

static void take_shape(struct conversion *conversion,
		       const struct wh_tensor *like)
{
	conversion->rank = like->rank;
	memcpy(conversion->shape, like->shape,
	       like->rank * sizeof(*like->shape));
}

/* Weight `index` becomes what the conversion makes of it. */
static enum wh_status convert(struct legacy *legacy, uint32_t index,
			      struct conversion *conversion,
			      struct wh_error *err)
{
	if (!conversion->n_inputs) {
		conversion->n_inputs = 1;
		conversion->inputs[0] = legacy->weights[index].tensor;
	}
	return converted_add(legacy->pairing->converted, conversion,
			     &legacy->weights[index].tensor, err);
}

static void permuted_shape(const struct wh_tensor *tensor,
			   const uint32_t *permutation, uint64_t *shape)
{
	uint32_t i;

	for (i = 0; i < tensor->rank; i++)
		shape[i] = tensor->shape[permutation[i]];
}

static bool fits_permuted(const struct wh_tensor *from,
			  const uint32_t *permutation,
			  const struct wh_tensor *to)
{
	uint64_t shape[CONVERSION_RANK];

	if (from->rank != to->rank || from->rank > CONVERSION_RANK)
		return false;
	permuted_shape(from, permutation, shape);
	return memcmp(shape, to->shape, to->rank * sizeof(*shape)) == 0;
}

static enum wh_status permute(struct legacy *legacy, uint32_t index,
			      const uint32_t *permutation, struct wh_error *err)
{
	const struct wh_tensor *from = given(legacy, index);
	struct conversion conversion = {.kind = CONVERSION_PERMUTE,
					.rank = from->rank};

	memcpy(conversion.permutation, permutation,
	       from->rank * sizeof(*permutation));
	permuted_shape(from, permutation, conversion.shape);
	return convert(legacy, index, &conversion, err);
}

/* ---- Kernels of convolutions ----------------------------------------------
 */

static const uint32_t any_version[] = {3, 2, 0, 1};
static const uint32_t as_it_is[] = {0, 1, 2, 3, 4};

/* How Keras 1 stored what is a `kernel` now. */
static const struct keras1_kernel {
	const char *class_name;
	bool channels_first;
	uint32_t rank, permutation[CONVERSION_RANK];
} keras1_kernels[] = {
	{"Conv2D", false, 4, {0, 1, 2, 3}},
	{"Conv2D", true, 4, {2, 3, 1, 0}},
	{"Conv2DTranspose", false, 4, {0, 1, 3, 2}},
	{"Conv2DTranspose", true, 4, {2, 3, 0, 1}},
	{"Conv3D", false, 5, {0, 1, 2, 3, 4}},
	{"Conv3D", true, 5, {2, 3, 4, 1, 0}},
};

#define N_KERAS1_KERNELS (sizeof(keras1_kernels) / sizeof(keras1_kernels[0]))

static enum wh_status refuse_kernel(const struct legacy *legacy, uint32_t index,
				    const char *why, struct wh_error *err)
{
	return wh_fail(err, WH_EUNSUPPORTED,
		       "layer '%s': weight '%s' %s: the layer's class decides, "
		       "which --model-config FILE (the model's to_json()) says",
		       legacy->to->name, legacy->to->weights[index].name, why);
}

/* By the class, or else by the shapes if those leave one way only. */
static enum wh_status choose_keras1(const struct legacy *legacy, uint32_t index,
				    const struct config_layer *config,
				    const uint32_t **permutation,
				    struct wh_error *err)
{
	const struct wh_tensor *from = given(legacy, index);
	const struct wh_tensor *to = wanted(legacy, index);
	bool found = false;
	size_t i;

	*permutation = as_it_is;
	for (i = 0; i < N_KERAS1_KERNELS; i++) {
		const struct keras1_kernel *at = &keras1_kernels[i];

		if (at->rank != from->rank || at->rank != to->rank)
			continue;
		if (config && config->class_name) {
			if (strcmp(config->class_name, at->class_name) == 0 &&
			    config->channels_first == at->channels_first)
				*permutation = at->permutation;
			continue;
		}
		if (!fits_permuted(from, at->permutation, to))
			continue;
		if (found)
			return refuse_kernel(legacy, index,
					     "comes from Keras 1 and could be "
					     "meant in two ways",
					     err);
		found = true;
		*permutation = at->permutation;
	}
	return WH_OK;
}

/* (length, 1, in, out) or, older, (out, in, length, 1). */
static enum wh_status convert_conv1d(struct legacy *legacy, uint32_t index,
				     struct wh_error *err)
{
	static const uint32_t older[] = {2, 3, 1, 0};
	const struct wh_tensor *from = given(legacy, index);
	const struct wh_tensor *to = wanted(legacy, index);
	struct conversion conversion = {.kind = CONVERSION_RESHAPE};

	if (from->shape[0] != to->shape[0] || from->shape[1] != 1 ||
	    from->shape[3] != to->shape[2]) {
		if (from->shape[0] != to->shape[2] ||
		    from->shape[2] != to->shape[0] || from->shape[3] != 1)
			return WH_OK;
		WH_TRY(permute(legacy, index, older, err));
		from = given(legacy, index);
	}
	if (from->shape[2] != to->shape[1])
		return WH_OK;
	take_shape(&conversion, to);
	return convert(legacy, index, &conversion, err);
}

static bool is_convolution(const struct config_layer *config)
{
	static const char *const classes[] = {"Conv1D", "Conv2D", "Conv3D",
					      "Conv2DTranspose", "ConvLSTM2D"};
	size_t i;

	for (i = 0; i < sizeof(classes) / sizeof(*classes); i++)
		if (config->class_name &&
		    strcmp(config->class_name, classes[i]) == 0)
			return true;
	return false;
}

static enum wh_status convert_kernel(struct legacy *legacy, uint32_t index,
				     bool is_cell, struct wh_error *err)
{
	const struct config_layer *config = config_of(legacy, index);
	const struct wh_tensor *to = wanted(legacy, index);
	const uint32_t *permutation;

	if (legacy->pairing->from_keras1 && !is_cell) {
		if (to->rank == 3 && given(legacy, index)->rank == 4)
			return convert_conv1d(legacy, index, err);
		WH_TRY(choose_keras1(legacy, index, config, &permutation, err));
		if (permutation != as_it_is)
			WH_TRY(permute(legacy, index, permutation, err));
	}
	if (to->rank != 4 || shapes_equal(given(legacy, index), to) ||
	    !fits_permuted(given(legacy, index), any_version, to))
		return WH_OK;
	if (!is_cell && !config)
		return refuse_kernel(legacy, index,
				     "has a shape that a convolution of Theano "
				     "would have",
				     err);
	return is_cell || is_convolution(config)
		       ? permute(legacy, index, any_version, err)
		       : WH_OK;
}

/* ---- Cells ----------------------------------------------------------------
 */

/* The weights of one cell in the list, and what is known of their shapes. */
struct cell {
	uint32_t kernel, recurrent, bias;
	uint64_t units, n_gates;
};

static bool find_cell(const struct legacy *legacy, uint32_t recurrent,
		      struct cell *cell)
{
	size_t scope;

	if (!has_leaf(legacy->to->weights[recurrent].name, "recurrent_kernel",
		      &scope))
		return false;
	*cell = (struct cell){
		.recurrent = recurrent,
		.kernel = find_beside(legacy->to, recurrent, "kernel"),
		.bias = find_beside(legacy->to, recurrent, "bias")};
	return cell->kernel != ABSENT;
}

/* What a cell's bias shows that it is. */
enum cell_kind { CELL_UNKNOWN = 0, CELL_PLAIN, CELL_AFTER, CELL_CUDNN };

static enum cell_kind kind_of(const struct cell *cell,
			      const struct wh_tensor *bias)
{
	uint64_t wide = cell->units * cell->n_gates;

	if (bias->rank == 1 && bias->shape[0] == wide)
		return CELL_PLAIN;
	if (bias->rank == 1 && bias->shape[0] == 2 * wide)
		return CELL_CUDNN;
	if (cell->n_gates == 3 && bias->rank == 2 && bias->shape[0] == 2 &&
	    bias->shape[1] == wide)
		return CELL_AFTER;
	return CELL_UNKNOWN;
}

static const char *gru_name(enum cell_kind kind)
{
	return kind == CELL_CUDNN   ? "CuDNNGRU"
	       : kind == CELL_AFTER ? "GRU(reset_after=True)"
				    : "GRU(reset_after=False)";
}

static enum wh_status change_cell(struct legacy *legacy,
				  const struct cell *cell, bool from_cudnn,
				  struct wh_error *err)
{
	struct conversion kernel = {.kind = from_cudnn ? CONVERSION_FROM_CUDNN
						       : CONVERSION_TO_CUDNN,
				    .n_gates = cell->n_gates};
	struct conversion recurrent = {.kind = CONVERSION_TRANSPOSE_GATES,
				       .n_gates = cell->n_gates};
	struct conversion bias = {.kind = from_cudnn ? CONVERSION_ADD_HALVES
						     : CONVERSION_HALVE_TWICE};

	if (cell->n_gates == 3)
		bias.kind = CONVERSION_RESHAPE;
	take_shape(&kernel, wanted(legacy, cell->kernel));
	take_shape(&recurrent, wanted(legacy, cell->recurrent));
	take_shape(&bias, wanted(legacy, cell->bias));
	WH_TRY(convert(legacy, cell->kernel, &kernel, err));
	WH_TRY(convert(legacy, cell->recurrent, &recurrent, err));
	return convert(legacy, cell->bias, &bias, err);
}

static enum wh_status convert_cudnn(struct legacy *legacy, struct cell *cell,
				    struct wh_error *err)
{
	const struct wh_tensor *recurrent = wanted(legacy, cell->recurrent);
	const struct wh_tensor *bias = given(legacy, cell->bias);
	enum cell_kind from, to;

	if (recurrent->rank != 2 || !recurrent->shape[0] ||
	    !shapes_equal(recurrent, given(legacy, cell->recurrent)) ||
	    !shapes_equal(wanted(legacy, cell->kernel),
			  given(legacy, cell->kernel)))
		return WH_OK;
	cell->units = recurrent->shape[0];
	cell->n_gates = recurrent->shape[1] / cell->units;
	if ((cell->n_gates != 3 && cell->n_gates != 4) ||
	    recurrent->shape[1] % cell->units)
		return WH_OK;
	from = kind_of(cell, bias);
	to = kind_of(cell, wanted(legacy, cell->bias));
	if (from == to || to == CELL_UNKNOWN)
		return WH_OK;
	if (from == CELL_UNKNOWN)
		return wh_fail(err, WH_EMISMATCH, "Invalid bias shape: %s",
			       python_shape(legacy->pairing->arena, bias));
	if (cell->n_gates == 3 && (from == CELL_PLAIN || to == CELL_PLAIN))
		return wh_fail(err, WH_EMISMATCH,
			       "%s is not compatible with %s", gru_name(from),
			       gru_name(to));
	return change_cell(legacy, cell, from == CELL_CUDNN, err);
}

/* ---- Gates that Keras 1 kept apart -----------------------------------------
 */

/* Where kernel, recurrent kernel and bias of one cell come from: (W, U, b) for
 * each gate, i, c, f, o of an LSTM, which are i, f, c, o now; z, r, h of a
 * GRU. */
static enum wh_status join_gates(struct legacy *legacy, uint32_t first,
				 uint32_t n_gates, uint32_t kind,
				 const struct wh_tensor *to, uint32_t *tensor,
				 struct wh_error *err)
{
	static const uint32_t lstm[] = {0, 2, 1, 3};
	const struct wh_tensor *tensors = legacy->pairing->from->tensors;
	struct conversion c = {.kind = CONVERSION_JOIN, .n_inputs = n_gates};
	uint32_t i, last;

	for (i = 0; i < n_gates; i++) {
		uint32_t gate = n_gates == 4 ? lstm[i] : i;

		c.inputs[i] =
			legacy->from->weights[first + 3 * gate + kind].tensor;
	}
	c.rank = tensors[c.inputs[0]].rank;
	if (!c.rank || c.rank > CONVERSION_RANK || c.rank != to->rank)
		return wh_fail(err, WH_EMISMATCH,
			       "layer '%s': the gates of Keras 1 don't make "
			       "up one weight",
			       legacy->from->name);
	take_shape(&c, &tensors[c.inputs[0]]);
	last = c.rank - 1;
	c.shape[last] = 0;
	for (i = 0; i < n_gates; i++) {
		const struct wh_tensor *gate = &tensors[c.inputs[i]];

		if (gate->rank != c.rank ||
		    gate->dtype != tensors[c.inputs[0]].dtype ||
		    memcmp(gate->shape, c.shape, last * sizeof(*c.shape)) != 0)
			return wh_fail(err, WH_EMISMATCH,
				       "layer '%s': the gates of Keras 1 don't "
				       "make up one weight",
				       legacy->from->name);
		c.shape[last] += gate->shape[last];
	}
	return converted_add(legacy->pairing->converted, &c, tensor, err);
}

static enum wh_status join_cell(struct legacy *legacy, const struct cell *cell,
				uint32_t first, uint32_t n_gates,
				struct wh_error *err)
{
	uint32_t places[] = {cell->kernel, cell->recurrent, cell->bias}, i;

	for (i = 0; i < 3; i++) {
		struct mapping_weight *at = &legacy->weights[places[i]];

		at->name = legacy->to->weights[places[i]].name;
		WH_TRY(join_gates(legacy, first, n_gates, i,
				  wanted(legacy, places[i]), &at->tensor, err));
	}
	return WH_OK;
}

/* One cell, or the two of a Bidirectional, and nothing else. */
static enum wh_status join_cells(struct legacy *legacy, struct wh_error *err)
{
	uint32_t n_cells = legacy->to->n_weights / 3, n_gates, i, k = 0;
	struct cell cells[2];

	if (n_cells < 1 || n_cells > 2 || legacy->to->n_weights % 3 ||
	    legacy->n % (3 * n_cells))
		return WH_OK;
	n_gates = legacy->n / (3 * n_cells);
	if (n_gates != 3 && n_gates != 4)
		return WH_OK;
	for (i = 0; i < legacy->to->n_weights && k < n_cells; i++)
		if (find_cell(legacy, i, &cells[k]) && cells[k].bias != ABSENT)
			k++;
	if (k < n_cells)
		return WH_OK;
	for (i = 0; i < n_cells; i++)
		WH_TRY(join_cell(legacy, &cells[i], 3 * n_gates * i, n_gates,
				 err));
	legacy->pairing->n_joined += legacy->n - legacy->to->n_weights;
	legacy->n = legacy->to->n_weights;
	return WH_OK;
}

/* ---- A layer ---------------------------------------------------------------
 */

static enum wh_status convert_cells(struct legacy *legacy, struct wh_error *err)
{
	struct cell cell;
	uint32_t i;

	for (i = 0; i < legacy->n; i++) {
		if (!find_cell(legacy, i, &cell))
			continue;
		if (wanted(legacy, i)->rank > 2) {
			WH_TRY(convert_kernel(legacy, cell.kernel, true, err));
			WH_TRY(convert_kernel(legacy, i, true, err));
		} else if (cell.bias != ABSENT) {
			WH_TRY(convert_cudnn(legacy, &cell, err));
		}
	}
	return WH_OK;
}

static enum wh_status convert_kernels(struct legacy *legacy,
				      struct wh_error *err)
{
	size_t scope;
	uint32_t i;

	for (i = 0; i < legacy->n; i++)
		if (has_leaf(legacy->to->weights[i].name, "kernel", &scope) &&
		    wanted(legacy, i)->rank > 2 &&
		    find_beside(legacy->to, i, "recurrent_kernel") == ABSENT)
			WH_TRY(convert_kernel(legacy, i, false, err));
	return WH_OK;
}

enum wh_status legacy_convert(struct pairing *pairing,
			      const struct mapping_layer *from,
			      const struct mapping_layer *to,
			      struct mapping_layer *out, struct wh_error *err)
{
	struct legacy legacy = {.pairing = pairing,
				.from = from,
				.to = to,
				.n = from->n_weights};

	*out = *from;
	if (!pairing->converted || !from->n_weights || !to->n_weights)
		return WH_OK;
	legacy.weights = arena_alloc(pairing->arena, from->n_weights,
				     sizeof(*legacy.weights));
	if (!legacy.weights)
		return wh_fail_memory(err);
	memcpy(legacy.weights, from->weights,
	       from->n_weights * sizeof(*legacy.weights));
	if (pairing->from_keras1 && legacy.n != to->n_weights)
		WH_TRY(join_cells(&legacy, err));
	if (legacy.n == to->n_weights) {
		WH_TRY(convert_cells(&legacy, err));
		WH_TRY(convert_kernels(&legacy, err));
	}
	out->weights = legacy.weights;
	out->n_weights = legacy.n;
	return WH_OK;
}
