#include "canonical.h"

#include <inttypes.h>
#include <string.h>

#include "base/text.h"
#include "tensor.h"

static const char *const kind_words[] = {
	[WH_LAYER] = "layer",
	[WH_LAYER_MODEL] = "model",
	[WH_LAYER_OPTIMIZER] = "optimizer",
	[WH_LAYER_STATE] = "state",
};
static const char *const role_words[] = {
	[WH_ROLE_WEIGHT] = "weight",
	[WH_ROLE_OPTIMIZER] = "optimizer",
	[WH_ROLE_OTHER] = "other",
};
static const char *const trainable_words[] = {
	[WH_TRAINABLE_UNKNOWN] = NULL,
	[WH_TRAINABLE_YES] = "yes",
	[WH_TRAINABLE_NO] = "no",
};

static enum wh_status add_tensor(struct wh_buf *out,
				 const struct wh_tensor *tensor,
				 struct wh_error *err)
{
	const char *dtype = wh_dtype_name(tensor->dtype);
	char hex[2 * WH_SHA256_SIZE + 1], shape[SHAPE_TEXT_SIZE];

	tensor_shape_text(tensor, shape);
	text_hex(tensor->sha256, sizeof(tensor->sha256), hex);
	WH_TRY(wh_buf_append(out, "tensor ", 7, err));
	WH_TRY(wh_buf_append(out, dtype, strlen(dtype), err));
	WH_TRY(wh_buf_append(out, " ", 1, err));
	WH_TRY(wh_buf_append(out, shape, strlen(shape), err));
	WH_TRY(wh_buf_append(out, " ", 1, err));
	return line_field(out, hex, "", err);
}

enum wh_status canonical_layer(struct wh_buf *out,
			       const struct wh_manifest *manifest,
			       const struct wh_layer *layer,
			       struct wh_error *err)
{
	uint32_t i;

	WH_TRY(line_field(out, "weighhouse", "layer 1", err));
	WH_TRY(line_field(out, "name", layer->name, err));
	WH_TRY(line_field(out, "class", layer->class_name, err));
	WH_TRY(line_field(out, "kind", kind_words[layer->kind], err));
	for (i = 0; i < layer->n_variables; i++) {
		const struct wh_variable *at = &layer->variables[i];
		const struct wh_tensor *tensor = &manifest->tensors[at->tensor];

		WH_TRY(line_field(out, "variable", at->name, err));
		WH_TRY(line_field(out, "key", tensor->key, err));
		WH_TRY(line_field(out, "path", at->object_path, err));
		WH_TRY(line_field(out, "keras3", at->keras3_path, err));
		WH_TRY(line_field(out, "role", role_words[at->role], err));
		WH_TRY(line_field(out, "trainable",
				  trainable_words[at->trainable], err));
		WH_TRY(add_tensor(out, tensor, err));
	}
	return WH_OK;
}

enum wh_status canonical_tree(struct wh_buf *out, const uint8_t *graph,
			      const uint8_t *attributes,
			      const struct canonical_place *places, uint32_t n,
			      struct wh_error *err)
{
	char hex[2 * WH_SHA256_SIZE + 1];
	uint32_t i;

	WH_TRY(line_field(out, "weighhouse", "tree 1", err));
	WH_TRY(line_digest(out, "graph", graph, err));
	WH_TRY(line_digest(out, "attributes", attributes, err));
	for (i = 0; i < n; i++) {
		text_hex(places[i].layer, WH_SHA256_SIZE, hex);
		WH_TRY(wh_buf_append(out, "layer ", 6, err));
		WH_TRY(wh_buf_append(out, hex, sizeof(hex) - 1, err));
		if (places[i].container == WH_NO_LAYER)
			WH_TRY(wh_buf_append(out, "\n", 1, err));
		else
			WH_TRY(line_number(out, " in", places[i].container,
					   "\n", err));
	}
	return WH_OK;
}

static enum wh_status add_integer(struct wh_buf *out, const char *word,
				  bool present, int64_t value,
				  struct wh_error *err)
{
	if (!present)
		return WH_OK;
	return wh_buf_printf(out, err, "%s %" PRId64 "\n", word, value);
}

static enum wh_status add_origin(struct wh_buf *out,
				 const struct canonical_snapshot *snapshot,
				 struct wh_error *err)
{
	if (!snapshot->origin_format)
		return WH_OK;
	WH_TRY(wh_buf_printf(out, err, "origin %s", snapshot->origin_format));
	if (snapshot->origin_generator && *snapshot->origin_generator) {
		WH_TRY(wh_buf_append(out, " ", 1, err));
		WH_TRY(line_escape(out, snapshot->origin_generator,
				   strlen(snapshot->origin_generator), err));
	}
	return wh_buf_append(out, "\n", 1, err);
}

/* The message comes last, as it is but for control bytes; line feeds stay:
 * nothing follows that they could be mistaken for. */
static enum wh_status add_message(struct wh_buf *out, const char *message,
				  struct wh_error *err)
{
	const char *stop;

	WH_TRY(wh_buf_append(out, "\n", 1, err));
	for (; *message; message = stop + 1) {
		stop = strchr(message, '\n');
		if (!stop)
			stop = message + strlen(message);
		WH_TRY(line_escape(out, message, (size_t)(stop - message),
				   err));
		WH_TRY(wh_buf_append(out, "\n", 1, err));
		if (!*stop)
			break;
	}
	return WH_OK;
}

enum wh_status canonical_snapshot(struct wh_buf *out,
				  const struct canonical_snapshot *snapshot,
				  struct wh_error *err)
{
	char hex[2 * WH_SHA256_SIZE + 1];

	WH_TRY(line_field(out, "weighhouse", "snapshot 1", err));
	WH_TRY(line_digest(out, "tree", snapshot->tree, err));
	WH_TRY(line_digest(out, "parent", snapshot->parent, err));
	if (snapshot->template_) {
		text_hex(snapshot->template_, WH_SHA256_SIZE, hex);
		WH_TRY(wh_buf_printf(out, err, "template %s %s\n",
				     snapshot->template_format, hex));
	}
	WH_TRY(add_integer(out, "time", true, snapshot->time, err));
	WH_TRY(line_field(out, "run", snapshot->run_uuid, err));
	WH_TRY(add_integer(out, "step", snapshot->has_step, snapshot->step,
			   err));
	WH_TRY(add_integer(out, "epoch", snapshot->has_epoch, snapshot->epoch,
			   err));
	WH_TRY(add_origin(out, snapshot, err));
	return add_message(out, snapshot->message, err);
}
