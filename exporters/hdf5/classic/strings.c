/* An attribute message (IV.A.2.m) of version 1:
 *
 *	uint8 version, reserved | uint16 sizes of name, type, space |
 *	name, type, space, each padded to 8 bytes | data
 *
 * of version 3: the second byte is flags, behind the sizes stands the name's
 * character set, and nothing is padded.
 *
 * Strings of variable length are references, here and in heaps (III.E):
 *
 *	uint32 length | uint64 address of the collection | uint32 index
 *	"GCOL" | version 1, 3 reserved | uint64 size | objects
 *	uint16 index | uint16 references, 4 reserved | uint64 size | data,
 *	padded to 8 bytes; index 0 is the free space at the end
 */
#include "hdf5/classic/strings.h"

#include <stdlib.h>
#include <string.h>

#include "base/checked.h"
#include "base/endian.h"

#define OBJECT_HEAD 16u
#define MIN_HEAP    4096u

/* ---- Attributes ------------------------------------------------------- */

/* Where the parts of an attribute message lie. */
struct parts {
	uint64_t name, type, space, data;
	uint64_t name_size, type_size, space_size;
};

static uint64_t pad(uint64_t size, bool padded)
{
	return padded ? (size + 7) / 8 * 8 : size;
}

static bool find_parts(const uint8_t *bytes, size_t size, struct parts *parts)
{
	bool first = bytes[0] == 1;

	if (size < 9 || (!first && bytes[0] != 3) || bytes[1] ||
	    (!first && bytes[8] > 1))
		return false;
	parts->name_size = get_le16(bytes + 2);
	parts->type_size = get_le16(bytes + 4);
	parts->space_size = get_le16(bytes + 6);
	parts->name = first ? 8 : 9;
	parts->type = parts->name + pad(parts->name_size, first);
	parts->space = parts->type + pad(parts->type_size, first);
	parts->data = parts->space + pad(parts->space_size, first);
	return parts->data <= size && parts->name_size > 1 &&
	       strnlen((const char *)bytes + parts->name,
		       (size_t)parts->name_size) == parts->name_size - 1;
}

static bool decode_type(const uint8_t *bytes, size_t size,
			struct classic_attribute *attribute,
			uint64_t *element_size)
{
	enum wh_dtype dtype;
	unsigned swap;

	attribute->is_string =
		classic_string_decode(bytes, size, &attribute->string);
	*element_size = attribute->string.size;
	if (attribute->is_string)
		return true;
	dtype = classic_type_decode(bytes, size, &swap);
	*element_size = wh_dtype_size(dtype);
	return dtype != WH_DTYPE_NONE;
}

static bool decode(const uint8_t *bytes, size_t size,
		   struct classic_attribute *attribute)
{
	struct parts parts;
	uint64_t element_size, nbytes;

	if (!find_parts(bytes, size, &parts) ||
	    !classic_space_decode(bytes + parts.space, (size_t)parts.space_size,
				  &attribute->space) ||
	    !decode_type(bytes + parts.type, (size_t)parts.type_size, attribute,
			 &element_size) ||
	    !checked_mul(element_size, attribute->space.n, &nbytes))
		return false;
	attribute->name = (const char *)bytes + parts.name;
	attribute->data = bytes + parts.data;
	return nbytes <= size - parts.data;
}

bool classic_attribute_find(const struct classic_header *header,
			    const char *name, struct classic_attribute *found,
			    bool *exists)
{
	uint32_t i;

	*exists = false;
	for (i = 0; i < header->n_messages; i++) {
		const struct classic_message *message = &header->messages[i];
		struct classic_attribute attribute = {0};

		if (message->type != CLASSIC_ATTRIBUTE)
			continue;
		if (!decode(header->bytes + message->offset, message->size,
			    &attribute))
			return false;
		if (strcmp(attribute.name, name) != 0)
			continue;
		if (*exists)
			return false;
		*found = attribute;
		*exists = true;
	}
	return true;
}

