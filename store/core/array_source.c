/* A trainer's arrays as a source: nothing is copied but names and shapes. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "base/array.h"
#include "base/auto.h"
#include "base/checked.h"
#include "base/endian.h"
#include "base/reader.h"
#include "core/host_array.h"
#include "core/manifest.h"
#include "core/name_map.h"

struct array { /* of one tensor */
	const uint8_t *data;
	const int64_t *strides; /* NULL: packed */
	int (*read)(void *arg, uint64_t offset, void *buf, size_t len);
	void *arg;
};

struct array_source {
	struct wh_source base; /* first: they are cast into each other */
	struct arena arena;
	struct array *arrays;
	void (*release)(void *arg); /* or NULL */
	void *release_arg;
	struct file_reader file; /* that arrays lie in; fd -1: there is none */
	const uint8_t *mapped;	 /* all of it */
};

struct wh_builder {
	struct array_source *source;
	struct manifest_builder *manifest;
	struct name_map layer_names;
	uint32_t layer, model_layer, optimizer_layer;
	const char *layer_name; /* of `layer`, in the arena */
	uint32_t n_arrays;
	size_t capacity;
	const char *origin, *generator; /* in the arena; or NULL */
};

static void close_source(struct wh_source *base)
{
	struct array_source *source = (struct array_source *)base;

	if (source->release)
		source->release(source->release_arg);
	if (source->mapped)
		munmap((void *)(uintptr_t)source->mapped,
		       (size_t)source->file.size);
	reader_close(&source->file);
	arena_free(&source->arena);
	free(source->arrays);
	free(source);
}

/* Gathers elements one by one; whole rows at once where they lie packed. */
static void gather(const struct wh_tensor *tensor, const struct array *array,
		   uint64_t first, uint64_t n, uint8_t *out)
{
	size_t size = wh_dtype_size(tensor->dtype);
	uint64_t row = tensor->rank ? tensor->shape[tensor->rank - 1] : 1;
	bool packed = tensor->rank &&
		      array->strides[tensor->rank - 1] == (int64_t)size;

	while (n) {
		uint64_t run = packed ? row - first % row : 1;
		const uint8_t *at = array->data +
				    host_offset(tensor, array->strides, first);

		if (run > n)
			run = n;
		memcpy(out, at, (size_t)run * size);
		out += run * size;
		first += run;
		n -= run;
	}
}

/* Any byte range of an array that is strided, or whose elements of `width`
 * bytes are in another order: whole ones around it are gathered in small
 * batches. */
static void read_elements(const struct wh_tensor *tensor,
			  const struct array *array, unsigned width,
			  uint64_t offset, uint8_t *out, size_t len)
{
	size_t size = wh_dtype_size(tensor->dtype);
	uint8_t batch[4096];
	uint64_t room = sizeof(batch) / size;

	while (len) {
		uint64_t first = offset / size, skip = offset % size;
		uint64_t n = (skip + len + size - 1) / size;
		size_t some;

		if (n > room)
			n = room;
		some = (size_t)(n * size - skip);
		if (some > len)
			some = len;
		if (array->strides)
			gather(tensor, array, first, n, batch);
		else
			memcpy(batch, array->data + offset - skip,
			       (size_t)n * size);
		swap_elements(batch, (size_t)n * size, width);
		memcpy(out, batch + skip, some);
		out += some;
		offset += some;
		len -= some;
	}
}

static bool lies_in_file(const struct array_source *source, const uint8_t *data)
{
	return source->mapped && data >= source->mapped &&
	       data < source->mapped + source->file.size;
}

static enum wh_status read_array(struct wh_source *base, uint32_t index,
				 uint64_t offset, void *buf, size_t len,
				 struct wh_error *err)
{
	struct array_source *source = (struct array_source *)base;
	const struct wh_tensor *tensor = &base->manifest.tensors[index];
	const struct array *array = &source->arrays[index];
	bool in_file = lies_in_file(source, array->data);
	unsigned width = in_file ? 1 : host_swap_width(tensor->dtype);

	if (array->read) {
		if (array->read(array->arg, offset, buf, len))
			return wh_fail(err, WH_EIO,
				       "tensor '%s': its read callback failed",
				       tensor->key);
		return WH_OK;
	}
	if (len == 0)
		return WH_OK;
	if (array->strides || width > 1)
		read_elements(tensor, array, width, offset, buf, len);
	else if (in_file)
		/* A file that has become shorter is told so; the mapping would
		 * end the process. */
		return reader_read(&source->file,
				   (uint64_t)(array->data - source->mapped) +
					   offset,
				   buf, len, err);
	else
		memcpy(buf, array->data + offset, len);
	return WH_OK;
}

