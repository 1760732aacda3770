/* A group's object header (header.c shows one) has room for one message, that
 * of its table (IV.A.2.r). For an attribute libhdf5 first tries to make one of
 * the chunks longer, in order. Else it makes a new chunk, moves the table's
 * message there, and puts the continuation in its place.
 */
#include <stdlib.h>
#include <string.h>

#include "base/endian.h"
#include "hdf5/classic/header.h"
#include "hdf5/classic/new_group.h"

#define PREFIX_SIZE   16u
#define MESSAGE_HEAD  8u
#define TABLE_MESSAGE 24u /* head and two addresses */
#define MOST_MESSAGE  65535u

static struct new_chunk *add_chunk(struct classic_writer *writer,
				   struct classic_new_group *group,
				   uint64_t size)
{
	struct new_chunk *grown =
		realloc(group->chunks, (group->n_chunks + 1) * sizeof(*grown));
	struct new_chunk *chunk;

	if (!grown)
		return NULL;
	group->chunks = grown;
	chunk = &grown[group->n_chunks++];
	*chunk = (struct new_chunk){.address = classic_take(writer, size),
				    .size = size,
				    .bytes = calloc(1, (size_t)size)};
	return chunk->bytes ? chunk : NULL;
}

static void put_head(uint8_t *at, enum classic_message_type type, uint64_t size)
{
	put_le16(at, (uint16_t)type);
	put_le16(at + 2, (uint16_t)size);
	put_le32(at + 4, 0);
}

bool new_header_make(struct classic_writer *writer,
		     struct classic_new_group *group)
{
	struct new_chunk *chunk =
		add_chunk(writer, group, PREFIX_SIZE + TABLE_MESSAGE);

	if (!chunk)
		return false;
	group->n_messages = 1;
	group->table_offset = PREFIX_SIZE;
	put_head(chunk->bytes + PREFIX_SIZE, CLASSIC_SYMBOL_TABLE, 16);
	return true;
}

/* Room for `more` bytes at the end of one of the chunks, if one can grow. */
static uint8_t *extend(struct classic_writer *writer,
		       struct classic_new_group *group, uint64_t more)
{
	uint32_t i;

	for (i = 0; i < group->n_chunks; i++) {
		struct new_chunk *chunk = &group->chunks[i];
		uint8_t *grown;

		if (!space_extend(&writer->space, SPACE_META, chunk->address,
				  chunk->size, more))
			continue;
		grown = realloc(chunk->bytes, (size_t)(chunk->size + more));
		if (!grown) {
			writer->failed = true;
			return NULL;
		}
		chunk->bytes = grown;
		memset(grown + chunk->size, 0, (size_t)more);
		chunk->size += more;
		return grown + chunk->size - more;
	}
	return NULL;
}

/* Room for `more` bytes in a new chunk, behind the table's message. */
static uint8_t *append(struct classic_writer *writer,
		       struct classic_new_group *group, uint64_t more)
{
	struct new_chunk *chunk =
		add_chunk(writer, group, TABLE_MESSAGE + more);
	uint8_t *left;

	if (!chunk)
		return NULL;
	left = group->chunks[group->table_chunk].bytes + group->table_offset;
	memcpy(chunk->bytes, left, TABLE_MESSAGE);
	put_head(left, CLASSIC_CONTINUATION, 16);
	chunk->from = group->table_chunk;
	chunk->from_offset = group->table_offset + MESSAGE_HEAD;
	group->table_chunk = group->n_chunks - 1;
	group->table_offset = 0;
	group->n_messages++;
	return chunk->bytes + TABLE_MESSAGE;
}

uint8_t *new_header_add(struct classic_writer *writer,
			struct classic_new_group *group, uint64_t size)
{
	uint64_t padded = (size + 7) / 8 * 8;
	uint8_t *at;

	if (padded > MOST_MESSAGE)
		return NULL;
	at = extend(writer, group, MESSAGE_HEAD + padded);
	if (!at)
		at = append(writer, group, MESSAGE_HEAD + padded);
	if (!at)
		return NULL;
	put_head(at, CLASSIC_ATTRIBUTE, padded);
	group->n_messages++;
	return at + MESSAGE_HEAD;
}

bool new_header_finish(struct classic_writer *writer,
		       struct classic_new_group *group)
{
	uint8_t *prefix = group->chunks[0].bytes;
	uint8_t *table = group->chunks[group->table_chunk].bytes +
			 group->table_offset + MESSAGE_HEAD;
	uint32_t i;

	if (group->n_messages > UINT16_MAX)
		return false;
	prefix[0] = 1;
	put_le16(prefix + 2, (uint16_t)group->n_messages);
	put_le32(prefix + 4, 1);
	put_le32(prefix + 8, (uint32_t)(group->chunks[0].size - PREFIX_SIZE));
	put_le64(table, group->table.tree);
	put_le64(table + 8, group->table.heap);
	for (i = 1; i < group->n_chunks; i++) {
		const struct new_chunk *chunk = &group->chunks[i];
		uint8_t *from =
			group->chunks[chunk->from].bytes + chunk->from_offset;

		put_le64(from, chunk->address);
		put_le64(from + 8, chunk->size);
	}
	for (i = 0; i < group->n_chunks; i++)
		if (!classic_keep(writer, group->chunks[i].address,
				  group->chunks[i].bytes,
				  group->chunks[i].size))
			return false;
	return true;
}

void new_header_free(struct classic_new_group *group)
{
	uint32_t i;

	for (i = 0; i < group->n_chunks; i++)
		free(group->chunks[i].bytes);
	free(group->chunks);
}
