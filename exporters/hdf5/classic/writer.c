/* The file as a whole (II.A, file.c), groups, and datasets (dataset.c). */
#include "hdf5/classic/writer.h"

#include <stdlib.h>
#include <string.h>

#include "base/array.h"
#include "base/endian.h"
#include "hdf5/classic/header.h"
#include "hdf5/classic/new_group.h"
#include "hdf5/classic/types.h"

#define SUPERBLOCK_SIZE	 96u
#define DATASET_PREFIX	 16u
#define DATASET_HEADER	 256u /* without its prefix */
#define MESSAGE_HEAD	 ((size_t)8)
#define MESSAGE_CONSTANT 1u
#define SURELY_UNWRITTEN ((uint64_t)512 << 10)
#define SURELY_CACHED	 ((uint64_t)1536 << 10)
#define NOWHERE		 UINT64_MAX
#define FEW_ZEROS	 ((uint64_t)64)
#define DIGIT_BITS	 11u
#define DIGITS		 ((size_t)1 << DIGIT_BITS)

bool classic_is_unwritten(const struct classic_writer *writer, uint64_t touched)
{
	return writer->made - touched <= SURELY_UNWRITTEN;
}

bool classic_is_cached(const struct classic_writer *writer, uint64_t touched)
{
	return writer->made - touched <= SURELY_CACHED;
}

uint64_t classic_take(struct classic_writer *writer, uint64_t size)
{
	writer->made += size;
	return space_take(&writer->space, SPACE_META, size);
}

/* Without the zeros at its end, if they are many: tables of few entries are
 * mostly that. */
static uint64_t size_to_keep(const uint8_t *bytes, uint64_t size)
{
	uint64_t kept = size, word;

	for (; kept >= sizeof(word); kept -= sizeof(word)) {
		memcpy(&word, bytes + kept - sizeof(word), sizeof(word));
		if (word)
			break;
	}
	return size - kept < FEW_ZEROS ? size : kept;
}

bool classic_keep(struct classic_writer *writer, uint64_t address,
		  const void *bytes, uint64_t size)
{
	uint64_t start = writer->bytes.size;

	if (array_grow(&writer->pieces, writer->n_pieces, &writer->room,
		       sizeof(*writer->pieces), NULL))
		return false;
	size = size_to_keep(bytes, size);
	if (wh_buf_append(&writer->bytes, bytes, (size_t)size, NULL))
		return false;
	writer->pieces[writer->n_pieces++] =
		(struct classic_piece){address, size, start};
	return true;
}

/* ---- Groups ------------------------------------------------------------- */

static struct classic_new_group *make_group(struct classic_writer *writer)
{
	struct classic_new_group *group = calloc(1, sizeof(*group));

	if (group && new_header_make(writer, group) &&
	    table_make(writer, &group->table))
		return group;
	classic_group_drop(group);
	return NULL;
}

bool classic_group_make(struct classic_writer *writer,
			struct classic_new_group *at, const char *name,
			struct classic_new_group **out)
{
	struct classic_new_group *group = make_group(writer);
	struct table_entry entry;

	if (!group)
		return false;
	entry = (struct table_entry){.header = group->chunks[0].address,
				     .tree = group->table.tree,
				     .heap = group->table.heap};
	if (!table_add(writer, &at->table, name, &entry)) {
		classic_group_drop(group);
		return false;
	}
	*out = group;
	return true;
}

void classic_group_drop(struct classic_new_group *group)
{
	if (!group)
		return;
	table_free(&group->table);
	new_header_free(group);
	free(group);
}

bool classic_group_finish(struct classic_writer *writer,
			  struct classic_new_group *group)
{
	bool done = !group || (table_finish(writer, &group->table) &&
			       new_header_finish(writer, group));

	classic_group_drop(group);
	return done;
}

/* ---- Datasets ----------------------------------------------------------- */

static uint8_t *put_message(uint8_t *at, enum classic_message_type type,
			    unsigned flags, const void *data, size_t size)
{
	size_t padded = (size + 7) / 8 * 8;

	put_le16(at, (uint16_t)type);
	put_le16(at + 2, (uint16_t)padded);
	at[4] = (uint8_t)flags;
	if (data)
		memcpy(at + MESSAGE_HEAD, data, size);
	return at + MESSAGE_HEAD + padded;
}

static size_t encode_space(const struct wh_tensor *tensor, uint8_t *out)
{
	size_t i;

	memset(out, 0, 8);
	out[0] = 1;
	out[1] = (uint8_t)tensor->rank;
	out[2] = tensor->rank > 0;
	for (i = 0; i < tensor->rank; i++) {
		put_le64(out + 8 + i * 8, tensor->shape[i]);
		put_le64(out + 8 + (tensor->rank + i) * 8, tensor->shape[i]);
	}
	return 8 + (size_t)tensor->rank * 16;
}

