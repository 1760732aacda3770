/* Strings of variable length go into collections (III.E; strings.c shows
 * them): into the first of those made or used last that has room, else into
 * one of them that can grow where it lies, else into a new one.
 */
#include <stdlib.h>
#include <string.h>

#include "base/endian.h"
#include "hdf5/classic/writer.h"

#define HEAD_SIZE    16u /* of a collection, and of a string */
#define LEAST_SIZE   4096u
#define MOST_SIZE    65536u /* of one that grows */
#define MOST_STRINGS 65535u

static bool is_stale(const struct classic_writer *writer, uint32_t at)
{
	return !classic_is_cached(writer, writer->collections[at]->touched);
}

/* Where the list is full, the last one that has less room leaves it. Should it
 * not be the oldest one, or libhdf5 have forgotten some, this isn't followed
 * any further. */
static bool put_first(struct classic_writer *writer,
		      struct classic_collection *made)
{
	uint32_t i, last = writer->n_collections;

	if (last == CLASSIC_COLLECTIONS) {
		last--;
		if (writer->collections[last]->left >= made->left)
			return false;
		for (i = 0; !is_stale(writer, last) && i < last; i++)
			if (is_stale(writer, i))
				return false;
		if (!classic_keep(writer, writer->collections[last]->address,
				  writer->collections[last]->bytes,
				  writer->collections[last]->size))
			return false;
		free(writer->collections[last]->bytes);
		free(writer->collections[last]);
	} else {
		writer->n_collections++;
	}
	memmove(writer->collections + 1, writer->collections,
		last * sizeof(made));
	writer->collections[0] = made;
	return true;
}

static struct classic_collection *make(struct classic_writer *writer,
				       uint64_t need)
{
	struct classic_collection *made = calloc(1, sizeof(*made));
	uint64_t size = need + HEAD_SIZE;

	if (!made)
		return NULL;
	made->size = size < LEAST_SIZE ? LEAST_SIZE : size;
	made->left = made->size - HEAD_SIZE;
	made->bytes = calloc(1, (size_t)made->size);
	if (!made->bytes || !put_first(writer, made)) {
		free(made->bytes);
		free(made);
		return NULL;
	}
	made->address = space_take(&writer->space, SPACE_RAW, made->size);
	writer->made += made->size;
	memcpy(made->bytes, "GCOL\1", 5);
	return made;
}

static bool grow(struct classic_writer *writer, struct classic_collection *at,
		 uint64_t need)
{
	uint64_t more = need - at->left;
	uint8_t *grown;

	if (more < at->size)
		more = at->size;
	if (at->size + more > MOST_SIZE ||
	    !space_extend(&writer->space, SPACE_RAW, at->address, at->size,
			  more))
		return false;
	grown = realloc(at->bytes, (size_t)(at->size + more));
	if (!grown) {
		writer->failed = true;
		return false;
	}
	memset(grown + at->size, 0, (size_t)more);
	at->bytes = grown;
	at->size += more;
	at->left += more;
	writer->made += more;
	return true;
}

/* The place in the list of one with room; n_collections if there is none. */
static uint32_t find(struct classic_writer *writer, uint64_t need)
{
	uint32_t i;

	for (i = 0; i < writer->n_collections; i++)
		if (writer->collections[i]->left >= need)
			return i;
	for (i = 0; i < writer->n_collections; i++)
		if (grow(writer, writer->collections[i], need))
			break;
	return i;
}

/* It moves one place ahead. */
static struct classic_collection *use(struct classic_writer *writer,
				      uint32_t at)
{
	struct classic_collection *used = writer->collections[at];

	if (is_stale(writer, at) || (at && is_stale(writer, at - 1)))
		return NULL;
	if (at) {
		writer->collections[at] = writer->collections[at - 1];
		writer->collections[at - 1] = used;
	}
	return used;
}

/* What is left is a string, too, of index 0, if it is large enough. */
static void put_left(struct classic_collection *at)
{
	uint8_t *head = at->bytes + at->size - at->left;

	put_le64(at->bytes + 8, at->size);
	if (at->left < HEAD_SIZE)
		return;
	memset(head, 0, 8);
	put_le64(head + 8, at->left);
}

bool classic_put_string(struct classic_writer *writer, const char *text,
			uint8_t reference[16])
{
	size_t len = strlen(text);
	uint64_t need = HEAD_SIZE + (len + 7) / 8 * 8;
	uint32_t found = find(writer, need);
	struct classic_collection *at = found < writer->n_collections
						? use(writer, found)
						: make(writer, need);
	uint8_t *head;

	if (len == 0 || len > UINT32_MAX || !at || at->n == MOST_STRINGS)
		return false;
	head = at->bytes + at->size - at->left;
	memset(head, 0, HEAD_SIZE);
	put_le16(head, (uint16_t)++at->n);
	put_le64(head + 8, len);
	memcpy(head + HEAD_SIZE, text, len);
	at->left -= need;
	put_left(at);
	at->touched = writer->made;
	put_le32(reference, (uint32_t)len);
	put_le64(reference + 4, at->address);
	put_le32(reference + 12, at->n);
	return true;
}
