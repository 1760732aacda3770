/* The structures are those that group.c reads (III.A, III.C, III.D); how they
 * grow is libhdf5's way, of which the format says nothing:
 *
 *  - a new heap has 88 bytes, the empty name in the first 8. A name takes the
 *    first free block that it fits, with nothing or 16 bytes and more left
 *    over. A heap without room doubles, where it lies or elsewhere.
 *  - a full leaf gives its upper half to a new one.
 *  - a full node splits: the last of its level keeps nine tenths of its
 *    children, the first one a tenth, others half. The root stays where it is:
 *    what was in it moves out.
 */
#include "hdf5/classic/table.h"

#include <stdlib.h>
#include <string.h>

#include "base/endian.h"

#define HEAP_HEAD  32u
#define HEAP_FIRST 88u
#define FREE_SIZE  16u
#define HEAP_END   1u
#define NODE_SIZE  544u
#define LEAF_SIZE  328u
#define NOWHERE	   UINT64_MAX

/* ---- The heap ----------------------------------------------------------- */

static void drop_free(struct new_table *table, uint32_t at)
{
	table->n_frees--;
	memmove(table->frees + at, table->frees + at + 1,
		(table->n_frees - at) * sizeof(*table->frees));
}

/* The free block that ends at the heap's end, if it is the last one. */
static struct table_free *last_free(struct new_table *table)
{
	struct table_free *last = NULL;
	uint32_t i;

	for (i = 0; i < table->n_frees; i++)
		if (!last || last->offset < table->frees[i].offset)
			last = &table->frees[i];
	return last && last->offset + last->size == table->size ? last : NULL;
}

static bool resize_heap(struct classic_writer *writer, struct new_table *table,
			uint64_t more)
{
	uint64_t size = table->size + more;
	char *grown = realloc(table->bytes, (size_t)size);

	if (!grown)
		return false;
	memset(grown + table->size, 0, (size_t)more);
	table->bytes = grown;
	if (!space_extend(&writer->space, SPACE_META, table->data, table->size,
			  more)) {
		space_give(&writer->space, SPACE_META, table->data,
			   table->size);
		table->data = classic_take(writer, size);
	}
	table->size = size;
	return true;
}

/* Room for `need` bytes at `*offset` in a heap that has none. */
static bool grow_heap(struct classic_writer *writer, struct new_table *table,
		      uint64_t need, uint64_t *offset)
{
	struct table_free *last = last_free(table);
	uint64_t before = table->size;
	uint64_t more = need > before ? need : before;

	if (!last && more < need + FREE_SIZE)
		more = need;
	if (!resize_heap(writer, table, more))
		return false;
	if (last) {
		*offset = last->offset;
		last->offset += need;
		last->size += more - need;
		if (last->size < FREE_SIZE)
			drop_free(table, (uint32_t)(last - table->frees));
		return true;
	}
	*offset = before;
	if (more - need < FREE_SIZE)
		return true;
	if (table->n_frees == sizeof(table->frees) / sizeof(table->frees[0]))
		return false;
	memmove(table->frees + 1, table->frees,
		table->n_frees * sizeof(*table->frees));
	table->frees[0] = (struct table_free){before + need, more - need};
	table->n_frees++;
	return true;
}

static bool add_name(struct classic_writer *writer, struct new_table *table,
		     const char *name, uint64_t *offset)
{
	size_t size = strlen(name) + 1;
	uint64_t need = (size + 7) / 8 * 8;
	uint32_t i;

	*offset = NOWHERE;
	for (i = 0; i < table->n_frees && *offset == NOWHERE; i++) {
		struct table_free *at = &table->frees[i];

		if (at->size != need && at->size < need + FREE_SIZE)
			continue;
		*offset = at->offset;
		at->offset += need;
		at->size -= need;
		if (at->size == 0)
			drop_free(table, i);
	}
	if (*offset == NOWHERE && !grow_heap(writer, table, need, offset))
		return false;
	memcpy(table->bytes + *offset, name, size);
	return true;
}

/* ---- The tree ----------------------------------------------------------- */

static struct table_leaf *make_leaf(struct classic_writer *writer)
{
	struct table_leaf *leaf = calloc(1, sizeof(*leaf));

	if (leaf)
		leaf->address = classic_take(writer, LEAF_SIZE);
	return leaf;
}

static struct table_node *make_node(struct classic_writer *writer)
{
	struct table_node *node = calloc(1, sizeof(*node));

	if (node)
		node->address = classic_take(writer, NODE_SIZE);
	return node;
}

/* An entry on its way to its leaf, and what its arrival changes above. */
struct arrival {
	struct classic_writer *writer;
	struct new_table *table;
	const char *name;
	struct table_entry entry;
	uint64_t middle; /* the greatest name left of `split` */
	void *split;	 /* a new neighbour to the right, or NULL */
};

