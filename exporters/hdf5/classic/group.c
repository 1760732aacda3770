/* A symbol table (III.A, III.C, III.D): a B-tree of nodes over leaves, names
 * in a local heap.
 *
 *	node	"TREE" | type 0 | level | uint16 children | two siblings |
 *		key, child, key, child, ..., key
 *	leaf	"SNOD" | version 1 | 0 | uint16 entries | entries of 40 bytes:
 *		name, header, uint32 cache type, 4 reserved, 16 of scratch
 *	heap	"HEAP" | version 0, 3 reserved | size | free list | address
 *
 * A key is the offset of a name in the heap: of names in the child before it
 * none is greater, and those in the child behind it are. libhdf5 searches;
 * here all names are listed, and seen to lie where a search finds them.
 */
#include "hdf5/classic/group.h"

#include <stdlib.h>
#include <string.h>

#include "base/array.h"
#include "base/checked.h"
#include "base/endian.h"
#include "hdf5/object.h"
#include <weighhouse/tensor.h>

#define NODE_HEAD     24u
#define LEAF_HEAD     8u
#define ENTRY_SIZE    ((size_t)40)
#define HEAP_HEAD     32u
#define HEAP_END      1u /* of the list of free blocks */
#define MAX_HEAP      ((uint64_t)16 << 20)
#define MAX_LEVEL     8u
#define MAX_NODE_SIZE ((size_t)64 << 10)
#define CACHED_LINK   2u

/* A group while its table is read. */
struct table {
	struct classic_file *file;
	struct classic_group *group;
	uint64_t heap_size;
	uint8_t *buffer; /* of nodes and leaves, a level each */
};

void classic_group_close(struct classic_group *group)
{
	if (!group || --group->references)
		return;
	classic_header_free(&group->header);
	free(group->names);
	free(group->entries);
	free(group);
}

/* ---- The heap --------------------------------------------------------- */

/* Free blocks: uint64 next, uint64 size. */
static bool check_free_list(const char *heap, uint64_t size, uint64_t at)
{
	uint64_t n, length;

	for (n = 0; at != HEAP_END; n++) {
		if (n > size / 16 || !range_fits(at, 16, size))
			return false;
		length = get_le64(heap + at + 8);
		if (length < 16 || !range_fits(at, length, size))
			return false;
		at = get_le64(heap + at);
		if (at == 0)
			return false;
	}
	return true;
}

static bool read_heap(struct table *table, uint64_t address)
{
	struct classic_group *group = table->group;
	uint8_t head[HEAP_HEAD];

	if (!classic_read(table->file, address, head, sizeof(head)))
		return false;
	if (memcmp(head, "HEAP", 4) != 0)
		return classic_damaged(table->file, "a group without its heap "
						    "of names");
	table->heap_size = get_le64(head + 8);
	if (head[4] || table->heap_size == 0 || table->heap_size > MAX_HEAP)
		return false;
	group->names = malloc((size_t)table->heap_size);
	if (!group->names ||
	    !classic_read(table->file, get_le64(head + 24), group->names,
			  (size_t)table->heap_size))
		return false;
	return check_free_list(group->names, table->heap_size,
			       get_le64(head + 16)) ||
	       classic_damaged(table->file, "a heap of names whose free space "
					    "lies elsewhere");
}

static const char *name_at(const struct table *table, uint64_t offset)
{
	const char *name;

	if (offset < table->heap_size) {
		name = table->group->names + offset;
		if (memchr(name, '\0', (size_t)(table->heap_size - offset)))
			return name;
	}
	classic_damaged(table->file, "a name that is not in its heap");
	return NULL;
}

/* ---- The tree --------------------------------------------------------- */

static bool add_entry(struct classic_group *group, const char *name,
		      uint64_t address)
{
	if (group->n_entries > WH_MAX_TENSORS ||
	    array_grow(&group->entries, group->n_entries, &group->room,
		       sizeof(*group->entries), NULL))
		return false;
	group->entries[group->n_entries++] =
		(struct classic_entry){name, address};
	return true;
}

/* Entries whose names are greater than `low` and not greater than `high`. */
static bool read_leaf(struct table *table, uint64_t address, uint8_t *leaf,
		      const char *low, const char *high)
{
	size_t size = LEAF_HEAD + (size_t)table->file->leaf_k * 2 * ENTRY_SIZE;
	uint32_t i, n;

	if (size > MAX_NODE_SIZE ||
	    !classic_read(table->file, address, leaf, size))
		return false;
	if (memcmp(leaf, "SNOD", 4) != 0)
		return classic_damaged(table->file, "a group without a leaf");
	n = get_le16(leaf + 6);
	if (n > table->file->leaf_k * 2)
		return classic_damaged(table->file, "a leaf of too many links");
	if (n == 0 || leaf[4] != 1 || leaf[5])
		return false;
	for (i = 0; i < n; i++) {
		const uint8_t *entry = leaf + LEAF_HEAD + i * ENTRY_SIZE;
		const char *name = name_at(table, get_le64(entry));

		if (!name || strcmp(low, name) >= 0 || strcmp(name, high) > 0 ||
		    get_le32(entry + 16) >= CACHED_LINK ||
		    !add_entry(table->group, name, get_le64(entry + 8)))
			return false;
		low = name;
	}
	return true;
}

/* The nodes below one have a lower level, so depth ends; names ascend over
 * all, so that no node is read twice. */