static enum wh_status check_unchanged(struct wh_source *base,
				      struct wh_error *err)
{
	const struct array_source *source = (struct array_source *)base;

	return reader_unchanged(&source->file, err);
}

/* Callbacks may not be safe from several threads; memory is. */
static const struct wh_source_ops memory_ops = {
	.read = read_array,
	.close = close_source,
	.concurrent = true,
	.scattered = true,
};
static const struct wh_source_ops callback_ops = {
	.read = read_array,
	.close = close_source,
	.concurrent = false,
};
/* A file's time tells whether it was written; memory has none, and is read
 * again. */
static const struct wh_source_ops mapped_ops = {
	.read = read_array,
	.unchanged = check_unchanged,
	.close = close_source,
	.concurrent = true,
	.scattered = true,
};

void wh_builder_free(struct wh_builder *builder)
{
	if (!builder)
		return;
	manifest_builder_free(builder->manifest);
	name_map_free(&builder->layer_names);
	if (builder->source)
		close_source(&builder->source->base);
	free(builder);
}

WH_DEFINE_AUTO(wh_builder, wh_builder_free);

enum wh_status wh_builder_new(struct wh_builder **out, struct wh_error *err)
{
	wh_auto(wh_builder) builder = calloc(1, sizeof(*builder));

	if (!builder)
		return wh_fail_memory(err);
	builder->layer = builder->model_layer = WH_NO_LAYER;
	builder->optimizer_layer = WH_NO_LAYER;
	builder->source = calloc(1, sizeof(*builder->source));
	if (!builder->source)
		return wh_fail_memory(err);
	builder->source->base.ops = &memory_ops;
	builder->source->file.fd = -1;
	WH_TRY(manifest_builder_new(&builder->source->arena, &builder->manifest,
				    err));
	*out = wh_steal(&builder);
	return WH_OK;
}

enum wh_status wh_builder_layer(struct wh_builder *builder, const char *name,
				const char *class_name, struct wh_error *err)
{
	char *copy = arena_strdup(&builder->source->arena, name);
	uint32_t layer;
	bool added;

	if (!copy)
		return wh_fail_memory(err);
	WH_TRY(name_map_add(&builder->layer_names, copy, 0, &added, err));
	if (!added)
		return wh_fail(err, WH_EEXISTS, "there is a layer '%s' already",
			       name);
	WH_TRY(manifest_add_layer(builder->manifest, name, class_name, WH_LAYER,
				  WH_NO_LAYER, &layer, err));
	builder->layer = layer;
	builder->layer_name = copy;
	return WH_OK;
}

static enum wh_status check_array(const struct wh_array *array,
				  uint64_t *nbytes, struct wh_error *err)
{
	size_t size = wh_dtype_size(array->dtype);
	uint64_t n_elements;

	if (!array->name || !*array->name)
		return wh_fail(err, WH_EINVAL, "an array without a name");
	if (size == 0)
		return wh_fail(err, WH_EINVAL,
			       "array '%s': a %s can't be given as memory",
			       array->name,
			       wh_dtype_name(array->dtype)
				       ? wh_dtype_name(array->dtype)
				       : "dtype that there isn't");
	if (array->rank > WH_MAX_RANK ||
	    !checked_shape(array->shape, array->rank, &n_elements) ||
	    !checked_mul(n_elements, size, nbytes) || *nbytes > WH_MAX_NBYTES)
		return wh_fail(err, WH_EINVAL, "array '%s': shape is too large",
			       array->name);
	if (*nbytes && !array->data && !array->read)
		return wh_fail(err, WH_EINVAL,
			       "array '%s' has neither data nor a callback",
			       array->name);
	return WH_OK;
}

static enum wh_status keep_array(struct wh_builder *builder,
				 const struct wh_array *array,
				 struct wh_error *err)
{
	struct array_source *source = builder->source;
	struct array kept = {.data = array->data,
			     .read = array->data ? NULL : array->read,
			     .arg = array->arg};
	int64_t *strides;

	if (array->strides && array->data) {
		strides = arena_alloc(&source->arena, array->rank,
				      sizeof(*strides));
		if (!strides)
			return wh_fail_memory(err);
		if (array->rank)
			memcpy(strides, array->strides,
			       array->rank * sizeof(*strides));
		kept.strides = strides;
	}
	WH_TRY(array_grow(&source->arrays, builder->n_arrays,
			  &builder->capacity, sizeof(*source->arrays), err));
	source->arrays[builder->n_arrays++] = kept;
	if (kept.read)
		source->base.ops = &callback_ops;
	return WH_OK;
}

