/* gguf.c: a plug-in that reads and writes GGUF files, version 3.
 *
 *	cc -shared -fPIC gguf.c -o gguf.so $(pkg-config --cflags weighhouse)
 *	wh convert --plugin ./gguf.so model.h5 model.gguf
 *
 *	"GGUF" | version | tensors, keys | key, type, value ... |
 *	name, rank, shape, type, offset ... | to a multiple of 32: payloads
 *
 * Little-endian, whatever this machine is; shapes stand innermost dimension
 * first; offsets count from the first payload (ggml's docs/gguf.md). Refused:
 * quantized types, over four dimensions. No key but the alignment matters.
 */
#include <stdio.h>
#include <string.h>

#include <weighhouse/library.h>

#define MAGIC	  "GGUF\3\0\0\0"
#define ALIGNMENT 32u
#define MAX_RANK  4u
#define MAX_TEXT  4096u

enum { VALUE_TEXT = 8, VALUE_ARRAY = 9, N_VALUES = 13 };
static const uint64_t sizes[] = {1, 1, 2, 2, 4, 4, 4, 1, 0, 0, 8, 8, 8};
static const enum wh_dtype dtypes[] = {
	[0] = WH_FLOAT32,  [1] = WH_FLOAT16,  [24] = WH_INT8,
	[25] = WH_INT16,   [26] = WH_INT32,   [27] = WH_INT64,
	[28] = WH_FLOAT64, [30] = WH_BFLOAT16};
#define N_TYPES (sizeof(dtypes) / sizeof(dtypes[0]))

/* ---- Writing: an exporter only plans, and never copies a payload -------- */

struct writing {
	struct wh_image *image;
	enum wh_status status; /* once it failed, nothing more is put */
	struct wh_error *err;
};

static void put(struct writing *w, const void *bytes, size_t size)
{
	if (!w->status)
		w->status = wh_image_literal(w->image, bytes, size, w->err);
}

static void put_number(struct writing *w, uint64_t number, size_t size)
{
	for (; size > 0; size--, number >>= 8)
		put(w, &(uint8_t){(uint8_t)number}, 1);
}

static void pad(struct writing *w)
{
	static const uint8_t zeros[ALIGNMENT];

	put(w, zeros, w->status ? 0 : -w->image->size % ALIGNMENT);
}

static void put_tensor(struct writing *w, const struct wh_tensor *tensor,
		       uint64_t offset)
{
	size_t length = strlen(tensor->key);
	uint32_t i = tensor->rank, type = 0;

	while (type < N_TYPES && dtypes[type] != tensor->dtype)
		type++;
	if (!w->status && (type == N_TYPES || i > MAX_RANK))
		w->status = wh_error_set(w->err, WH_EUNSUPPORTED,
					 "gguf can't hold '%s'", tensor->key);
	put_number(w, length, 8);
	put(w, tensor->key, length);
	put_number(w, tensor->rank, 4);
	while (i-- > 0)
		put_number(w, tensor->shape[i], 8);
	put_number(w, type, 4);
	put_number(w, offset, 8);
}

static enum wh_status gguf_plan(struct wh_source *source,
				const struct wh_plan_options *options,
				struct wh_plan **plan, struct wh_error *err)
{
	const struct wh_manifest *model = &source->manifest;
	struct writing w = {.err = err};
	uint64_t offset = 0;
	uint32_t i;

	(void)options;
	w.status = wh_plan_new(source, plan, err);
	if (w.status)
		return w.status;
	w.status = wh_plan_add_image(*plan, "", true, &w.image, err);
	put(&w, MAGIC, 8);
	put_number(&w, model->n_tensors, 8);
	put_number(&w, 0, 8); /* keys */
	for (i = 0; i < model->n_tensors; i++) {
		put_tensor(&w, &model->tensors[i], offset);
		offset += model->tensors[i].nbytes;
		offset += -offset % ALIGNMENT;
	}
	pad(&w);
	for (i = 0; i < model->n_tensors && !w.status; i++) {
		w.status = wh_image_payload(w.image, i, 0,
					    model->tensors[i].nbytes, err);
		pad(&w);
	}
	if (w.status)
		wh_plan_free(*plan);
	return w.status;
}

/* ---- Reading: the file is mapped, its arrays lie in it ------------------ */

struct mapped {
	const uint8_t *bytes;
	uint64_t size, at, alignment;
	bool bad; /* it ended too soon, or has what no file has */
};

static const uint8_t *skip(struct mapped *map, uint64_t size)
{
	const uint8_t *at = map->bytes + map->at;

	map->bad |= map->at > map->size || size > map->size - map->at;
	map->at += map->bad ? 0 : size;
	return at;
}

