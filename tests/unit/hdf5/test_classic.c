/* classic/ against libhdf5: what the one takes, the other takes too, and both
 * say the same. Over all golden files, which it takes but for those that no
 * Keras of today writes, and over the same files with damage anywhere. */
#include "support/assert.h"

#include <sys/mman.h>
#include <unistd.h>

#include "hdf5/keras3/load.h"
#include "hdf5/load.h"
#include "support/golden.h"
#include "support/same_manifest.h"

/* libhdf5's own, of files that it refuses. */
const char *__lsan_default_suppressions(void);

const char *__lsan_default_suppressions(void)
{
	return "leak:libhdf5";
}

#define DAMAGED_MAX ((size_t)64 << 10) /* bytes of a file to be damaged */
#define DAMAGES	    120		       /* of each file */
#define SEED	    UINT64_C(88172645463325252)
#define AT_LEAST_H5 35
#define AT_LEAST_K3 10

typedef enum wh_status (*load_by)(const char *path,
				  const struct wh_load_options *options,
				  bool by_classic, struct wh_source **source,
				  struct wh_error *err);

struct folder {
	const char *path, *suffix;
	load_by load;
};

static const struct folder folders[] = {
	{GOLDEN "/h5", ".h5", h5_load_by},
	{GOLDEN "/keras3", ".h5", keras3_load_by},
	{GOLDEN "/keras3", ".keras", keras3_load_by},
	{GOLDEN "/digits/weights", ".h5", h5_load_by},
};
#define N_FOLDERS (sizeof(folders) / sizeof(folders[0]))

/* Whether classic/ took the file; fails the test if libhdf5 disagrees. */
static bool compare(load_by load, const char *path, const char *what)
{
	static const struct wh_load_options options;
	struct wh_source *classic, *libhdf5;
	struct wh_error err;

	if (load(path, &options, true, &classic, NULL))
		return false;
	if (load(path, &options, false, &libhdf5, &err))
		fail_msg("%s: %s", what, err.message);
	if (!same_manifest(&classic->manifest, &libhdf5->manifest))
		fail_msg("%s: another manifest than libhdf5's", what);
	wh_source_close(classic);
	wh_source_close(libhdf5);
	return true;
}

static size_t compare_all(const struct folder *folder)
{
	struct golden_names names = {0};
	char path[800];
	size_t i, taken = 0;

	golden_list(&names, folder->path, folder->suffix);
	for (i = 0; i < names.n; i++) {
		snprintf(path, sizeof(path), "%s/%s%s", folder->path,
			 names.list[i], folder->suffix);
		if (compare(folder->load, path, path))
			taken++;
		else
			print_message("left to libhdf5: %s\n", path);
	}
	return taken;
}

static void golden_files_read_the_same(void **state)
{
	size_t i, taken[N_FOLDERS];

	(void)state;
	for (i = 0; i < N_FOLDERS; i++)
		taken[i] = compare_all(&folders[i]);
	assert_true(taken[0] >= AT_LEAST_H5);
	assert_true(taken[1] >= AT_LEAST_K3);
	assert_true(taken[2] >= 1);
}

/* ---- Damage ----------------------------------------------------------- */

/* Any sequence will do, if it is always the same one. */
static uint64_t next(uint64_t *seed)
{
	*seed ^= *seed << 13;
	*seed ^= *seed >> 7;
	*seed ^= *seed << 17;
	return *seed;
}

/* A bit, a byte, a small or a huge number, an address from elsewhere. */
static void damage(uint8_t *bytes, size_t size, uint64_t *seed)
{
	static const uint64_t numbers[] = {0,	1,    2,	  8,	     16,
					   255, 4096, UINT32_MAX, UINT64_MAX};
	size_t at = next(seed) % (size - 8), from = next(seed) % (size - 8);
	uint64_t number = numbers[next(seed) % 9];

	switch (next(seed) % 6) {
	case 0:
		bytes[at] ^= (uint8_t)(1u << next(seed) % 8);
		break;
	case 1:
		bytes[at] = (uint8_t)next(seed);
		break;
	case 2:
		memcpy(bytes + at, &number, 1 + next(seed) % 2);
		break;
	case 3:
		memcpy(bytes + at / 8 * 8, &number, 8);
		break;
	case 4:
		memcpy(bytes + at / 8 * 8, bytes + from / 8 * 8, 8);
		break;
	default:
		memmove(bytes + at, bytes + from, 4);
		break;
	}
}

static size_t read_file(const char *path, uint8_t *bytes)
{
	FILE *file = fopen(path, "rb");
	size_t size;

	assert_non_null(file);
	size = fread(bytes, 1, DAMAGED_MAX, file);
	fclose(file);
	return size == DAMAGED_MAX ? 0 : size;
}

static void write_file(int fd, const uint8_t *bytes, size_t size)
{
	assert_int_equal(ftruncate(fd, 0), 0);
	assert_int_equal(pwrite(fd, bytes, size, 0), size);
}

/* Returns how many of the damaged files classic/ took. */
static size_t compare_damaged(load_by load, const char *path, int fd)
{
	static uint8_t whole[DAMAGED_MAX], bytes[DAMAGED_MAX];
	size_t n = getenv("WH_UNDER_VALGRIND") ? DAMAGES / 10 : DAMAGES;
	uint64_t seed = SEED;
	size_t i, k, taken = 0, size = read_file(path, whole);
	char what[900], own[64];

	snprintf(own, sizeof(own), "/proc/self/fd/%d", fd);
	for (i = 0; size > 16 && i < n; i++) {
		snprintf(what, sizeof(what), "%s, damage %zu", path, i);
		memcpy(bytes, whole, size);
		for (k = next(&seed) % 3 + 1; k > 0; k--)
			damage(bytes, size, &seed);
		write_file(fd, bytes,
			   i % 16 ? size : (size_t)(next(&seed) % size));
		taken += compare(load, own, what);
	}
	return taken;
}

static void damaged_files_read_the_same_or_not_at_all(void **state)
{
	int fd = memfd_create("damaged", MFD_CLOEXEC);
	struct golden_names names = {0};
	char path[800];
	size_t f, i, taken = 0;

	(void)state;
	assert_true(fd >= 0);
	for (f = 0; f < 2; f++) {
		names.n = 0;
		golden_list(&names, folders[f].path, folders[f].suffix);
		for (i = 0; i < names.n; i++) {
			snprintf(path, sizeof(path), "%s/%s%s", folders[f].path,
				 names.list[i], folders[f].suffix);
			taken += compare_damaged(folders[f].load, path, fd);
		}
	}
	close(fd);
	print_message("%zu damaged files were taken\n", taken);
	assert_true(taken > 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(golden_files_read_the_same),
		cmocka_unit_test(damaged_files_read_the_same_or_not_at_all),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
