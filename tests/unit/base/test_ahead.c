#include "support/assert.h"

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/ahead.h"

#define SIZE ((size_t)300 << 10)

static uint8_t bytes[SIZE];

/* A nameless file of `bytes`. */
static int make_file(void)
{
	FILE *file = tmpfile();
	size_t i;
	int fd;

	for (i = 0; i < SIZE; i++)
		bytes[i] = (uint8_t)(i * 2654435761u >> 11);
	assert_non_null(file);
	assert_int_equal(fwrite(bytes, 1, SIZE, file), SIZE);
	assert_int_equal(fflush(file), 0);
	fd = dup(fileno(file));
	assert_true(fd >= 0);
	fclose(file);
	return fd;
}

static void assert_reads(struct read_ahead *ahead, int fd, size_t offset,
			 size_t len)
{
	uint8_t buf[20 << 10];

	assert_true(len <= sizeof(buf));
	assert_int_equal(ahead_pread(ahead, fd, buf, len, offset), len);
	assert_memory_equal(buf, bytes + offset, len);
}

static void bytes_are_those_of_the_file(void **state)
{
	static const size_t lengths[] = {1, 1024, 0, 4096, 3, 16 << 10, 20000};
	static const size_t gaps[] = {0, 0, 4096, 4097, 1, 70000, 0, 0};
	struct read_ahead ahead = {0};
	int fd = make_file(), other = make_file();
	size_t at = 0, i;

	(void)state;
	for (i = 0; i < 300; i++) {
		size_t len = lengths[i % 7];

		at = (at + gaps[i % 8]) % (SIZE - len);
		assert_reads(&ahead, fd, at, len);
		if (i % 50 == 0)
			assert_reads(&ahead, other, at, len);
		if (i % 60 == 0)
			assert_reads(NULL, fd, SIZE - len, len);
		at += len;
	}
	for (i = SIZE - 700; i > 700; i -= 700) /* backwards */
		assert_reads(&ahead, fd, i, 700);
	ahead_free(&ahead);
	close(other);
	close(fd);
}

static void what_follows_is_read_with_it(void **state)
{
	struct read_ahead ahead = {0};
	uint8_t buf[1000], zeros[1000] = {0};
	int fd = make_file();

	(void)state;
	assert_reads(&ahead, fd, 0, 1000);
	assert_reads(&ahead, fd, 1000, 1000);
	assert_int_equal(pwrite(fd, zeros, 1000, 2000), 1000);
	assert_reads(&ahead, fd, 2000, 1000); /* as it was */
	assert_int_equal(ahead_pread(&ahead, fd, buf, 1000, 100000), 1000);
	assert_int_equal(ahead_pread(&ahead, fd, buf, 1000, 2000), 1000);
	ahead_free(&ahead);
	close(fd);
}

static void the_end_of_a_file_is_preads(void **state)
{
	struct read_ahead ahead = {0};
	uint8_t buf[1000];
	int fd = make_file();

	(void)state;
	assert_reads(&ahead, fd, SIZE - 2000, 1000);
	assert_reads(&ahead, fd, SIZE - 1000, 900);
	assert_int_equal(ahead_pread(&ahead, fd, buf, 1000, SIZE - 100), 100);
	assert_memory_equal(buf, bytes + SIZE - 100, 100);
	assert_int_equal(ahead_pread(&ahead, fd, buf, 1000, SIZE), 0);
	assert_int_equal(ftruncate(fd, 10), 0);
	assert_int_equal(ahead_pread(&ahead, fd, buf, 1000, 500), 0);
	close(fd);
	assert_int_equal(ahead_pread(&ahead, fd, buf, 1000, 1500), -1);
	ahead_free(&ahead);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(bytes_are_those_of_the_file),
		cmocka_unit_test(what_follows_is_read_with_it),
		cmocka_unit_test(the_end_of_a_file_is_preads),
	};

	return cmocka_run_group_tests_name("ahead", tests, NULL, NULL);
}
