/* gguf.c: a plug-in that reads and writes GGUF files, version 3.
 *
 *	cc -shared -fPIC gguf.c -o gguf.so $(pkg-config --cflags weighhouse)
 *	wh convert --plugin ./gguf.so model.h5 model.gguf
 *
 *	"GGUF" | version | tensors, keys | key, type, value ... |
 *	name, rank, shape, type, offset ... | to a multiple of 32: payloads
 *
 * Integers are little-endian, as this machine's must be; shapes stand innermost
 * dimension first; offsets count from the first payload (ggml's docs/gguf.md).
 * Refused: quantized types, over four dimensions. Keys are passed over.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>

#include <weighhouse/library.h>

#define MAGIC	  "GGUF\3\0\0\0"
#define ALIGNMENT 32u
#define MAX_RANK  4u
#define MAX_TEXT  4096u

enum { VALUE_TEXT = 8, VALUE_ARRAY = 9, N_VALUES = 13 };
static const int value_sizes[N_VALUES] = {1, 1, 2, 2, 4, 4, 4,
					  1, 0, 0, 8, 8, 8};
static const struct {
	enum wh_dtype dtype;
	uint32_t type;
} types[] = {{WH_FLOAT32, 0},  {WH_FLOAT16, 1},	 {WH_INT8, 24},
	     {WH_INT16, 25},   {WH_INT32, 26},	 {WH_INT64, 27},
	     {WH_FLOAT64, 28}, {WH_BFLOAT16, 30}};
#define N_TYPES (sizeof(types) / sizeof(types[0]))

/* ---- Writing: an exporter only plans, and never copies a payload ----------
 */

static void put(FILE *out, uint64_t value, size_t size)
{
	fwrite(&value, size, 1, out);
}

static enum wh_status put_tensor(FILE *out, const struct wh_tensor *tensor,
				 uint64_t offset, struct wh_error *err)
{
	uint32_t i = tensor->rank;
	size_t type = 0;

	while (type < N_TYPES && types[type].dtype != tensor->dtype)
		type++;
	if (type == N_TYPES || tensor->rank > MAX_RANK)
		return wh_error_set(err, WH_EUNSUPPORTED,
				    "gguf can't hold tensor '%s'", tensor->key);
	put(out, strlen(tensor->key), 8);
	fputs(tensor->key, out);
	put(out, tensor->rank, 4);
	while (i-- > 0)
		put(out, tensor->shape[i], 8);
	put(out, types[type].type, 4);
	put(out, offset, 8);
	return WH_OK;
}

static enum wh_status put_header(FILE *out, const struct wh_manifest *manifest,
				 struct wh_error *err)
{
	enum wh_status status = WH_OK;
	uint64_t offset = 0;
	uint32_t i;

	fwrite(MAGIC, 8, 1, out);
	put(out, manifest->n_tensors, 8);
	put(out, 0, 8);
	for (i = 0; i < manifest->n_tensors && !status; i++) {
		status = put_tensor(out, &manifest->tensors[i], offset, err);
		offset += manifest->tensors[i].nbytes;
		offset += -offset % ALIGNMENT;
	}
	/* The file is as long as what is in it: up to the first payload. */
	while (!status && ftello(out) % ALIGNMENT)
		fputc(0, out);
	return status;
}

static enum wh_status fill(struct wh_plan *plan, const char *header,
			   size_t size, const struct wh_manifest *manifest,
			   struct wh_error *err)
{
	static const char zeros[ALIGNMENT];
	struct wh_image *image;
	enum wh_status status = wh_plan_add_image(plan, "", true, &image, err);
	uint32_t i;

	if (!status)
		status = wh_image_literal(image, header, size, err);
	for (i = 0; i < manifest->n_tensors && !status; i++) {
		status = wh_image_payload(image, i, 0,
					  manifest->tensors[i].nbytes, err);
		if (!status)
			status = wh_image_literal(
				image, zeros, -image->size % ALIGNMENT, err);
	}
	return status;
}

static enum wh_status gguf_plan(struct wh_source *source,
				const struct wh_plan_options *options,
				struct wh_plan **plan, struct wh_error *err)
{
	char *header = NULL;
	size_t size = 0;
	FILE *out = open_memstream(&header, &size);
	enum wh_status status = WH_ENOMEM;

	(void)options;
	if (out)
		status = put_header(out, &source->manifest, err);
	if (!out || fclose(out))
		status = wh_error_set(err, WH_ENOMEM, "out of memory");
	if (!status)
		status = wh_plan_new(source, plan, err);
	if (!status) {
		status = fill(*plan, header, size, &source->manifest, err);
		if (status)
			wh_plan_free(*plan);
	}
	free(header);
	return status;
}

/* ---- Reading: the file is mapped, its arrays are given as memory ----------
 */

struct mapped {
	uint8_t *bytes;
	size_t size;
};

static void unmap(void *arg)
{
	struct mapped *map = arg;

	if (map->bytes != MAP_FAILED)
		munmap(map->bytes, map->size);
	free(map);
}

static uint64_t take(FILE *in, size_t size)
{
	uint64_t value = 0;

	return fread(&value, size, 1, in) == 1 ? value : 0;
}

