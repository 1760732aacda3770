/* An object header of version 1 (IV.A.1.a), then its first chunk:
 *
 *	uint8 version, 1 | reserved | uint16 number of messages
 *	uint32 references | uint32 size of the chunk | 4 bytes to align
 *
 * A chunk is messages: uint16 type, uint16 size (a multiple of 8), uint8
 * flags, 3 reserved, data. A continuation (IV.A.2.q) is the offset and the
 * length of a further chunk.
 */
#include "hdf5/classic/header.h"

#include <stdlib.h>
#include <string.h>

#include "base/checked.h"
#include "base/endian.h"

#define PREFIX_SIZE  16u
#define MESSAGE_HEAD 8u
/* Attributes end at 64 KiB, but there may be many. */
#define MAX_SIZE ((uint64_t)16 << 20)
/* That a message doesn't change, and isn't to be shared, says nothing about
 * it. All other flags are declined. */
#define HARMLESS_FLAGS 5u

void classic_header_free(struct classic_header *header)
{
	free(header->bytes);
	free(header->messages);
	*header = (struct classic_header){0};
}

static bool is_known(unsigned type)
{
	switch (type) {
	case CLASSIC_NIL:
	case CLASSIC_DATASPACE:
	case CLASSIC_DATATYPE:
	case CLASSIC_FILL:
	case CLASSIC_LAYOUT:
	case CLASSIC_ATTRIBUTE:
	case CLASSIC_CONTINUATION:
	case CLASSIC_SYMBOL_TABLE:
	case CLASSIC_MODIFIED:
		return true;
	default:
		return false;
	}
}

static bool read_chunk(struct classic_file *file, uint64_t offset,
		       uint64_t length, struct classic_header *header)
{
	uint8_t *grown;

	if (!range_fits(offset, length, file->end))
		return classic_damaged(file, "an object header beyond its end");
	if (length > MAX_SIZE - header->size)
		return false;
	grown = realloc(header->bytes, (size_t)(header->size + length) + 1);
	if (!grown)
		return false;
	header->bytes = grown;
	if (!classic_read(file, offset, grown + header->size, (size_t)length))
		return false;
	header->size += length;
	return true;
}

/* The messages of the bytes from `at` on; `*left` of those that the header
 * announces are still to come. Continuations stay in the list, for now. */
static bool list_messages(struct classic_file *file,
			  struct classic_header *header, uint64_t at,
			  uint32_t *left)
{
	while (at < header->size) {
		const uint8_t *head = header->bytes + at;
		struct classic_message message = {.offset = at + MESSAGE_HEAD};

		if (header->size - at < MESSAGE_HEAD || *left == 0)
			return false;
		message.size = get_le16(head + 2);
		if (message.size > header->size - message.offset)
			return classic_damaged(file, "an object header whose "
						     "messages are too long");
		if (!is_known(get_le16(head)) || message.size % 8 ||
		    (head[4] & ~HARMLESS_FLAGS))
			return false;
		message.type = (enum classic_message_type)get_le16(head);
		--*left;
		at = message.offset + message.size;
		if (message.type != CLASSIC_NIL)
			header->messages[header->n_messages++] = message;
	}
	return true;
}

/* Chunks in the order of their continuations; each is a message, so there are
 * no more of them than the header announces. */
static bool follow(struct classic_file *file, struct classic_header *header,
		   uint32_t *left)
{
	uint32_t i, kept = 0;

	for (i = 0; i < header->n_messages; i++) {
		struct classic_message message = header->messages[i];
		const uint8_t *data = header->bytes + message.offset;
		uint64_t at = header->size;

		if (message.type != CLASSIC_CONTINUATION) {
			header->messages[kept++] = message;
			continue;
		}
		if (message.size != 16 || get_le64(data + 8) < MESSAGE_HEAD ||
		    !read_chunk(file, get_le64(data), get_le64(data + 8),
				header) ||
		    !list_messages(file, header, at, left))
			return false;
	}
	header->n_messages = kept;
	return true;
}

bool classic_header_read(struct classic_file *file, uint64_t address,
			 struct classic_header *header)
{
	uint8_t prefix[PREFIX_SIZE];
	uint32_t left;

	*header = (struct classic_header){0};
	if (!classic_read(file, address, prefix, sizeof(prefix)))
		return false;
	if (prefix[0] != 1 && memcmp(prefix, "OHDR", 4) != 0)
		return classic_damaged(file, "a link to what is no object");
	if (prefix[0] != 1 || prefix[1] || get_le32(prefix + 4) == 0)
		return false;
	left = get_le16(prefix + 2);
	header->messages = calloc((size_t)left + 1, sizeof(*header->messages));
	return header->messages &&
	       read_chunk(file, address + PREFIX_SIZE, get_le32(prefix + 8),
			  header) &&
	       list_messages(file, header, 0, &left) &&
	       follow(file, header, &left) && left == 0;
}

uint32_t classic_header_count(const struct classic_header *header,
			      enum classic_message_type type)
{
	uint32_t i, n = 0;

	for (i = 0; i < header->n_messages; i++)
		n += header->messages[i].type == type;
	return n;
}

const uint8_t *classic_header_find(const struct classic_header *header,
				   enum classic_message_type type, size_t *size)
{
	const struct classic_message *found = NULL;
	uint32_t i;

	for (i = 0; i < header->n_messages; i++) {
		if (header->messages[i].type != type)
			continue;
		if (found)
			return NULL;
		found = &header->messages[i];
	}
	if (!found)
		return NULL;
	*size = found->size;
	return header->bytes + found->offset;
}

/* uint8 version, rank, flags (1: with maxima) | 5 reserved | dimensions |
 * maxima */
bool classic_space_decode(const uint8_t *bytes, size_t size,
			  struct classic_space *space)
{
	size_t i;

	if (size < 8 || bytes[0] != 1 || bytes[1] > WH_MAX_RANK ||
	    bytes[2] > 1 || bytes[3] || get_le32(bytes + 4))
		return false;
	space->rank = bytes[1];
	if (size < 8 + (size_t)space->rank * 8 * (bytes[2] ? 2 : 1) ||
	    (bytes[2] && !space->rank))
		return false;
	for (i = 0; i < space->rank; i++) {
		space->dims[i] = get_le64(bytes + 8 + i * 8);
		if (bytes[2] && get_le64(bytes + 8 + (space->rank + i) * 8) <
					space->dims[i])
			return false;
	}
	return checked_shape(space->dims, space->rank, &space->n);
}
