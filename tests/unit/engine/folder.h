/* engine/folder.h: a folder of a test's own, and what is in it. */
#ifndef WH_TESTS_ENGINE_FOLDER_H
#define WH_TESTS_ENGINE_FOLDER_H

#include "support/assert.h"

#include <dirent.h>
#include <limits.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "support/store.h"

struct folder {
	char path[64];
	struct wh_source *source; /* make_model(1) */
	struct wh_error err;
};

static inline int set_up_folder(void **state)
{
	struct folder *f = calloc(1, sizeof(*f));

	*state = f;
	if (!f)
		return 1;
	strcpy(f->path, "/tmp/wh-test-XXXXXX");
	f->source = make_model(1);
	return mkdtemp(f->path) == NULL || chdir(f->path) != 0;
}

static inline void remove_all(const char *path)
{
	DIR *listing = opendir(path);
	struct dirent *at;
	char name[PATH_MAX];

	while (listing && (at = readdir(listing))) {
		if (!strcmp(at->d_name, ".") || !strcmp(at->d_name, ".."))
			continue;
		snprintf(name, sizeof(name), "%.512s/%s", path, at->d_name);
		if (unlink(name) && rmdir(name))
			remove_all(name);
	}
	if (listing)
		closedir(listing);
	rmdir(path);
}

static inline int tear_down_folder(void **state)
{
	struct folder *f = *state;

	wh_source_close(f->source);
	if (chdir("/"))
		return 1;
	remove_all(f->path);
	free(f);
	return 0;
}

#define in_folder(test)                                                        \
	cmocka_unit_test_setup_teardown(test, set_up_folder, tear_down_folder)

static inline void put(const char *path, const char *text)
{
	FILE *file = fopen(path, "w");

	assert_non_null(file);
	assert_true(fputs(text, file) >= 0);
	assert_int_equal(fclose(file), 0);
}

/** Fills `out` with the file, a zero byte behind; returns its size. */
static inline size_t get(const char *path, char out[4096])
{
	FILE *file = fopen(path, "r");
	size_t n;

	if (!file)
		fail_msg("%s is not there", path);
	n = fread(out, 1, 4095, file);
	out[n] = '\0';
	fclose(file);
	return n;
}

static inline void assert_text(const char *path, const char *wanted)
{
	char text[4096];

	get(path, text);
	assert_string_equal(text, wanted);
}

static inline int compare_texts(const void *a, const void *b)
{
	return strcmp(a, b);
}

/** The names in the folder are these, blanks between, in order. */
static inline void assert_holds(const char *path, const char *wanted)
{
	char names[32][128], text[4096] = "";
	DIR *listing = opendir(path);
	struct dirent *at;
	size_t i, n = 0;

	assert_non_null(listing);
	while ((at = readdir(listing)) && n < 32)
		if (strcmp(at->d_name, ".") && strcmp(at->d_name, ".."))
			snprintf(names[n++], sizeof(names[0]), "%.127s",
				 at->d_name);
	closedir(listing);
	qsort(names, n, sizeof(names[0]), compare_texts);
	for (i = 0; i < n; i++) {
		strcat(text, i ? " " : "");
		strcat(text, names[i]);
	}
	assert_string_equal(text, wanted);
}

#endif
