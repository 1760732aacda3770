/* Numbers are little-endian; a text is uint32 length (ABSENT: NULL) and its
 * bytes.
 *
 *	tensors		u32 n | key, u32 dtype, u32 rank, u64 dims, u64 nbytes
 *	layers		u32 n | name, class, u32 kind, u32 container,
 *			u32 n | name, object path, keras3 path, u32 role,
 *				u32 trainable, u32 tensor
 *	attributes	u32 n | path, key, u32 kind, text, u64 integer
 *	warnings	u32 n | text
 *	origin		format, generator
 *	template	format (ABSENT: none), u64 bytes of its skeleton
 *(NO_BYTES: none), u32 n | suffix, u64 size, u32 n | u64 offset, length, start,
 *u32 tensor, u32 swap
 */
#include "apart/wire.h"

#include <stdlib.h>
#include <string.h>

#include "base/auto.h"
#include "base/endian.h"
#include "core/manifest.h"

#define ABSENT	 UINT32_MAX
#define NO_BYTES UINT64_MAX

/* ---- Writing ---------------------------------------------------------------
 */

struct encoder {
	struct wh_buf *bytes;
	enum wh_status status; /* of what was put so far */
	struct wh_error *err;
};

static void put(struct encoder *to, const void *bytes, size_t n)
{
	if (!to->status)
		to->status = wh_buf_append(to->bytes, bytes, n, to->err);
}

static void put32(struct encoder *to, uint32_t value)
{
	uint8_t bytes[4];

	put_le32(bytes, value);
	put(to, bytes, sizeof(bytes));
}

static void put64(struct encoder *to, uint64_t value)
{
	uint8_t bytes[8];

	put_le64(bytes, value);
	put(to, bytes, sizeof(bytes));
}

static void put_bytes(struct encoder *to, const char *text, uint64_t size)
{
	if (text && size >= ABSENT)
		to->status =
			wh_fail(to->err, WH_EUNSUPPORTED, "a text of 4 GiB");
	put32(to, text ? (uint32_t)size : ABSENT);
	put(to, text, text ? (size_t)size : 0);
}

static void put_text(struct encoder *to, const char *text)
{
	put_bytes(to, text, text ? strlen(text) : 0);
}

static void put_tensor(struct encoder *to, const struct wh_tensor *tensor)
{
	uint32_t i;

	put_text(to, tensor->key);
	put32(to, tensor->dtype);
	put32(to, tensor->rank);
	for (i = 0; i < tensor->rank; i++)
		put64(to, tensor->shape[i]);
	put64(to, tensor->nbytes);
}

static void put_layer(struct encoder *to, const struct wh_layer *layer)
{
	uint32_t i;

	put_text(to, layer->name);
	put_text(to, layer->class_name);
	put32(to, layer->kind);
	put32(to, layer->container);
	put32(to, layer->n_variables);
	for (i = 0; i < layer->n_variables; i++) {
		const struct wh_variable *variable = &layer->variables[i];

		put_text(to, variable->name);
		put_text(to, variable->object_path);
		put_text(to, variable->keras3_path);
		put32(to, variable->role);
		put32(to, variable->trainable);
		put32(to, variable->tensor);
	}
}

static void put_attribute(struct encoder *to, const struct wh_attribute *from)
{
	put_text(to, from->path);
	put_text(to, from->key);
	put32(to, from->kind);
	put_bytes(to, from->text, from->size);
	put64(to, (uint64_t)from->integer);
}

static void put_file(struct encoder *to, const struct wh_template_file *file)
{
	uint32_t i;

	put_text(to, file->suffix);
	put64(to, file->size);
	put32(to, file->n_extents);
	for (i = 0; i < file->n_extents; i++) {
		const struct wh_extent *extent = &file->extents[i];

		put64(to, extent->offset);
		put64(to, extent->length);
		put64(to, extent->start);
		put32(to, extent->tensor);
		put32(to, extent->swap);
	}
}

static void put_template(struct encoder *to, const struct wh_manifest *manifest)
{
	const struct wh_template *template_ = manifest->template_;
	uint32_t i;

	put_text(to, template_ ? template_->format : NULL);
	if (!template_)
		return;
	put64(to, manifest->n_hidden
			  ? manifest->tensors[manifest->n_tensors].nbytes
			  : NO_BYTES);
	put32(to, template_->n_files);
	for (i = 0; i < template_->n_files; i++)
		put_file(to, &template_->files[i]);
}

enum wh_status wire_encode(const struct wh_manifest *manifest,
			   struct wh_buf *bytes, struct wh_error *err)
{
	struct encoder to = {.bytes = bytes, .err = err};
	uint32_t i;

