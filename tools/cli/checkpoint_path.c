#include "checkpoint_path.h"

#include <ctype.h>
#include <dirent.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/text.h"

#define INDEX	    ".index" /* of a TensorFlow checkpoint's prefix */
#define DATA	    ".data-00000-of-00001"
#define VARIABLES   "/variables/variables"
#define ST_SUFFIX   ".safetensors"
#define ST_INDEX    ".safetensors.index.json"
#define H5_SHARD    ".weights.h5"
#define JSON_SHARDS ".weights.json"

static const char *base_of(const char *path)
{
	const char *slash = strrchr(path, '/');

	return slash ? slash + 1 : path;
}

static char *join(const char *path, size_t len, const char *suffix)
{
	size_t more = strlen(suffix) + 1;
	char *joined = malloc(len + more);

	if (joined) {
		memcpy(joined, path, len);
		memcpy(joined + len, suffix, more);
	}
	return joined;
}

static bool are_digits(const char *at, size_t n)
{
	size_t i;

	for (i = 0; i < n; i++)
		if (!isdigit((unsigned char)at[i]))
			return false;
	return true;
}

/* ---- Shards ----------------------------------------------------------------
 */

/* Whether the first `len` bytes end in "-00001-of-00003". */
static bool ends_in_shard(const char *path, size_t len)
{
	const size_t tail = strlen("-00001-of-00003");
	const char *at;

	if (len <= tail)
		return false;
	at = path + len - tail;
	return *at == '-' && are_digits(at + 1, 5) &&
	       strncmp(at + 6, "-of-", 4) == 0 && are_digits(at + 10, 5);
}

/* Where ".data-00000-of-00001" begins, or NULL; more may stand behind it. */
static const char *find_data(const char *name)
{
	const char *at = name;

	for (; (at = strstr(at, ".data-")); at++)
		if (strlen(at) >= strlen(DATA) &&
		    ends_in_shard(at, strlen(DATA)))
			return at;
	return NULL;
}

/* PREFIX.data-00000-of-00001, of which `stem` bytes are the prefix. */
static bool is_tf_shard(const char *name, size_t stem)
{
	return strlen(name) == stem + strlen(DATA) &&
	       find_data(name + stem) == name + stem;
}

/* "-00001-of-00003.safetensors": how long what stands before it is, or 0. */
static size_t st_shard_stem(const char *path)
{
	size_t len = strlen(path);

	if (!text_ends(path, ST_SUFFIX))
		return 0;
	len -= strlen(ST_SUFFIX);
	return ends_in_shard(path, len) ? len - strlen("-00001-of-00003") : 0;
}

/* "_00000.weights.h5"; a name with an epoch may look so as well. */
static size_t h5_shard_stem(const char *path)
{
	const size_t tail = strlen("_00000" H5_SHARD);
	size_t len = strlen(path);
	const char *at;

	if (len <= tail || !text_ends(path, H5_SHARD))
		return 0;
	at = path + len - tail;
	return *at == '_' && are_digits(at + 1, 5) ? len - tail : 0;
}

static bool is_st_shard(const char *name, size_t stem)
{
	return stem && st_shard_stem(name) == stem;
}

static bool is_h5_shard(const char *name, size_t stem)
{
	return stem && h5_shard_stem(name) == stem;
}

static char *index_of_shard(const char *path)
{
	size_t stem = st_shard_stem(path);
	char *index;

	if (stem)
		return join(path, stem, ST_INDEX);
	stem = h5_shard_stem(path);
	index = stem ? join(path, stem, JSON_SHARDS) : NULL;
	if (index && access(index, F_OK) == 0)
		return index;
	free(index);
	return strdup(path);
}

/* ---- TensorFlow ------------------------------------------------------------
 */

static char *of_prefix(const char *path, size_t len)
{
	const size_t tail = strlen(VARIABLES);

	if (len > tail && memcmp(path + len - tail, VARIABLES, tail) == 0)
		return join(path, len - tail, "");
	return join(path, len, "");
}

char *checkpoint_of(const char *path)
{
	const char *base = base_of(path);
	const char *data = find_data(base);
	size_t len = strlen(path);

	if (strcmp(base, "checkpoint") == 0)
		return NULL;
	if (text_ends(path, INDEX))
		return of_prefix(path, len - strlen(INDEX));
	if (data)
		return of_prefix(path, (size_t)(data - path));
	/* PREFIX-00001-of-00003, of its first version: the first names all. */
	if (ends_in_shard(path, len)) {
		char *first = strdup(path);

		if (first)
			memcpy(first + len - strlen("00001-of-00003"), "00000",
			       5);
		return first;
	}
	return index_of_shard(path);
}

bool checkpoint_is_saved_model(const char *folder)
{
	char *index = join(folder, strlen(folder), VARIABLES INDEX);
	bool found = index && access(index, F_OK) == 0;

	free(index);
	return found;
}

/* ---- Names -----------------------------------------------------------------
 */

