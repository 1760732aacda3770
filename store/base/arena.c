#include "base/arena.h"

#include <stdalign.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/checked.h"

/* Blocks grow: most arenas hold a row or two, and zeroing 64 KiB for each is
 * what listing them would cost. */
#define FIRST_BLOCK ((size_t)1 << 10)
#define LAST_BLOCK  ((size_t)64 << 10)
#define BRIEF	    256u /* bytes of a text that is written once */

struct arena_block {
	struct arena_block *next;
	size_t used, size;
	alignas(max_align_t) unsigned char bytes[];
};

struct arena_adopted { /* in the arena itself */
	struct arena_adopted *next;
	void *memory;
};

void arena_free(struct arena *arena)
{
	struct arena_block *block = arena->blocks, *next;
	struct arena_adopted *adopted = arena->adopted;

	for (; adopted; adopted = adopted->next)
		free(adopted->memory);
	for (; block; block = next) {
		next = block->next;
		free(block);
	}
	arena->blocks = NULL;
	arena->adopted = NULL;
	arena->failed = false;
}

static struct arena_block *add_block(struct arena *arena, size_t need)
{
	struct arena_block *block = arena->blocks;
	size_t size = block ? 2 * block->size : FIRST_BLOCK;

	if (size > LAST_BLOCK)
		size = LAST_BLOCK;
	if (size < need)
		size = need;
	if (size > SIZE_MAX - sizeof(*block))
		return NULL;
	block = calloc(1, sizeof(*block) + size);
	if (!block) {
		arena->failed = true;
		return NULL;
	}
	block->size = size;
	block->next = arena->blocks;
	arena->blocks = block;
	return block;
}

void *arena_alloc(struct arena *arena, size_t n, size_t size)
{
	const size_t align = alignof(max_align_t);
	struct arena_block *block = arena->blocks;
	uint64_t total;
	void *at;

	if (!checked_mul(n, size, &total) || total > SIZE_MAX / 2)
		return NULL;
	total = (total + align - 1) / align * align;
	if (!block || block->size - block->used < total)
		block = add_block(arena, (size_t)total);
	if (!block)
		return NULL;
	at = block->bytes + block->used;
	block->used += (size_t)total;
	return at;
}

bool arena_adopt(struct arena *arena, void *memory)
{
	struct arena_adopted *adopted = arena_alloc(arena, 1, sizeof(*adopted));

	if (!adopted)
		return false;
	*adopted = (struct arena_adopted){arena->adopted, memory};
	arena->adopted = adopted;
	return true;
}

bool arena_grow(struct arena *arena, void *array, size_t n, size_t *room,
		size_t size)
{
	size_t wanted = *room ? 2 * *room : 8;
	void *old, *moved;

	if (n < *room)
		return true;
	moved = arena_alloc(arena, wanted, size);
	if (!moved)
		return false;
	/* Of whatever type the pointer is, it is only copied. */
	memcpy(&old, array, sizeof(old));
	if (n)
		memcpy(moved, old, n * size);
	memcpy(array, &moved, sizeof(moved));
	*room = wanted;
	return true;
}

char *arena_bytes(struct arena *arena, const void *bytes, size_t len)
{
	char *copy = len < SIZE_MAX ? arena_alloc(arena, len + 1, 1) : NULL;

	if (copy && len)
		memcpy(copy, bytes, len);
	return copy;
}

char *arena_strdup(struct arena *arena, const char *text)
{
	return arena_bytes(arena, text, strlen(text));
}

char *arena_join(struct arena *arena, const char *a, const char *b,
		 const char *c)
{
	size_t len_a = strlen(a), len_b = strlen(b), len_c = strlen(c);
	char *text = arena_alloc(arena, len_a + len_b + len_c + 1, 1);

	if (!text)
		return NULL;
	memcpy(text, a, len_a);
	memcpy(text + len_a, b, len_b);
	memcpy(text + len_a + len_b, c, len_c);
	return text;
}

char *arena_printf(struct arena *arena, const char *format, ...)
{
	char brief[BRIEF], *text;
	va_list args;
	int len;

	va_start(args, format);
	len = vsnprintf(brief, sizeof(brief), format, args);
	va_end(args);
	if (len < 0)
		return NULL;
	if ((size_t)len < sizeof(brief))
		return arena_bytes(arena, brief, (size_t)len);
	text = arena_alloc(arena, (size_t)len + 1, 1);
	if (!text)
		return NULL;
	va_start(args, format);
	vsnprintf(text, (size_t)len + 1, format, args);
	va_end(args);
	return text;
}