/* ---- Global heaps ----------------------------------------------------- */

static bool note_object(struct classic_heap *heap, uint32_t index,
			uint64_t offset)
{
	uint32_t wanted = heap->n ? heap->n : 64;
	uint32_t *grown;

	if (index >= heap->n) {
		while (wanted <= index)
			wanted *= 2;
		grown = realloc(heap->offset_of, wanted * sizeof(*grown));
		if (!grown)
			return false;
		memset(grown + heap->n, 0, (wanted - heap->n) * sizeof(*grown));
		heap->offset_of = grown;
		heap->n = wanted;
	}
	if (heap->offset_of[index])
		return false;
	heap->offset_of[index] = (uint32_t)offset;
	return true;
}

/* Objects fill the collection; free space that is too small for a head is
 * just zeros. */
static bool note_objects(struct classic_heap *heap)
{
	uint64_t at = OBJECT_HEAD, size;

	if (heap->n)
		memset(heap->offset_of, 0, heap->n * sizeof(*heap->offset_of));
	while (heap->size - at >= OBJECT_HEAD) {
		const uint8_t *object = heap->bytes + at;
		uint32_t index = get_le16(object);

		size = get_le64(object + 8);
		if (index == 0)
			return size == heap->size - at;
		if (!note_object(heap, index, at) || size > heap->size)
			return false;
		at += OBJECT_HEAD + (size + 7) / 8 * 8;
		if (at > heap->size)
			return false;
	}
	return true;
}

static bool load_heap(struct classic_file *file, uint64_t address,
		      uint64_t max_size)
{
	struct classic_heap *heap = &file->heap;
	uint8_t head[OBJECT_HEAD];
	uint8_t *grown;

	if (heap->address == address)
		return heap->size <= max_size;
	heap->address = CLASSIC_NOWHERE;
	if (!classic_read(file, address, head, sizeof(head)))
		return false;
	if (memcmp(head, "GCOL", 4) != 0)
		return classic_damaged(file, "a string without its heap");
	if (head[4] != 1 || head[5] || head[6] || head[7])
		return false;
	heap->size = get_le64(head + 8);
	if (heap->size < MIN_HEAP || heap->size > max_size || heap->size % 8)
		return false;
	grown = realloc(heap->bytes, (size_t)heap->size);
	if (!grown)
		return false;
	heap->bytes = grown;
	if (!classic_read(file, address, heap->bytes, (size_t)heap->size))
		return false;
	if (!note_objects(heap))
		return classic_damaged(file, "a heap of strings whose sizes "
					     "don't add up");
	heap->address = address;
	return true;
}

/* The object is just as large as its reference says, and no C string ends
 * within it: so libhdf5 hands out the same. */
static bool follow(struct classic_file *file, const uint8_t *reference,
		   uint64_t max_heap, const char **bytes, size_t *length)
{
	const struct classic_heap *heap = &file->heap;
	uint64_t address = get_le64(reference + 4);
	uint32_t index = get_le32(reference + 12), offset;

	*length = get_le32(reference);
	*bytes = "";
	if (address == 0 || *length == 0)
		return address == 0 && *length == 0 && index == 0;
	if (max_heap > UINT32_MAX || !load_heap(file, address, max_heap) ||
	    index == 0 || index >= heap->n)
		return false;
	offset = heap->offset_of[index];
	if (!offset || get_le64(heap->bytes + offset + 8) != *length)
		return false;
	*bytes = (const char *)heap->bytes + offset + OBJECT_HEAD;
	return !memchr(*bytes, '\0', *length);
}

bool classic_attribute_string(struct classic_file *file,
			      const struct classic_attribute *attribute,
			      uint64_t index, uint64_t max_heap,
			      const char **bytes, size_t *length)
{
	const uint8_t *at = attribute->data + index * attribute->string.size;

	if (attribute->string.variable)
		return follow(file, at, max_heap, bytes, length);
	*bytes = (const char *)at;
	*length = attribute->string.size;
	return true;
}
