/* Runs a target over files and folders of inputs, without libFuzzer: so the
 * corpus is an ordinary test, with any compiler, under valgrind too. */
#include "fuzz/fuzz.h"

#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <sys/stat.h>

static size_t n_inputs;

static void run_file(const char *path, size_t size)
{
	uint8_t *bytes = malloc(size + 1);
	FILE *file = fopen(path, "rb");

	require(bytes && file && fread(bytes, 1, size, file) == size);
	fclose(file);
	/* Just as many as there are, so that one more is noticed. */
	bytes = realloc(bytes, size ? size : 1);
	printf("%s\n", path);
	fflush(stdout);
	LLVMFuzzerTestOneInput(bytes, size);
	free(bytes);
	n_inputs++;
}

static int run_path(const char *path);

static int run_folder(const char *path)
{
	struct dirent **list;
	int i, n = scandir(path, &list, NULL, alphasort), failed = n < 0;

	for (i = 0; i < n; i++) {
		char name[1024];

		snprintf(name, sizeof(name), "%s/%s", path, list[i]->d_name);
		if (list[i]->d_name[0] != '.')
			failed |= run_path(name);
		free(list[i]);
	}
	if (n >= 0)
		free(list);
	return failed;
}

static int run_path(const char *path)
{
	struct stat at;

	if (stat(path, &at)) {
		fprintf(stderr, "%s: %s\n", path, strerror(errno));
		return 1;
	}
	if (S_ISDIR(at.st_mode))
		return run_folder(path);
	run_file(path, (size_t)at.st_size);
	return 0;
}

int main(int n_args, char **args)
{
	int i, failed = 0;

	for (i = 1; i < n_args; i++)
		failed |= run_path(args[i]);
	printf("%zu inputs\n", n_inputs);
	if (failed || !n_inputs)
		return 1;
	/* As cmocka says it, for who adds the tests up. */
	printf("[  PASSED  ] 1 test(s).\n");
	return 0;
}
