/* tf/parts.c: which bytes of the data files opening a checkpoint reads. */
#include "support/assert.h"

#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>

#include "base/error.h"
#include "tf/tf.h"

#define CHECKPOINT GOLDEN "/tf/shards/ckpt"

struct parts {
	unsigned calls, fails_at;
};

/* It lies in a data file of that name. */
static enum wh_status take(void *arg, uint32_t shard, uint32_t n_shards,
			   uint64_t offset, uint64_t size, struct wh_error *err)
{
	struct parts *parts = arg;
	struct stat at;
	char path[800];

	snprintf(path, sizeof(path), CHECKPOINT ".data-%05u-of-%05u", shard,
		 n_shards);
	assert_int_equal(stat(path, &at), 0);
	assert_true(size > 0 && offset + size <= (uint64_t)at.st_size);
	if (++parts->calls == parts->fails_at)
		return wh_fail(err, WH_EREMOTE, "the server is gone");
	return WH_OK;
}

static uint8_t *read_index(size_t *size)
{
	FILE *file = fopen(CHECKPOINT ".index", "rb");
	uint8_t *bytes = malloc(1 << 16);

	assert_non_null(file);
	*size = fread(bytes, 1, 1 << 16, file);
	fclose(file);
	return bytes;
}

/* The object graph and the variable `text`; all else is numbers. */
static void strings_are_what_opening_reads(void **state)
{
	struct parts all = {0};
	struct wh_error err;
	size_t size;
	uint8_t *index = read_index(&size);
	unsigned i;

	(void)state;
	assert_ok(tf_opening_parts(index, size, take, &all, &err), &err);
	assert_int_equal(all.calls, 2);
	for (i = 1; i <= 2; i++) {
		struct parts failing = {.fails_at = i};

		assert_fails(
			tf_opening_parts(index, size, take, &failing, &err),
			&err, WH_EREMOTE, "the server is gone");
		assert_int_equal(failing.calls, i);
	}
	free(index);
}

static void a_cut_index_is_damage(void **state)
{
	struct parts none = {0};
	struct wh_error err;
	size_t size;
	uint8_t *index = read_index(&size);

	(void)state;
	assert_int_equal(tf_opening_parts(index, size / 2, take, &none, &err),
			 WH_ECORRUPT);
	assert_int_equal(none.calls, 0);
	free(index);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(strings_are_what_opening_reads),
		cmocka_unit_test(a_cut_index_is_damage),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