static const char *name_at(const struct new_table *table, uint64_t offset)
{
	return table->bytes + offset;
}

/* The first entry whose name is not less. */
static uint32_t place_in_leaf(const struct new_table *table,
			      const struct table_leaf *leaf, const char *name,
			      bool *same)
{
	uint32_t at = 0;
	int order = 1;

	while (at < leaf->n &&
	       (order = strcmp(name, name_at(table, leaf->entries[at].name))) >
		       0)
		at++;
	*same = at < leaf->n && order == 0;
	return at;
}

static bool add_to_leaf(struct arrival *arrival, struct table_leaf *leaf,
			uint64_t *right)
{
	const uint32_t half = TABLE_LEAF / 2;
	struct table_leaf *into = leaf, *split = NULL;
	bool same;
	uint32_t at = place_in_leaf(arrival->table, leaf, arrival->name, &same);

	if (same || !add_name(arrival->writer, arrival->table, arrival->name,
			      &arrival->entry.name))
		return false;
	if (leaf->n == TABLE_LEAF) {
		split = make_leaf(arrival->writer);
		if (!split)
			return false;
		memcpy(split->entries, leaf->entries + half,
		       half * sizeof(*leaf->entries));
		split->n = leaf->n = half;
		arrival->middle = leaf->entries[half - 1].name;
		arrival->split = split;
		if (at == half)
			arrival->middle = arrival->entry.name;
		if (at > half) {
			at -= half;
			into = split;
		}
	}
	if (into != leaf || !split)
		if (at == into->n)
			*right = arrival->entry.name;
	memmove(into->entries + at + 1, into->entries + at,
		(into->n - at) * sizeof(*into->entries));
	into->entries[at] = arrival->entry;
	into->n++;
	return true;
}

/* How many children a full node keeps when child `at` splits. */
static uint32_t children_kept(const struct table_node *node)
{
	if (!node->right)
		return (uint32_t)(TABLE_NODE * 0.9);
	return node->left ? TABLE_NODE / 2 : (uint32_t)(TABLE_NODE * 0.1);
}

static struct table_node *split_node(struct classic_writer *writer,
				     struct table_node *node)
{
	uint32_t kept = children_kept(node);
	struct table_node *split = make_node(writer);

	if (!split)
		return NULL;
	split->level = node->level;
	split->n = node->n - kept;
	memcpy(split->keys, node->keys + kept,
	       (split->n + 1) * sizeof(*split->keys));
	memcpy(split->children, node->children + kept,
	       split->n * sizeof(*split->children));
	node->n = kept;
	split->left = node;
	split->right = node->right;
	if (node->right)
		node->right->left = split;
	node->right = split;
	return split;
}

/* Puts arrival->split behind child `at`. */
static bool add_child(struct arrival *arrival, struct table_node *node,
		      uint32_t at)
{
	struct table_node *into = node, *split = NULL;

	if (node->n == TABLE_NODE) {
		split = split_node(arrival->writer, node);
		if (!split)
			return false;
		if (at >= node->n) {
			at -= node->n;
			into = split;
		}
	}
	memmove(into->keys + at + 2, into->keys + at + 1,
		(into->n - at) * sizeof(*into->keys));
	memmove(into->children + at + 2, into->children + at + 1,
		(into->n - at - 1) * sizeof(*into->children));
	into->keys[at + 1] = arrival->middle;
	into->children[at + 1] = arrival->split;
	into->n++;
	if (split)
		arrival->middle = split->keys[0];
	arrival->split = split;
	return true;
}

static bool add_to_node(struct arrival *arrival, struct table_node *node,
			uint64_t *right)
{
	uint32_t at = 0;
	uint64_t before;
	bool done;

	if (node->n == 0) {
		node->children[0] = make_leaf(arrival->writer);
		if (!node->children[0])
			return false;
		node->n = 1;
	}
	while (at + 1 < node->n &&
	       strcmp(arrival->name,
		      name_at(arrival->table, node->keys[at + 1])) > 0)
		at++;
	before = node->keys[at + 1];
	done = node->level ? add_to_node(arrival, node->children[at],
					 &node->keys[at + 1])
			   : add_to_leaf(arrival, node->children[at],
					 &node->keys[at + 1]);
	if (done && right && node->keys[at + 1] != before && at + 1 == node->n)
		*right = node->keys[at + 1];
	if (done && arrival->split)
		done = add_child(arrival, node, at);
	return done;
}