	if (manifest->graph)
		return wh_fail(err, WH_EUNSUPPORTED,
			       "a graph can't be read in a process apart");
	put32(&to, manifest->n_tensors);
	for (i = 0; i < manifest->n_tensors; i++)
		put_tensor(&to, &manifest->tensors[i]);
	put32(&to, manifest->n_layers);
	for (i = 0; i < manifest->n_layers; i++)
		put_layer(&to, &manifest->layers[i]);
	put32(&to, manifest->n_attributes);
	for (i = 0; i < manifest->n_attributes; i++)
		put_attribute(&to, &manifest->attributes[i]);
	put32(&to, manifest->n_warnings);
	for (i = 0; i < manifest->n_warnings; i++)
		put_text(&to, manifest->warnings[i]);
	put_text(&to, manifest->origin_format);
	put_text(&to, manifest->origin_generator);
	put_template(&to, manifest);
	return to.status;
}

/* ---- Reading ---------------------------------------------------------------
 */

struct decoder {
	const uint8_t *at, *end;
	uint32_t n_tensors, n_layers; /* so far */
	bool bad; /* it ended too early, or says what can't be */
	struct arena *arena;
	struct manifest_builder *builder;
};

static enum wh_status refuse(struct wh_error *err)
{
	return wh_fail(err, WH_ECORRUPT,
		       "the process that reads the file sends nonsense");
}

static const uint8_t *take(struct decoder *from, uint64_t n)
{
	const uint8_t *at = from->at;

	if (from->bad || (uint64_t)(from->end - at) < n) {
		from->bad = true;
		return NULL;
	}
	from->at += n;
	return at;
}

static uint32_t take32(struct decoder *from)
{
	const uint8_t *at = take(from, 4);

	return at ? get_le32(at) : 0;
}

/* A number that is at most `max`. */
static uint32_t take_up_to(struct decoder *from, uint32_t max)
{
	uint32_t value = take32(from);

	if (value > max)
		from->bad = true;
	return from->bad ? 0 : value;
}

static uint64_t take64(struct decoder *from)
{
	const uint8_t *at = take(from, 8);

	return at ? get_le64(at) : 0;
}

/* Bytes with a NUL behind them; NULL where they are absent. */
static char *take_bytes(struct decoder *from, uint64_t *size)
{
	uint32_t n = take32(from);
	const uint8_t *at = n == ABSENT ? NULL : take(from, n);
	char *copy = at ? arena_bytes(from->arena, at, n) : NULL;

	*size = copy ? n : 0;
	if (at && !copy)
		from->bad = true;
	return copy;
}

static char *take_text(struct decoder *from)
{
	uint64_t size;
	char *text = take_bytes(from, &size);

	if (text && strlen(text) != size)
		from->bad = true;
	return text;
}

static char *take_name(struct decoder *from)
{
	char *text = take_text(from);

	if (!text)
		from->bad = true;
	return text;
}

static enum wh_status take_tensor(struct decoder *from, struct wh_error *err)
{
	uint64_t shape[WH_MAX_RANK] = {0}, nbytes;
	const char *key = take_name(from);
	uint32_t dtype = take_up_to(from, WH_FLOAT4_E2M1FN), i;
	uint32_t rank = take_up_to(from, WH_MAX_RANK);

	for (i = 0; i < rank; i++)
		shape[i] = take64(from);
	nbytes = take64(from);
	if (from->bad || !wh_dtype_size((enum wh_dtype)dtype))
		return refuse(err);
	from->n_tensors++;
	return manifest_add_tensor(from->builder, key, (enum wh_dtype)dtype,
				   rank, shape, nbytes, NULL, err);
}

static enum wh_status take_variable(struct decoder *from, uint32_t layer,
				    struct wh_error *err)
{
	struct wh_variable variable = {0};

	variable.name = take_name(from);
	variable.object_path = take_text(from);
	variable.keras3_path = take_text(from);
	variable.role = (enum wh_role)take_up_to(from, WH_ROLE_OTHER);
	variable.trainable =
		(enum wh_trainable)take_up_to(from, WH_TRAINABLE_NO);
	variable.tensor = take32(from);
	if (from->bad || variable.tensor >= from->n_tensors)
		return refuse(err);
	return manifest_add_variable(from->builder, layer, &variable, err);
}

static enum wh_status take_layer(struct decoder *from, struct wh_error *err)
{
	const char *name = take_name(from);
	const char *class_name = take_text(from);
	uint32_t kind = take_up_to(from, WH_LAYER_STATE);
	uint32_t container = take32(from);
	uint32_t n = take32(from), i, layer;

	if (from->bad ||
	    (container != WH_NO_LAYER && container >= from->n_layers))
		return refuse(err);
	from->n_layers++;
	WH_TRY(manifest_add_layer(from->builder, name, class_name,
				  (enum wh_layer_kind)kind, container, &layer,
				  err));
	for (i = 0; i < n; i++)
		WH_TRY(take_variable(from, layer, err));
	return WH_OK;
}

static enum wh_status take_attribute(struct decoder *from, struct wh_error *err)
{
	struct wh_attribute attribute = {0};

	attribute.path = take_name(from);
	attribute.key = take_name(from);
	attribute.kind = (enum wh_value_kind)take_up_to(from, WH_VALUE_BYTES);
	attribute.text = take_bytes(from, &attribute.size);
	attribute.integer = (int64_t)take64(from);
	if (from->bad ||
	    !attribute.text != (attribute.kind == WH_VALUE_INTEGER))
		return refuse(err);
	return manifest_add_attribute(from->builder, &attribute, err);
}

