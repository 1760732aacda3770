/* Attribute messages of version 1 (strings.c shows one). The message is made,
 * with room for its data, before strings go into collections.
 */
#include <string.h>

#include "base/endian.h"
#include "hdf5/classic/new_group.h"
#include "hdf5/classic/types.h"

#define REFERENCE_SIZE 16u

static uint64_t pad(uint64_t size)
{
	return (size + 7) / 8 * 8;
}

/* What an attribute is, but for its data. */
struct shape {
	const char *name;
	uint8_t type[CLASSIC_TYPE_MAX];
	size_t type_size;
	bool is_list;
	uint32_t n;
	uint64_t nbytes;
};

/* Returns where its data goes. */
static uint8_t *put(struct classic_writer *writer,
		    struct classic_new_group *group, const struct shape *shape)
{
	uint64_t name_size = strlen(shape->name) + 1;
	uint64_t space_size = shape->is_list ? 24 : 8;
	uint8_t *at =
		new_header_add(writer, group,
			       8 + pad(name_size) + pad(shape->type_size) +
				       space_size + shape->nbytes);

	if (!at)
		return NULL;
	at[0] = 1;
	put_le16(at + 2, (uint16_t)name_size);
	put_le16(at + 4, (uint16_t)shape->type_size);
	put_le16(at + 6, (uint16_t)space_size);
	memcpy(at + 8, shape->name, name_size);
	at += 8 + pad(name_size);
	memcpy(at, shape->type, shape->type_size);
	at += pad(shape->type_size);
	at[0] = 1;
	at[1] = at[2] = shape->is_list;
	if (shape->is_list) {
		put_le64(at + 8, shape->n);
		put_le64(at + 16, shape->n);
	}
	return at + space_size;
}

/* libhdf5 turns pointers of 8 bytes into references of 16 where they are, so
 * it takes first those at the end that have room: the second half, then the
 * half before that, and so on, and the last three backwards. */
static bool put_in_order(struct classic_writer *writer,
			 const char *const *names, uint32_t n, uint8_t *at)
{
	uint32_t i, half;

	for (; n > 3; n -= half) {
		half = n / 2;
		for (i = n - half; i < n; i++)
			if (!classic_put_string(writer, names[i],
						at + (size_t)i *
								REFERENCE_SIZE))
				return false;
	}
	while (n-- > 0)
		if (!classic_put_string(writer, names[n],
					at + (size_t)n * REFERENCE_SIZE))
			return false;
	return true;
}

static bool put_strings(struct classic_writer *writer,
			struct classic_new_group *group, struct shape *shape,
			const char *const *names)
{
	struct classic_string string = {.variable = true};
	uint8_t *at;

	shape->type_size = classic_string_encode(&string, false, shape->type);
	shape->nbytes = (uint64_t)shape->n * REFERENCE_SIZE;
	at = put(writer, group, shape);
	return at && put_in_order(writer, names, shape->n, at);
}

bool classic_put_names(struct classic_writer *writer,
		       struct classic_new_group *group, const char *name,
		       const char *const *names, uint32_t n_names)
{
	struct shape shape = {.name = name, .is_list = true, .n = n_names};

	return put_strings(writer, group, &shape, names);
}

bool classic_put_text(struct classic_writer *writer,
		      struct classic_new_group *group, const char *name,
		      const char *text)
{
	struct shape shape = {.name = name, .n = 1};

	return put_strings(writer, group, &shape, &text);
}

bool classic_put_nothing(struct classic_writer *writer,
			 struct classic_new_group *group, const char *name)
{
	struct shape shape = {.name = name, .is_list = true};

	shape.type_size = classic_type_encode(WH_FLOAT64, false, shape.type);
	return put(writer, group, &shape) != NULL;
}

bool classic_put_rows(struct classic_writer *writer,
		      struct classic_new_group *group, const char *name,
		      const char *const *names, uint32_t n_names, size_t size)
{
	struct classic_string string = {.size = (uint32_t)size, .padding = 1};
	struct shape shape = {.name = name, .is_list = true, .n = n_names};
	uint8_t *at;
	uint32_t i;

	shape.type_size = classic_string_encode(&string, false, shape.type);
	shape.nbytes = (uint64_t)n_names * size;
	at = put(writer, group, &shape);
	for (i = 0; at && i < n_names; i++)
		memcpy(at + i * size, names[i], strlen(names[i]));
	return at != NULL;
}
