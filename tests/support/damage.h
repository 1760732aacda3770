/* support/damage.h: what a disk, or someone by hand, does to a store. */
#ifndef WH_TESTS_DAMAGE_H
#define WH_TESTS_DAMAGE_H

#include "support/store.h"

#include <sqlite3.h>

#define MAX_TRIGGERS 128

static inline int keep_trigger(void *arg, int n, char **values, char **names)
{
	char **next = arg;

	(void)n, (void)names;
	while (*next)
		next += 2;
	next[0] = strdup(values[0]);
	next[1] = strdup(values[1]);
	return 0;
}

/** Runs `sql` on the file with the triggers out of the way; they come back as
 *  they were, so that opening finds nothing. */
static inline void damage_file(const char *path, const char *sql)
{
	char *triggers[2 * MAX_TRIGGERS + 2] = {0}, drop[256], *why = NULL;
	sqlite3 *file;
	size_t i;

	assert_int_equal(sqlite3_open(path, &file), SQLITE_OK);
	sqlite3_exec(file, "PRAGMA synchronous = OFF", NULL, NULL, NULL);
	sqlite3_exec(file,
		     "SELECT name, sql FROM sqlite_schema "
		     "WHERE type = 'trigger'",
		     keep_trigger, triggers, NULL);
	for (i = 0; triggers[i]; i += 2) {
		snprintf(drop, sizeof(drop), "DROP TRIGGER %s", triggers[i]);
		sqlite3_exec(file, drop, NULL, NULL, NULL);
	}
	if (sqlite3_exec(file, sql, NULL, NULL, &why))
		fail_msg("%s: %s", sql, why);
	for (i = 0; triggers[i]; i += 2) {
		sqlite3_exec(file, triggers[i + 1], NULL, NULL, NULL);
		free(triggers[i]);
		free(triggers[i + 1]);
	}
	assert_int_equal(sqlite3_close(file), SQLITE_OK);
}

static inline void open_again(struct fixture *f, enum wh_open mode)
{
	wh_store_close(f->store);
	f->store = NULL;
	assert_ok(wh_store_open(f->path, mode, &f->store, &f->err), &f->err);
}

/** Damages the fixture's store and opens it again. */
static inline void damage_store(struct fixture *f, const char *sql)
{
	wh_store_close(f->store);
	f->store = NULL;
	damage_file(f->path, sql);
	open_again(f, WH_OPEN_WRITE);
}

/** Back to how it was at save_store. */
static inline void save_store(struct fixture *f)
{
	char command[512];

	snprintf(command, sizeof(command), "cp %s %s.saved", f->path, f->path);
	assert_int_equal(system(command), 0);
}

static inline void restore_store(struct fixture *f)
{
	char command[512];

	wh_store_close(f->store);
	f->store = NULL;
	snprintf(command, sizeof(command), "cp %s.saved %s", f->path, f->path);
	assert_int_equal(system(command), 0);
	open_again(f, WH_OPEN_WRITE);
}

static inline void forget_saved(struct fixture *f)
{
	char name[192];

	snprintf(name, sizeof(name), "%s.saved", f->path);
	unlink(name);
}

static inline void commit_model(struct fixture *f, float seed)
{
	struct wh_source *source = make_model(seed);

	assert_ok(wh_commit(f->store, source, NULL, &f->result, &f->err),
		  &f->err);
	wh_source_close(source);
}

/** Reads every tensor of a revision; the first error. */
static inline enum wh_status read_all(struct fixture *f, const char *revision)
{
	struct wh_source *source;
	enum wh_status status;
	uint32_t i, n;

	status = wh_snapshot_open(f->store, revision, &source, &f->err);
	if (status)
		return status;
	n = source->manifest.n_tensors + source->manifest.n_hidden;
	for (i = 0; i < n && !status; i++) {
		uint64_t size = source->manifest.tensors[i].nbytes;
		uint8_t *bytes = malloc((size_t)size + 1);

		status = wh_source_read(source, i, 0, bytes, (size_t)size,
					&f->err);
		free(bytes);
	}
	wh_source_close(source);
	return status;
}

struct sentences {
	char text[16384];
	size_t n;
};

static inline int note_sentence(void *arg, const char *sentence)
{
	struct sentences *all = arg;
	size_t used = strlen(all->text);

	all->n++;
	snprintf(all->text + used, sizeof(all->text) - used, "%s\n", sentence);
	return 0;
}

static inline void note_unchecked(void *arg, const char *sentence)
{
	note_sentence(arg, sentence);
}

/** All that wh_verify finds or can't check, payloads too. */
static inline void verify_store(struct fixture *f, struct sentences *found)
{
	struct wh_verify_options options = {
		.read_data = true, .unchecked = note_unchecked, .arg = found};
	struct wh_verify_result result = {0};
	enum wh_status status;

	memset(found, 0, sizeof(*found));
	status = wh_verify(f->store, &options, note_sentence, &result, &f->err);
	if (status)
		note_sentence(found, f->err.message);
	else
		assert_int_equal(result.n_errors + result.n_unchecked,
				 found->n);
}

#endif
