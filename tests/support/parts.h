/* support/parts.h: models of tensors that no memory holds, and how often each
 * of them is read. */
#ifndef WH_TESTS_PARTS_H
#define WH_TESTS_PARTS_H

#include "support/assert.h"

#include <weighhouse/source.h>

#define PART_CHUNK ((uint64_t)1 << 20)

struct part {
	const char *name;
	uint64_t nbytes;
	int first, rest;     /* what each byte of its first chunk is, and of
				the others */
	enum wh_dtype dtype; /* of one byte; 0: WH_UINT8 */
	int n_first, n_rest; /* readings of the first chunk, of the second */
};

static inline int read_part(void *arg, uint64_t offset, void *buf, size_t len)
{
	struct part *part = arg;

	part->n_first += offset == 0;
	part->n_rest += offset == PART_CHUNK;
	memset(buf, offset < PART_CHUNK ? part->first : part->rest, len);
	return 0;
}

/** The parts outlive it. */
static inline struct wh_source *make_parts(struct part *parts, size_t n)
{
	struct wh_builder *builder = NULL;
	struct wh_source *source = NULL;
	struct wh_error err;
	size_t i;

	assert_ok(wh_builder_new(&builder, &err), &err);
	for (i = 0; i < n; i++) {
		const struct wh_array array = {
			.name = parts[i].name,
			.dtype = parts[i].dtype ? parts[i].dtype : WH_UINT8,
			.rank = 1,
			.shape = &parts[i].nbytes,
			.read = read_part,
			.arg = &parts[i]};

		parts[i].n_first = parts[i].n_rest = 0;
		assert_ok(wh_builder_weight(builder, &array, &err), &err);
	}
	assert_ok(wh_builder_finish(builder, &source, &err), &err);
	return source;
}

#endif