static bool read_node(struct table *table, uint64_t address, uint8_t *node,
		      unsigned level, const char *low, const char *high)
{
	size_t size = NODE_HEAD + (size_t)table->file->node_k * 32 + 8;
	uint32_t i, n;

	if (!classic_read(table->file, address, node, size))
		return false;
	n = get_le16(node + 6);
	if (memcmp(node, "TREE", 5) != 0 || node[5] != level ||
	    n > table->file->node_k * 2)
		return classic_damaged(table->file,
				       "a group without a node of its tree");
	for (i = 0; i < n; i++) {
		const uint8_t *key = node + NODE_HEAD + (size_t)i * 16;
		const char *from = name_at(table, get_le64(key));
		const char *to = name_at(table, get_le64(key + 16));
		uint64_t child = get_le64(key + 8);

		if (!from || !to || strcmp(from, low) < 0 ||
		    (high && strcmp(to, high) > 0) ||
		    !(level ? read_node(table, child, node + MAX_NODE_SIZE,
					level - 1, from, to)
			    : read_leaf(table, child, node + MAX_NODE_SIZE,
					from, to)))
			return false;
		low = to;
	}
	return n > 0 || !high;
}

static bool read_tree(struct table *table, uint64_t address)
{
	size_t size = NODE_HEAD + (size_t)table->file->node_k * 32 + 8;
	uint8_t head[6];
	bool done;

	if (!classic_read(table->file, address, head, sizeof(head)) ||
	    head[5] > MAX_LEVEL || size > MAX_NODE_SIZE)
		return false;
	table->buffer = malloc((head[5] + 2) * MAX_NODE_SIZE);
	done = table->buffer &&
	       read_node(table, address, table->buffer, head[5], "", NULL);
	free(table->buffer);
	return done;
}

/* ---- Groups ----------------------------------------------------------- */

static bool is_group(const struct classic_header *header)
{
	return !classic_header_count(header, CLASSIC_DATATYPE) &&
	       !classic_header_count(header, CLASSIC_DATASPACE) &&
	       !classic_header_count(header, CLASSIC_LAYOUT) &&
	       !classic_header_count(header, CLASSIC_FILL);
}

static bool read_group(struct classic_file *file, struct classic_group *group)
{
	struct table table = {.file = file, .group = group};
	const uint8_t *message;
	uint64_t tree, heap;
	size_t size;

	if (!classic_header_read(file, group->address, &group->header) ||
	    !is_group(&group->header))
		return false;
	message = classic_header_find(&group->header, CLASSIC_SYMBOL_TABLE,
				      &size);
	if (!message || size != 16)
		return false;
	tree = get_le64(message);
	heap = get_le64(message + 8);
	/* The superblock may say it, too. */
	if (group->address == file->root &&
	    file->root_tree != CLASSIC_NOWHERE &&
	    (file->root_tree != tree || file->root_heap != heap))
		return false;
	return read_heap(&table, heap) && read_tree(&table, tree);
}

struct classic_group *classic_group_open(struct classic_file *file,
					 uint64_t address)
{
	struct classic_group *group;

	if (file->last && file->last->address == address) {
		file->last->references++;
		return file->last;
	}
	group = calloc(1, sizeof(*group));
	if (!group)
		return NULL;
	group->references = 1;
	group->address = address;
	if (!read_group(file, group)) {
		classic_group_close(group);
		return NULL;
	}
	classic_group_close(file->last);
	file->last = group;
	group->references++;
	return group;
}

const struct classic_entry *
classic_group_find(const struct classic_group *group, const char *name)
{
	uint32_t low = 0, high = group->n_entries;

	while (low < high) {
		uint32_t middle = low + (high - low) / 2;
		int order = strcmp(group->entries[middle].name, name);

		if (order == 0)
			return &group->entries[middle];
		if (order < 0)
			low = middle + 1;
		else
			high = middle;
	}
	return NULL;
}

/* ---- Paths ------------------------------------------------------------ */

/* The group that the last component of `path` is in, which it is cut to. */
static struct classic_group *enter(struct classic_file *file,
				   struct classic_group *group, char *path,
				   const char **last)
{
	char *name = path, *slash;

	group->references++;
	for (; group && (slash = strchr(name, '/')); name = slash + 1) {
		const struct classic_entry *entry;
		struct classic_group *next;

		*slash = '\0';
		entry = classic_group_find(group, name);
		next = entry ? classic_group_open(file, entry->address) : NULL;
		classic_group_close(group);
		group = next;
	}
	*last = name;
	return group;
}

bool classic_path_object(struct classic_file *file, struct classic_group *group,
			 const char *path, uint64_t *address)
{
	char copy[WH_MAX_NAME + 1];
	const struct classic_entry *entry = NULL;
	const char *last;

	if (strlen(path) > WH_MAX_NAME || !h5_name_is_plain(path))
		return false;
	strcpy(copy, path);
	group = enter(file, group, copy, &last);
	if (group)
		entry = classic_group_find(group, last);
	if (entry)
		*address = entry->address;
	classic_group_close(group);
	return entry != NULL;
}

struct classic_group *classic_path_group(struct classic_file *file,
					 struct classic_group *group,
					 const char *path)
{
	uint64_t address;

	return classic_path_object(file, group, path, &address)
		       ? classic_group_open(file, address)
		       : NULL;
}