static bool take_text(FILE *in, char out[MAX_TEXT])
{
	uint64_t size = take(in, 8);

	out[size < MAX_TEXT ? size : 0] = '\0';
	return size < MAX_TEXT && fread(out, 1, size, in) == size;
}

static bool skip_value(FILE *in, bool nested, uint64_t type)
{
	uint64_t n;

	if (type >= N_VALUES || (nested && type == VALUE_ARRAY))
		return false;
	if (type != VALUE_ARRAY) {
		n = type == VALUE_TEXT ? take(in, 8) : 0;
		return n < INT32_MAX &&
		       !fseeko(in, value_sizes[type] + (off_t)n, SEEK_CUR);
	}
	type = take(in, 4);
	for (n = take(in, 8); n && !feof(in); n--)
		if (!skip_value(in, true, type))
			return false;
	return true;
}

/* Gives one tensor to the builder; without one, only passes over it. */
static enum wh_status take_tensor(FILE *in, const struct mapped *map,
				  uint64_t data, struct wh_builder *builder,
				  struct wh_error *err)
{
	uint64_t shape[MAX_RANK], nbytes, offset, i;
	char name[MAX_TEXT];
	bool ok = take_text(in, name);
	struct wh_array array = {.name = name, .shape = shape};
	size_t found = 0;

	array.rank = (uint32_t)take(in, 4);
	if (!ok || array.rank > MAX_RANK)
		return wh_error_set(err, WH_ECORRUPT, "a tensor is damaged");
	for (i = array.rank; i-- > 0;)
		shape[i] = take(in, 8);
	i = take(in, 4);
	while (found < N_TYPES && types[found].type != i)
		found++;
	offset = take(in, 8);
	if (!builder)
		return WH_OK;
	if (found == N_TYPES)
		return wh_error_set(err, WH_EUNSUPPORTED,
				    "type of '%s' isn't read", name);
	array.dtype = types[found].dtype;
	nbytes = wh_dtype_size(array.dtype);
	for (i = 0; i < array.rank; i++)
		ok &= !__builtin_mul_overflow(nbytes, shape[i], &nbytes);
	if (!ok || data > map->size || offset > map->size - data ||
	    nbytes > map->size - data - offset)
		return wh_error_set(err, WH_ECORRUPT,
				    "the file ends within '%s'", name);
	array.data = map->bytes + data + offset;
	return wh_builder_weight(builder, &array, err);
}

static enum wh_status take_file(FILE *in, const struct mapped *map,
				struct wh_builder *builder,
				struct wh_error *err)
{
	char magic[8] = "", key[MAX_TEXT];
	bool ok = fread(magic, 8, 1, in) == 1 && !memcmp(magic, MAGIC, 8);
	uint64_t n = take(in, 8), keys = take(in, 8), data = 0, i;
	enum wh_status status = wh_builder_origin(builder, "gguf", NULL, err);
	off_t infos;
	int pass;

	for (; keys && ok; keys--)
		ok = take_text(in, key) && skip_value(in, false, take(in, 4));
	infos = ftello(in);
	/* Where payloads begin is known once all of the header is passed. */
	for (pass = 0; pass < 2 && ok && !status; pass++) {
		ok = fseeko(in, infos, SEEK_SET) == 0;
		for (i = 0; i < n && ok && !status; i++)
			status = take_tensor(in, map, data,
					     pass ? builder : NULL, err);
		data = (uint64_t)ftello(in);
		data += -data % ALIGNMENT;
	}
	return ok ? status : wh_error_set(err, WH_ECORRUPT, "no GGUF header");
}

static enum wh_status gguf_load(const char *path,
				const struct wh_load_options *options,
				struct wh_source **source, struct wh_error *err)
{
	struct mapped *map = calloc(1, sizeof(*map));
	struct wh_builder *builder = NULL;
	FILE *in = fopen(path, "re");
	enum wh_status status = WH_EIO;
	struct stat at;

	(void)options;
	if (in && map && fstat(fileno(in), &at) == 0 &&
	    !wh_builder_new(&builder, err)) {
		map->size = (size_t)at.st_size;
		map->bytes = mmap(NULL, map->size, PROT_READ, MAP_PRIVATE,
				  fileno(in), 0);
		wh_builder_release(builder, unmap, map);
		if (map->bytes != MAP_FAILED)
			status = take_file(in, map, builder, err);
	} else {
		free(map);
	}
	if (status == WH_EIO)
		wh_error_set(err, status, "can't map '%s'", path);
	if (in)
		fclose(in);
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

static const char *const suffixes[] = {".gguf", NULL};
static const struct wh_format gguf = {
	.name = "gguf",
	.summary = "GGUF, as llama.cpp reads it",
	.suffixes = suffixes,
	.plan = gguf_plan,
	.probe = gguf_probe,
	.load = gguf_load,
};
static const struct wh_format *const formats[] = {&gguf, NULL};

const struct wh_plugin weighhouse_plugin = {
	.abi = WH_PLUGIN_ABI, .name = "gguf", .formats = formats};
