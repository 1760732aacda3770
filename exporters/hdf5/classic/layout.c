#include "hdf5/classic/layout.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/array.h"
#include "base/auto.h"
#include "hdf5/attribute_write.h"
#include "hdf5/classic/new_group.h"

#define MAX_INNER                                                              \
	1024u /* groups in a layer's: they are searched one by one             \
	       */

/* What a layer of one weight takes besides it, about: room that is there from
 * the beginning isn't moved as it fills. */
#define LAYER_BYTES 1024u

/* A layer's group, and those in it by the path that led to them. */
struct inner {
	const char *path; /* `len` bytes of a weight's name */
	size_t len;
	struct classic_new_group *group;
};

struct layer_layout {
	const struct layout_model *model;
	struct classic_writer *writer;
	uint64_t *offset_of;
	struct inner *inner; /* the first is the layer's own group */
	uint32_t n;
	size_t room;
};

/* ---- Lists -------------------------------------------------------------- */

static bool put_split(struct classic_writer *writer,
		      struct classic_new_group *group, const char *name,
		      const char *const *names, uint32_t n, uint32_t parts,
		      size_t longest)
{
	uint32_t k, rows, at = 0;
	char part[64];

	for (k = 0; k < parts; k++) {
		rows = n / parts + (k < n % parts);
		snprintf(part, sizeof(part), "%s%u", name, k);
		if (!classic_put_rows(writer, group, part, names + at, rows,
				      longest))
			return false;
		at += rows;
	}
	return true;
}

/* As h5_names_write. */
static bool put_list(struct classic_writer *writer,
		     struct classic_new_group *group, const char *name,
		     const char *const *names, uint32_t n)
{
	size_t longest = 1;
	uint32_t i, parts;

	for (i = 0; i < n; i++) {
		size_t len = strlen(names[i]);

		if (len == 0 || len > H5_ATTRIBUTE_LIMIT)
			return false;
		longest = len > longest ? len : longest;
	}
	if (n == 0)
		return classic_put_nothing(writer, group, name);
	parts = h5_names_parts(name, n, longest);
	if (parts == 1)
		return classic_put_names(writer, group, name, names, n);
	return put_split(writer, group, name, names, n, parts, longest);
}

static bool put_root(const struct layout_model *model,
		     struct classic_writer *writer,
		     struct classic_new_group *root)
{
	wh_free_auto const char **names =
		calloc(model->n_layers + 1, sizeof(*names));
	uint32_t i;

	if (!names)
		return false;
	for (i = 0; i < model->n_layers; i++)
		names[i] = model->layers[i].name;
	return put_list(writer, root, "layer_names", names, model->n_layers) &&
	       (!model->backend ||
		classic_put_text(writer, root, "backend", model->backend)) &&
	       (!model->keras_version ||
		classic_put_text(writer, root, "keras_version",
				 model->keras_version));
}

static bool put_weight_names(struct classic_writer *writer,
			     struct classic_new_group *group,
			     const struct mapping_layer *layer)
{
	wh_free_auto const char **names =
		calloc(layer->n_weights + 1, sizeof(*names));
	uint32_t i;

	if (!names)
		return false;
	for (i = 0; i < layer->n_weights; i++)
		names[i] = layer->weights[i].name;
	return put_list(writer, group, "weight_names", names, layer->n_weights);
}

/* ---- Layers ------------------------------------------------------------- */

static bool add_inner(struct layer_layout *layout, const char *path, size_t len,
		      struct classic_new_group *group)
{
	if (layout->n >= MAX_INNER ||
	    array_grow(&layout->inner, layout->n, &layout->room,
		       sizeof(*layout->inner), NULL)) {
		classic_group_drop(group);
		return false;
	}
	layout->inner[layout->n++] = (struct inner){path, len, group};
	return true;
}

/* The group of the first `len` bytes of a path; those made last first. */
static struct classic_new_group *find_inner(const struct layer_layout *layout,
					    const char *path, size_t len)
{
	uint32_t i;

	for (i = layout->n; i-- > 0;)
		if (layout->inner[i].len == len &&
		    memcmp(layout->inner[i].path, path, len) == 0)
			return layout->inner[i].group;
	return NULL;
}