static enum wh_status take_warning(struct decoder *from, struct wh_error *err)
{
	const char *sentence = take_name(from);

	if (!sentence || from->bad)
		return refuse(err);
	return manifest_warn(from->builder, err, "%s", sentence);
}

typedef enum wh_status take_fn(struct decoder *from, struct wh_error *err);

static enum wh_status take_all(struct decoder *from, take_fn *one,
			       struct wh_error *err)
{
	uint32_t i, n = take32(from);

	for (i = 0; i < n; i++)
		WH_TRY(one(from, err));
	return from->bad ? refuse(err) : WH_OK;
}

/* ---- The template: sorted, gapless, of tensors that there are --------------
 */

#define EXTENT_SIZE 32u
#define FILE_SIZE   16u /* at least */

static void take_extents(struct decoder *from, struct wh_template_file *file)
{
	uint32_t i, n = take32(from);
	uint64_t end = 0;

	if (n > (size_t)(from->end - from->at) / EXTENT_SIZE) {
		from->bad = true;
		return;
	}
	file->extents = arena_alloc(from->arena, n, sizeof(*file->extents));
	for (i = 0; i < n && file->extents; i++) {
		struct wh_extent *extent = &file->extents[i];

		extent->offset = take64(from);
		extent->length = take64(from);
		extent->start = take64(from);
		extent->tensor = take32(from);
		extent->swap = (uint8_t)take_up_to(from, 16);
		if (extent->offset != end ||
		    extent->tensor >= from->n_tensors ||
		    extent->length > file->size - end)
			from->bad = true;
		end += extent->length;
	}
	file->n_extents = n;
	if (!file->extents || end != file->size)
		from->bad = true;
}

static void take_files(struct decoder *from, struct wh_template *made)
{
	uint32_t i, n = take32(from);

	if (n > (size_t)(from->end - from->at) / FILE_SIZE) {
		from->bad = true;
		return;
	}
	made->files = arena_alloc(from->arena, n, sizeof(*made->files));
	for (i = 0; i < n && made->files && !from->bad; i++) {
		made->files[i].suffix = take_name(from);
		made->files[i].size = take64(from);
		if (!from->bad)
			take_extents(from, &made->files[i]);
	}
	made->n_files = n;
	if (!made->files)
		from->bad = true;
}

static enum wh_status take_template(struct decoder *from,
				    struct wh_template **out,
				    struct wh_error *err)
{
	const char *format = take_text(from);
	struct wh_template *made;
	uint64_t skeleton;

	*out = NULL;
	if (!format)
		return from->bad ? refuse(err) : WH_OK;
	made = arena_alloc(from->arena, 1, sizeof(*made));
	if (!made)
		return wh_fail_memory(err);
	made->format = format;
	made->skeleton = WH_LITERAL;
	skeleton = take64(from);
	if (skeleton != NO_BYTES) {
		WH_TRY(manifest_add_skeleton(from->builder, skeleton,
					     &made->skeleton, err));
		from->n_tensors++;
	}
	take_files(from, made);
	*out = made;
	return from->bad ? refuse(err) : WH_OK;
}

/* Each of them within its tensor. */
static bool fit(const struct wh_template *template_,
		const struct wh_manifest *manifest)
{
	uint32_t i, k;

	for (i = 0; template_ && i < template_->n_files; i++)
		for (k = 0; k < template_->files[i].n_extents; k++) {
			const struct wh_extent *extent =
				&template_->files[i].extents[k];
			uint64_t nbytes =
				manifest->tensors[extent->tensor].nbytes;

			if (extent->start > nbytes ||
			    extent->length > nbytes - extent->start)
				return false;
		}
	return true;
}

static enum wh_status take_manifest(struct decoder *from,
				    struct wh_manifest *manifest,
				    struct wh_error *err)
{
	const char *format, *generator;
	struct wh_template *template_;

	WH_TRY(take_all(from, take_tensor, err));
	WH_TRY(take_all(from, take_layer, err));
	WH_TRY(take_all(from, take_attribute, err));
	WH_TRY(take_all(from, take_warning, err));
	format = take_text(from);
	generator = take_text(from);
	WH_TRY(take_template(from, &template_, err));
	if (from->at != from->end)
		return refuse(err);
	WH_TRY(manifest_finish(from->builder, manifest, err));
	if (!fit(template_, manifest))
		return refuse(err);
	manifest->origin_format = format;
	manifest->origin_generator = generator;
	manifest->template_ = template_;
	return WH_OK;
}

enum wh_status wire_decode(const uint8_t *bytes, size_t size,
			   struct arena *arena, struct wh_manifest *manifest,
			   struct wh_error *err)
{
	struct decoder from = {
		.at = bytes, .end = bytes + size, .arena = arena};
	enum wh_status status = manifest_builder_new(arena, &from.builder, err);

	if (!status)
		status = take_manifest(&from, manifest, err);
	manifest_builder_free(from.builder);
	return status;
}