static uint64_t take(struct mapped *map, size_t size)
{
	const uint8_t *at = skip(map, size);
	uint64_t value = 0;

	while (!map->bad && size-- > 0)
		value = value << 8 | at[size];
	return value;
}

static void take_key(struct mapped *map)
{
	uint64_t n = take(map, 8), type;
	const uint8_t *name = skip(map, n);

	type = take(map, 4);
	if (!map->bad && n == 17 && !memcmp(name, "general.alignment", 17)) {
		map->alignment = take(map, 4);
		map->bad |= __builtin_popcountll(map->alignment) != 1;
		return;
	}
	n = 1;
	if (type == VALUE_ARRAY) {
		type = take(map, 4);
		n = take(map, 8);
	}
	/* Each value has a byte at least, so that damage ends soon. */
	map->bad |= type >= N_VALUES || type == VALUE_ARRAY || n > map->size;
	for (; n && !map->bad; n--)
		skip(map, type == VALUE_TEXT ? take(map, 8) : sizes[type]);
}

static enum wh_status take_tensor(struct mapped *map, uint64_t data,
				  struct wh_builder *builder,
				  struct wh_error *err)
{
	uint64_t shape[MAX_RANK], nbytes = 1, type, i = take(map, 8);
	const uint8_t *text = skip(map, i);
	char name[MAX_TEXT] = "";
	struct wh_array array = {.name = name, .shape = shape};

	map->bad |= i >= MAX_TEXT;
	if (!map->bad)
		memcpy(name, text, (size_t)i);
	array.rank = (uint32_t)take(map, 4);
	map->bad |= array.rank > MAX_RANK;
	for (i = map->bad ? 0 : array.rank; i-- > 0;) {
		shape[i] = take(map, 8);
		map->bad |= __builtin_mul_overflow(nbytes, shape[i], &nbytes);
	}
	type = take(map, 4);
	i = take(map, 8);
	array.dtype = type < N_TYPES ? dtypes[type] : WH_DTYPE_NONE;
	if (map->bad || !array.dtype || i > map->size - data ||
	    nbytes > (map->size - data - i) / wh_dtype_size(array.dtype))
		return wh_error_set(err, WH_ECORRUPT,
				    "tensor '%s' is damaged or quantized",
				    name);
	array.data = map->bytes + data + i;
	return wh_builder_weight(builder, &array, err);
}

static enum wh_status take_file(struct mapped *map, struct wh_builder *builder,
				struct wh_error *err)
{
	uint64_t n = take(map, 8), keys = take(map, 8), infos, data, i;
	enum wh_status status = wh_builder_origin(builder, "gguf", NULL, err);

	map->bad |= map->size < 8 || memcmp(map->bytes, MAGIC, 8);
	for (; keys && !map->bad; keys--)
		take_key(map);
	/* Where payloads begin is known once all of the header is passed. */
	infos = map->at;
	for (i = 0; i < n && !map->bad; i++) {
		skip(map, take(map, 8));
		skip(map, 8 * take(map, 4) + 12);
	}
	data = map->bad ? 0 : map->at + -map->at % map->alignment;
	if (map->bad || (n && data > map->size))
		return wh_error_set(err, WH_ECORRUPT, "the header is damaged");
	map->at = infos;
	for (i = 0; i < n && !status; i++)
		status = take_tensor(map, data, builder, err);
	return status;
}

static enum wh_status gguf_load(const char *path,
				const struct wh_load_options *options,
				struct wh_source **source, struct wh_error *err)
{
	struct wh_builder *builder;
	struct mapped map = {.at = 8, .alignment = ALIGNMENT};
	enum wh_status status = wh_builder_new(&builder, err);

	(void)options;
	if (status)
		return status;
	status = wh_builder_map(builder, path, &map.bytes, &map.size, err);
	if (!status)
		status = take_file(&map, builder, err);
	if (!status)
		return wh_builder_finish(builder, source, err);
	wh_builder_free(builder);
	return status;
}

static bool gguf_probe(const char *path)
{
	FILE *in = fopen(path, "re");
	char magic[8] = "";
	bool found = in && fread(magic, 8, 1, in) == 1;

	if (in)
		fclose(in);
	return found && memcmp(magic, MAGIC, 8) == 0;
}

static const struct wh_format gguf = {
	.name = "gguf",
	.summary = "GGUF, as llama.cpp reads it",
	.suffixes = (const char *const[]){".gguf", NULL},
	.plan = gguf_plan,
	.probe = gguf_probe,
	.load = gguf_load,
};

const struct wh_plugin weighhouse_plugin = {
	.abi = WH_PLUGIN_ABI,
	.name = "gguf",
	.formats = (const struct wh_format *const[]){&gguf, NULL}};
