/* support/same_manifest.h: whether two manifests say the same. */
#ifndef WH_TESTS_SAME_MANIFEST_H
#define WH_TESTS_SAME_MANIFEST_H

#include <stdbool.h>
#include <string.h>

#include <weighhouse/source.h>

static inline bool same_text(const char *a, const char *b)
{
	return a && b ? strcmp(a, b) == 0 : a == b;
}

static inline bool same_tensor(const struct wh_tensor *a,
			       const struct wh_tensor *b)
{
	return same_text(a->key, b->key) && a->dtype == b->dtype &&
	       a->rank == b->rank && a->nbytes == b->nbytes &&
	       (a->rank == 0 ||
		memcmp(a->shape, b->shape, a->rank * sizeof(*a->shape)) == 0);
}

static inline bool same_variable(const struct wh_variable *a,
				 const struct wh_variable *b)
{
	return same_text(a->name, b->name) &&
	       same_text(a->object_path, b->object_path) &&
	       same_text(a->keras3_path, b->keras3_path) &&
	       a->role == b->role && a->trainable == b->trainable &&
	       a->tensor == b->tensor;
}

static inline bool same_layer(const struct wh_layer *a,
			      const struct wh_layer *b)
{
	uint32_t i;

	if (!same_text(a->name, b->name) ||
	    !same_text(a->class_name, b->class_name) || a->kind != b->kind ||
	    a->container != b->container || a->n_variables != b->n_variables)
		return false;
	for (i = 0; i < a->n_variables; i++)
		if (!same_variable(&a->variables[i], &b->variables[i]))
			return false;
	return true;
}

static inline bool same_attribute(const struct wh_attribute *a,
				  const struct wh_attribute *b)
{
	return same_text(a->path, b->path) && same_text(a->key, b->key) &&
	       a->kind == b->kind && a->size == b->size &&
	       a->integer == b->integer && !a->text == !b->text &&
	       (!a->text || memcmp(a->text, b->text, a->size) == 0);
}

static inline bool same_extent(const struct wh_extent *a,
			       const struct wh_extent *b)
{
	return a->offset == b->offset && a->length == b->length &&
	       a->tensor == b->tensor && a->start == b->start &&
	       a->run == b->run && a->stride == b->stride && a->swap == b->swap;
}

static inline bool same_template(const struct wh_template *a,
				 const struct wh_template *b)
{
	uint32_t i, k;

	if (!a || !b)
		return a == b;
	if (!same_text(a->format, b->format) || a->n_files != b->n_files ||
	    a->skeleton != b->skeleton)
		return false;
	for (i = 0; i < a->n_files; i++) {
		const struct wh_template_file *x = &a->files[i];
		const struct wh_template_file *y = &b->files[i];

		if (!same_text(x->suffix, y->suffix) || x->size != y->size ||
		    x->n_extents != y->n_extents)
			return false;
		for (k = 0; k < x->n_extents; k++)
			if (!same_extent(&x->extents[k], &y->extents[k]))
				return false;
	}
	return true;
}

static inline bool same_lists(const struct wh_manifest *a,
			      const struct wh_manifest *b)
{
	uint32_t i;

	for (i = 0; i < a->n_tensors + a->n_hidden; i++)
		if (!same_tensor(&a->tensors[i], &b->tensors[i]))
			return false;
	for (i = 0; i < a->n_layers; i++)
		if (!same_layer(&a->layers[i], &b->layers[i]))
			return false;
	for (i = 0; i < a->n_attributes; i++)
		if (!same_attribute(&a->attributes[i], &b->attributes[i]))
			return false;
	for (i = 0; i < a->n_warnings; i++)
		if (!same_text(a->warnings[i], b->warnings[i]))
			return false;
	return true;
}

/** All but the graph. */
static inline bool same_manifest(const struct wh_manifest *a,
				 const struct wh_manifest *b)
{
	return a->n_tensors == b->n_tensors && a->n_hidden == b->n_hidden &&
	       a->n_layers == b->n_layers &&
	       a->n_attributes == b->n_attributes &&
	       a->n_warnings == b->n_warnings &&
	       same_text(a->origin_format, b->origin_format) &&
	       same_text(a->origin_generator, b->origin_generator) &&
	       same_template(a->template_, b->template_) && same_lists(a, b);
}

#endif