/* The header but for the payload's address; returns where that goes. */
static uint8_t *fill_dataset(uint8_t *header, const struct wh_tensor *tensor)
{
	static const uint8_t default_fill[8] = {2, 2, 2, 1};
	uint8_t space[8 + 16 * WH_MAX_RANK], type[CLASSIC_TYPE_MAX];
	size_t space_size = encode_space(tensor, space);
	size_t type_size = classic_type_encode(tensor->dtype, false, type);
	uint8_t *end = header + DATASET_PREFIX + DATASET_HEADER, *at, *layout;

	if (type_size == 0 || 4 * MESSAGE_HEAD + space_size +
					      (type_size + 7) / 8 * 8 + 8 + 24 +
					      MESSAGE_HEAD >
				      DATASET_HEADER)
		return NULL;
	header[0] = 1;
	put_le16(header + 2, 5);
	put_le32(header + 4, 1);
	put_le32(header + 8, DATASET_HEADER);
	at = put_message(header + DATASET_PREFIX, CLASSIC_DATASPACE, 0, space,
			 space_size);
	at = put_message(at, CLASSIC_DATATYPE, MESSAGE_CONSTANT, type,
			 type_size);
	at = put_message(at, CLASSIC_FILL, MESSAGE_CONSTANT, default_fill,
			 sizeof(default_fill));
	layout = at + MESSAGE_HEAD;
	at = put_message(at, CLASSIC_LAYOUT, 0, NULL, 24);
	layout[0] = 3;
	layout[1] = 1;
	put_le64(layout + 10, tensor->nbytes);
	put_message(at, CLASSIC_NIL, 0, NULL,
		    (size_t)(end - at) - MESSAGE_HEAD);
	return layout + 2;
}

bool classic_dataset_make(struct classic_writer *writer,
			  struct classic_new_group *at, const char *name,
			  const struct wh_tensor *tensor, uint64_t *offset)
{
	uint8_t header[DATASET_PREFIX + DATASET_HEADER] = {0};
	uint8_t *address = fill_dataset(header, tensor);
	struct table_entry entry = {0};

	if (!address)
		return false;
	entry.header = classic_take(writer, sizeof(header));
	if (!table_add(writer, &at->table, name, &entry))
		return false;
	*offset = tensor->nbytes ? space_take(&writer->space, SPACE_RAW,
					      tensor->nbytes)
				 : NOWHERE;
	put_le64(address, *offset);
	return classic_keep(writer, entry.header, header, sizeof(header));
}

/* ---- Files -------------------------------------------------------------- */

bool classic_writer_open(struct classic_writer *writer,
			 struct classic_new_group **root)
{
	*writer = (struct classic_writer){0};
	classic_take(writer, SUPERBLOCK_SIZE);
	*root = make_group(writer);
	return *root != NULL;
}

static bool keep_superblock(struct classic_writer *writer, uint64_t root,
			    uint64_t tree, uint64_t heap)
{
	uint8_t bytes[SUPERBLOCK_SIZE] = {0x89, 'H',  'D',  'F',
					  '\r', '\n', 0x1a, '\n'};

	bytes[13] = bytes[14] = 8;
	put_le16(bytes + 16, TABLE_LEAF / 2);
	put_le16(bytes + 18, TABLE_NODE / 2);
	put_le64(bytes + 32, NOWHERE);
	put_le64(bytes + 40, writer->space.end);
	put_le64(bytes + 48, NOWHERE);
	put_le64(bytes + 64, root);
	put_le32(bytes + 72, 1);
	put_le64(bytes + 80, tree);
	put_le64(bytes + 88, heap);
	return classic_keep(writer, 0, bytes, sizeof(bytes));
}

/* By one digit of the address; `from` is in the order of the lower ones. */
static void sort_by_digit(const struct classic_piece *from,
			  struct classic_piece *to, size_t n, unsigned shift)
{
	size_t at[DIGITS] = {0}, i, sum = 0;

	for (i = 0; i < n; i++)
		at[from[i].address >> shift & (DIGITS - 1)]++;
	for (i = 0; i < DIGITS; i++) {
		size_t count = at[i];

		at[i] = sum;
		sum += count;
	}
	for (i = 0; i < n; i++)
		to[at[from[i].address >> shift & (DIGITS - 1)]++] = from[i];
}

/* Addresses are of few bits: no comparison sort is as fast. */
static bool sort_pieces(struct classic_writer *writer)
{
	size_t n = writer->n_pieces;
	struct classic_piece *spare = calloc(n, sizeof(*spare)), *sorted;
	unsigned shift;

	for (shift = 0; spare && shift < 64 && writer->space.end >> shift;
	     shift += DIGIT_BITS) {
		sort_by_digit(writer->pieces, spare, n, shift);
		sorted = spare;
		spare = writer->pieces;
		writer->pieces = sorted;
	}
	free(spare);
	return spare != NULL;
}

bool classic_writer_finish(struct classic_writer *writer,
			   struct classic_new_group *root)
{
	uint64_t header = root->chunks[0].address, tree = root->table.tree,
		 heap = root->table.heap;
	bool done = classic_group_finish(writer, root);
	uint32_t i;

	for (i = 0; done && i < writer->n_collections; i++)
		done = classic_keep(writer, writer->collections[i]->address,
				    writer->collections[i]->bytes,
				    writer->collections[i]->size);
	space_close(&writer->space);
	if (!done || writer->failed || writer->space.failed ||
	    !keep_superblock(writer, header, tree, heap))
		return false;
	return sort_pieces(writer);
}

void classic_writer_close(struct classic_writer *writer)
{
	uint32_t i;

	for (i = 0; i < writer->n_collections; i++) {
		free(writer->collections[i]->bytes);
		free(writer->collections[i]);
	}
	space_free(&writer->space);
	wh_buf_free(&writer->bytes);
	free(writer->pieces);
	*writer = (struct classic_writer){0};
}