/* The group that a weight goes into; all on the way are made. */
static struct classic_new_group *enter(struct layer_layout *layout,
				       const char *path, const char **last)
{
	struct classic_new_group *group = layout->inner[0].group, *next;
	const char *name = path, *slash;
	wh_free_auto char *copy = strdup(path);

	for (; copy && (slash = strchr(name, '/')); name = slash + 1) {
		size_t len = (size_t)(slash - path);

		next = find_inner(layout, path, len);
		copy[len] = '\0';
		if (!next &&
		    (!classic_group_make(layout->writer, group,
					 copy + (name - path), &next) ||
		     !add_inner(layout, path, len, next)))
			return NULL;
		group = next;
	}
	*last = name;
	return copy ? group : NULL;
}

static bool put_weight(struct layer_layout *layout,
		       const struct mapping_weight *weight)
{
	const char *last = NULL;
	struct classic_new_group *group = enter(layout, weight->name, &last);

	return group &&
	       classic_dataset_make(
		       layout->writer, group, last,
		       &layout->model->manifest->tensors[weight->tensor],
		       &layout->offset_of[weight->tensor]);
}

static bool finish_inner(struct layer_layout *layout, bool done)
{
	uint32_t i;

	for (i = 0; i < layout->n; i++) {
		struct classic_new_group *group = layout->inner[i].group;

		if (done)
			done = classic_group_finish(layout->writer, group);
		else
			classic_group_drop(group);
	}
	layout->n = 0;
	return done;
}

static bool is_ascii_component(const char *name)
{
	const char *at;

	for (at = name; *at; at++)
		if ((*at & 0x80) || *at == '/')
			return false;
	return at > name;
}

static bool put_layer(struct layer_layout *layout,
		      struct classic_new_group *root, const char *name,
		      const struct mapping_layer *layer)
{
	struct classic_new_group *group;
	bool done;
	uint32_t i;

	if (!is_ascii_component(name) ||
	    !classic_group_make(layout->writer, root, name, &group) ||
	    !add_inner(layout, "", 0, group))
		return false;
	done = put_weight_names(layout->writer, group, layer);
	for (i = 0; done && i < layer->n_weights; i++)
		done = put_weight(layout, &layer->weights[i]);
	return finish_inner(layout, done);
}

/* By code point, as layout.c. */
static int compare_layers(const void *a, const void *b)
{
	const struct mapping_layer *const *left = a, *const *right = b;

	return strcmp((*left)->name, (*right)->name);
}

static bool put_layers(struct layer_layout *layout,
		       struct classic_new_group *root)
{
	static const struct mapping_layer no_weights = {0};
	const struct layout_model *model = layout->model;
	wh_free_auto const struct mapping_layer **layers =
		calloc(model->n_layers + 1, sizeof(*layers));
	uint32_t i;

	if (!layers)
		return false;
	for (i = 0; i < model->n_layers; i++)
		layers[i] = &model->layers[i];
	qsort(layers, model->n_layers, sizeof(*layers), compare_layers);
	for (i = 0; i < model->n_layers; i++)
		if (!put_layer(layout, root, layers[i]->name, layers[i]))
			return false;
	return put_layer(layout, root, H5_TOP_LEVEL,
			 model->top ? model->top : &no_weights);
}

bool classic_layout(const struct layout_model *model,
		    struct classic_writer *writer, uint64_t *offset_of)
{
	struct layer_layout layout = {
		.model = model, .writer = writer, .offset_of = offset_of};
	struct classic_new_group *root = NULL;
	bool done =
		classic_writer_open(writer, &root) &&
		!wh_buf_reserve(&writer->bytes,
				(size_t)model->n_layers * LAYER_BYTES, NULL) &&
		put_root(model, writer, root) && put_layers(&layout, root);

	free(layout.inner);
	if (done)
		return classic_writer_finish(writer, root);
	classic_group_drop(root);
	return false;
}