static enum wh_status add_array(struct wh_builder *builder, uint32_t layer,
				const char *layer_name, enum wh_role role,
				const struct wh_array *array,
				struct wh_error *err)
{
	struct wh_variable variable = {.name = array->name, .role = role};
	uint64_t nbytes = 0;
	char *key;

	WH_TRY(check_array(array, &nbytes, err));
	key = arena_printf(&builder->source->arena, "%s%s%s", layer_name,
			   *layer_name ? "/" : "", array->name);
	if (!key)
		return wh_fail_memory(err);
	WH_TRY(manifest_add_tensor(builder->manifest, key, array->dtype,
				   array->rank, array->shape, nbytes,
				   &variable.tensor, err));
	variable.object_path = role == WH_ROLE_WEIGHT ? array->name : NULL;
	variable.trainable = array->trainable;
	WH_TRY(manifest_add_variable(builder->manifest, layer, &variable, err));
	return keep_array(builder, array, err);
}

/* The pseudo-layer at `*layer`, made at its first use. */
static enum wh_status ensure_layer(struct wh_builder *builder, uint32_t *layer,
				   const char *name, enum wh_layer_kind kind,
				   struct wh_error *err)
{
	if (*layer != WH_NO_LAYER)
		return WH_OK;
	return manifest_add_layer(builder->manifest, name, NULL, kind,
				  WH_NO_LAYER, layer, err);
}

enum wh_status wh_builder_weight(struct wh_builder *builder,
				 const struct wh_array *array,
				 struct wh_error *err)
{
	if (builder->layer == WH_NO_LAYER) {
		WH_TRY(ensure_layer(builder, &builder->model_layer, "",
				    WH_LAYER_MODEL, err));
		return add_array(builder, builder->model_layer, "",
				 WH_ROLE_WEIGHT, array, err);
	}
	return add_array(builder, builder->layer, builder->layer_name,
			 WH_ROLE_WEIGHT, array, err);
}

enum wh_status wh_builder_optimizer(struct wh_builder *builder,
				    const struct wh_array *array,
				    struct wh_error *err)
{
	WH_TRY(ensure_layer(builder, &builder->optimizer_layer, "optimizer",
			    WH_LAYER_OPTIMIZER, err));
	return add_array(builder, builder->optimizer_layer, "optimizer",
			 WH_ROLE_OPTIMIZER, array, err);
}

enum wh_status wh_builder_attribute(struct wh_builder *builder,
				    const struct wh_attribute *attribute,
				    struct wh_error *err)
{
	return manifest_add_attribute(builder->manifest, attribute, err);
}

enum wh_status wh_builder_origin(struct wh_builder *builder, const char *format,
				 const char *generator, struct wh_error *err)
{
	struct arena *arena = &builder->source->arena;

	builder->origin = arena_strdup(arena, format);
	builder->generator = generator ? arena_strdup(arena, generator) : NULL;
	if (!builder->origin || (generator && !builder->generator))
		return wh_fail_memory(err);
	return WH_OK;
}

void wh_builder_release(struct wh_builder *builder, void (*release)(void *arg),
			void *arg)
{
	builder->source->release = release;
	builder->source->release_arg = arg;
}

enum wh_status wh_builder_map(struct wh_builder *builder, const char *path,
			      const uint8_t **bytes, uint64_t *size,
			      struct wh_error *err)
{
	struct array_source *source = builder->source;
	struct file_reader *file = &source->file;
	void *mapped;

	if (file->fd >= 0)
		return wh_fail(err, WH_EINVAL, "a builder maps one file");
	WH_TRY(reader_open(file, path, err));
	if (file->size == 0)
		return wh_fail(err, WH_ECORRUPT, "'%s' is empty", path);
	if (file->size >= SIZE_MAX)
		return wh_fail(err, WH_EUNSUPPORTED,
			       "'%s' is larger than a process of 32 bits",
			       path);
	mapped = mmap(NULL, (size_t)file->size, PROT_READ, MAP_PRIVATE,
		      file->fd, 0);
	if (mapped == MAP_FAILED)
		return wh_fail_errno(err, errno, "can't map '%s'", path);
	source->mapped = mapped;
	if (source->base.ops == &memory_ops)
		source->base.ops = &mapped_ops;
	*bytes = mapped;
	*size = file->size;
	return WH_OK;
}

enum wh_status wh_builder_finish(struct wh_builder *given,
				 struct wh_source **out, struct wh_error *err)
{
	wh_auto(wh_builder) builder = given;
	struct wh_manifest *manifest = &builder->source->base.manifest;

	WH_TRY(manifest_finish(builder->manifest, manifest, err));
	manifest->origin_format = builder->origin ? builder->origin : "memory";
	manifest->origin_generator = builder->generator;
	*out = &builder->source->base;
	builder->source = NULL;
	return WH_OK;
}
