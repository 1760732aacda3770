#include "mapping/order.h"

#include <stdlib.h>
#include <string.h>

#include "base/text.h"

/* Weights that stand together in one object of Keras's own layers. */
static const struct {
	const char *leaf;
	unsigned tables;
} known[] = {
	{"kernel", 1},
	{"recurrent_kernel", 1},
	{"bias", 1 | 2},
	{"depthwise_kernel", 2},
	{"pointwise_kernel", 2},
	{"gamma", 4},
	{"beta", 4},
	{"moving_mean", 4},
	{"moving_variance", 4},
	{"mean", 8},
	{"variance", 8},
	{"count", 8},
	{"embeddings", 16},
	{"alpha", 32},
	{"scale", 64},
	{"concat_score_weight", 64},
};

static unsigned tables_of(const char *leaf)
{
	size_t i;

	if (*leaf == '_')
		leaf++;
	for (i = 0; i < sizeof(known) / sizeof(known[0]); i++)
		if (strcmp(known[i].leaf, leaf) == 0)
			return known[i].tables;
	return 0;
}

/* Objects inside Keras's own layers; `order` among those of one parent. */
static const struct {
	const char *attribute;
	uint32_t order;
} objects[] = {
	{"forward_layer", 0}, {"backward_layer", 1}, {"_query_dense", 0},
	{"_key_dense", 1},    {"_value_dense", 2},   {"_output_dense", 3},
	{"cell", 0},	      {"cells", 0},	     {"layer", 0},
	{"_functional", 0},   {"_operations", 0},
};

static const char nested[] = "layer_with_weights-";

static bool component_is(const char *at, size_t len, const char *word)
{
	return strlen(word) == len && memcmp(at, word, len) == 0;
}

/* The number that `at` is, up to the component's end. */
static bool read_number(const char *at, size_t len, uint32_t *number)
{
	uint64_t sum = 0;
	size_t i;

	for (i = 0; i < len; i++) {
		if (at[i] < '0' || at[i] > '9' || sum > UINT32_MAX / 20)
			return false;
		sum = sum * 10 + (uint64_t)(at[i] - '0');
	}
	*number = (uint32_t)sum;
	return len > 0;
}

/* The rank of one component but the last; false if no Keras layer has it. */
static bool rank_object(const char *at, size_t len, uint32_t *rank)
{
	const size_t prefix = sizeof(nested) - 1;
	size_t i;

	for (i = 0; i < sizeof(objects) / sizeof(objects[0]); i++)
		if (component_is(at, len, objects[i].attribute)) {
			*rank = objects[i].order;
			return true;
		}
	if (len > prefix && memcmp(at, nested, prefix) == 0)
		return read_number(at + prefix, len - prefix, rank);
	return read_number(at, len, rank);
}

static bool is_known(const char *path)
{
	uint32_t rank, depth = 0;
	size_t len;

	for (;; path += len + 1) {
		len = strcspn(path, "/");
		if (!path[len])
			return tables_of(path) != 0;
		if (++depth > PATHS_MAX_DEPTH || !rank_object(path, len, &rank))
			return false;
	}
}

/* Orders two known paths. */
static int compare_paths(const char *a, const char *b)
{
	for (;;) {
		size_t la = strcspn(a, "/"), lb = strcspn(b, "/");
		bool ends_a = !a[la], ends_b = !b[lb];
		uint32_t ra = 0, rb = 0;

		if (ends_a != ends_b)
			return ends_a ? -1 : 1;
		if (ends_a) {
			ra = leaf_rank(a);
			rb = leaf_rank(b);
			return ra < rb ? -1 : ra > rb;
		}
		rank_object(a, la, &ra);
		rank_object(b, lb, &rb);
		if (ra != rb)
			return ra < rb ? -1 : 1;
		a += la + 1;
		b += lb + 1;
	}
}

static int compare_places(const void *a, const void *b, void *paths)
{
	const uint32_t *one = a, *other = b;
	const char *const *all = paths;
	int by_path = compare_paths(all[*one], all[*other]);

	if (by_path)
		return by_path;
	return *one < *other ? -1 : *one > *other;
}

static size_t parent_len(const char *path)
{
	const char *slash = strrchr(path, '/');

	return slash ? (size_t)(slash - path) : 0;
}

static bool have_one_parent(const char *a, const char *b)
{
	size_t len = parent_len(a);

	return parent_len(b) == len && memcmp(a, b, len) == 0;
}

/* Whether each object's weights are those of one table, each once. */
static bool are_of_tables(const char *const *paths, const uint32_t *order,
			  uint32_t n)
{
	unsigned tables = ~0u;
	uint32_t i;

	for (i = 0; i < n; i++) {
		const char *path = paths[order[i]];
		size_t parent = parent_len(path);

		if (i && !have_one_parent(paths[order[i - 1]], path))
			tables = ~0u;
		tables &= tables_of(path + parent + (parent > 0));
		if (!tables || (i && strcmp(paths[order[i - 1]], path) == 0))
			return false;
	}
	return true;
}

/* Where two paths part, if all objects up to there are Keras's own. */
static enum order_kind find_parting(const char *a, const char *b)
{
	bool in_cells = false, in_operations = false;
	uint32_t rank, depth = 0;

	for (;;) {
		size_t la = strcspn(a, "/"), lb = strcspn(b, "/");

		if (la != lb || memcmp(a, b, la) != 0)
			break;
		if (!a[la] || !b[lb] || ++depth > PATHS_MAX_DEPTH ||
		    !rank_object(a, la, &rank))
			return ORDER_KNOWN;
		in_cells = component_is(a, la, "cells");
		in_operations = component_is(a, la, "_operations");
		a += la + 1;
		b += lb + 1;
	}
	if (in_operations || (text_starts(a, nested) && text_starts(b, nested)))
		return ORDER_NESTED;
	return in_cells ? ORDER_CELLS : ORDER_KNOWN;
}

static enum order_kind find_kind(const char *const *paths,
				 const uint32_t *order, uint32_t n)
{
	enum order_kind kind = ORDER_KNOWN;
	uint32_t i;

	for (i = 1; i < n && kind != ORDER_NESTED; i++) {
		enum order_kind found =
			find_parting(paths[order[i - 1]], paths[order[i]]);

		if (found != ORDER_KNOWN)
			kind = found;
	}
	return kind;
}

enum order_kind order_sort(const char *const *paths, uint32_t *order,
			   uint32_t n)
{
	enum order_kind kind = find_kind(paths, order, n);
	uint32_t i;

	for (i = 0; i < n; i++)
		if (!is_known(paths[order[i]]))
			return kind == ORDER_KNOWN ? ORDER_GRAPH : kind;
	if (n)
		qsort_r(order, n, sizeof(*order), compare_places,
			(void *)(uintptr_t)paths);
	if (kind != ORDER_KNOWN)
		return kind;
	return are_of_tables(paths, order, n) ? ORDER_KNOWN : ORDER_GRAPH;
}