bool checkpoint_name(const struct wh_library *library, const char *name)
{
	const struct wh_format *const *format = wh_formats(library);
	const char *const *suffix;

	if (name[0] == '.')
		return false;
	if (text_ends(name, INDEX) || text_ends(name, ST_INDEX))
		return true;
	for (; *format; format++)
		for (suffix = (*format)->suffixes; *suffix; suffix++)
			if (text_ends(name, *suffix))
				return true;
	return false;
}

bool checkpoint_name_is_data(const char *name)
{
	return find_data(name) != NULL;
}

bool checkpoint_name_is_temporary(const char *name)
{
	static const char *const parts[] = {".tempstate", ".tmp", ".temp.",
					    ".partial", "_temp_"};
	size_t i, len = strlen(name);

	if (name[0] == '.' || (len && name[len - 1] == '~') ||
	    text_ends(name, "_temp"))
		return true;
	for (i = 0; i < sizeof(parts) / sizeof(parts[0]); i++)
		if (strstr(name, parts[i]))
			return true;
	/* tempfile's: tmp and eight of [a-z0-9_] */
	return text_starts(name, "tmp") &&
	       strspn(name + 3, "abcdefghijklmnopqrstuvwxyz0123456789_") == 8 &&
	       (name[11] == '.' || !name[11]);
}

/* ---- Files -----------------------------------------------------------------
 */

bool checkpoint_same(const struct checkpoint_state *a,
		     const struct checkpoint_state *b)
{
	return a->exists == b->exists && a->size == b->size &&
	       a->mtime_ns == b->mtime_ns && a->sum == b->sum;
}

void checkpoint_add_file(struct checkpoint_state *state,
			 const struct stat *file)
{
	int64_t mtime_ns = (int64_t)file->st_mtim.tv_sec * 1000000000 +
			   file->st_mtim.tv_nsec;

	state->size += (uint64_t)file->st_size;
	if (mtime_ns > state->mtime_ns)
		state->mtime_ns = mtime_ns;
	/* Adding up, since folders list in any order. */
	state->sum += ((uint64_t)file->st_ino ^ (uint64_t)mtime_ns) *
		      UINT64_C(0x9e3779b97f4a7c15);
}

struct look {
	struct checkpoint_state *state;
	void (*each)(void *arg, const char *file);
	void *arg;
};

static bool look_at(const struct look *look, const char *path)
{
	struct stat file;

	if (stat(path, &file) || !S_ISREG(file.st_mode))
		return false;
	checkpoint_add_file(look->state, &file);
	if (look->each)
		look->each(look->arg, path);
	return true;
}

typedef bool shard_fn(const char *name, size_t stem);

/* Shards beside `stem`, and no file whose name only begins as theirs do: what
 * is looked at here is deleted by --delete-source. */
static void look_beside(const struct look *look, const char *stem,
			shard_fn *is_shard)
{
	const char *base = base_of(stem);
	size_t len = strlen(base), head = (size_t)(base - stem);
	char *folder = head ? join(stem, head, "") : strdup(".");
	DIR *listing = folder ? opendir(folder) : NULL;
	struct dirent *at;

	while (listing && (at = readdir(listing))) {
		char *path;

		if (strncmp(at->d_name, base, len) != 0 ||
		    !is_shard(at->d_name, len))
			continue;
		path = join(stem, head, at->d_name);
		if (path)
			look_at(look, path);
		free(path);
	}
	if (listing)
		closedir(listing);
	free(folder);
}

static bool look_at_prefix(const struct look *look, const char *prefix)
{
	char *index = join(prefix, strlen(prefix), INDEX);
	bool found = index && look_at(look, index);

	free(index);
	if (found)
		look_beside(look, prefix, is_tf_shard);
	return found;
}

static bool look_at_shards(const struct look *look, const char *index,
			   const char *suffix, shard_fn *is_shard)
{
	char *stem;

	if (!look_at(look, index))
		return false;
	stem = join(index, strlen(index) - strlen(suffix), "");
	if (stem)
		look_beside(look, stem, is_shard);
	free(stem);
	return true;
}

void checkpoint_look(const char *path, struct checkpoint_state *state,
		     void (*each)(void *arg, const char *file), void *arg)
{
	struct look look = {state, each, arg};
	struct stat at;
	char *inner;

	memset(state, 0, sizeof(*state));
	if (look_at_prefix(&look, path)) {
		state->exists = true;
	} else if (text_ends(path, ST_INDEX)) {
		state->exists =
			look_at_shards(&look, path, ST_INDEX, is_st_shard);
	} else if (text_ends(path, JSON_SHARDS)) {
		state->exists =
			look_at_shards(&look, path, JSON_SHARDS, is_h5_shard);
	} else if (stat(path, &at) == 0 && S_ISDIR(at.st_mode)) {
		inner = join(path, strlen(path), VARIABLES);
		state->exists = inner && look_at_prefix(&look, inner);
		free(inner);
	} else {
		state->exists = look_at(&look, path);
	}
}