/* The root keeps its place; its children go into a node of their own. */
static bool raise_root(struct arrival *arrival)
{
	struct new_table *table = arrival->table;
	struct table_node *split = arrival->split, *old = table->root;
	struct table_node *root = calloc(1, sizeof(*root));

	if (!root)
		return false;
	root->address = old->address;
	root->level = old->level + 1;
	root->n = 2;
	root->keys[0] = old->keys[0];
	root->keys[1] = arrival->middle;
	root->keys[2] = split->keys[split->n];
	root->children[0] = old;
	root->children[1] = split;
	old->address = classic_take(arrival->writer, NODE_SIZE);
	table->root = root;
	return true;
}

/* ---- Tables ------------------------------------------------------------- */

bool table_make(struct classic_writer *writer, struct new_table *table)
{
	*table = (struct new_table){.root = make_node(writer)};
	table->bytes = calloc(1, HEAP_FIRST);
	if (!table->root || !table->bytes)
		return false;
	table->tree = table->root->address;
	table->heap = classic_take(writer, HEAP_HEAD + HEAP_FIRST);
	table->data = table->heap + HEAP_HEAD;
	table->size = HEAP_FIRST;
	table->frees[0] = (struct table_free){8, HEAP_FIRST - 8};
	table->n_frees = 1;
	table->touched = writer->made;
	return true;
}

/* A table that libhdf5 writes, forgets and reads again is the same, but for the
 * order of its free blocks: a single one has none. */
static bool is_followed(const struct classic_writer *writer,
			const struct new_table *table)
{
	return table->n_frees < 2 ||
	       classic_is_unwritten(writer, table->touched);
}

bool table_add(struct classic_writer *writer, struct new_table *table,
	       const char *name, const struct table_entry *entry)
{
	struct arrival arrival = {.writer = writer,
				  .table = table,
				  .name = name,
				  .entry = *entry};
	bool done = is_followed(writer, table) &&
		    add_to_node(&arrival, table->root, NULL);

	table->touched = writer->made;
	return done && (!arrival.split || raise_root(&arrival));
}

static bool finish_leaf(struct classic_writer *writer,
			const struct table_leaf *leaf)
{
	uint8_t bytes[LEAF_SIZE] = "SNOD\1";
	size_t i;

	put_le16(bytes + 6, (uint16_t)leaf->n);
	for (i = 0; i < leaf->n; i++) {
		uint8_t *at = bytes + 8 + i * 40;

		put_le64(at, leaf->entries[i].name);
		put_le64(at + 8, leaf->entries[i].header);
		put_le32(at + 16, leaf->entries[i].tree != 0);
		put_le64(at + 24, leaf->entries[i].tree);
		put_le64(at + 32, leaf->entries[i].heap);
	}
	return classic_keep(writer, leaf->address, bytes, sizeof(bytes));
}

static bool finish_node(struct classic_writer *writer,
			const struct table_node *node)
{
	uint8_t bytes[NODE_SIZE] = "TREE";
	size_t i;

	bytes[5] = (uint8_t)node->level;
	put_le16(bytes + 6, (uint16_t)node->n);
	put_le64(bytes + 8, node->left ? node->left->address : NOWHERE);
	put_le64(bytes + 16, node->right ? node->right->address : NOWHERE);
	for (i = 0; i < node->n; i++) {
		const struct table_node *child = node->children[i];
		const struct table_leaf *leaf = node->children[i];

		put_le64(bytes + 24 + i * 16, node->keys[i]);
		put_le64(bytes + 32 + i * 16,
			 node->level ? child->address : leaf->address);
		if (!(node->level ? finish_node(writer, child)
				  : finish_leaf(writer, leaf)))
			return false;
	}
	put_le64(bytes + 24 + i * 16, node->n ? node->keys[i] : 0);
	return classic_keep(writer, node->address, bytes, sizeof(bytes));
}

bool table_finish(struct classic_writer *writer, const struct new_table *table)
{
	uint8_t head[HEAP_HEAD] = "HEAP";
	uint64_t next = HEAP_END;
	uint32_t i;

	for (i = table->n_frees; i-- > 0;) {
		char *at = table->bytes + table->frees[i].offset;

		put_le64(at, next);
		put_le64(at + 8, table->frees[i].size);
		next = table->frees[i].offset;
	}
	put_le64(head + 8, table->size);
	put_le64(head + 16, next);
	put_le64(head + 24, table->data);
	return classic_keep(writer, table->heap, head, sizeof(head)) &&
	       classic_keep(writer, table->data, table->bytes, table->size) &&
	       finish_node(writer, table->root);
}

static void free_node(struct table_node *node)
{
	uint32_t i;

	for (i = 0; node && i < node->n; i++) {
		if (node->level)
			free_node(node->children[i]);
		else
			free(node->children[i]);
	}
	free(node);
}

void table_free(struct new_table *table)
{
	free_node(table->root);
	free(table->bytes);
	*table = (struct new_table){0};
}
