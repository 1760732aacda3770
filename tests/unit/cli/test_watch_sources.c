/* Files go only when all says that they may. */
#include "support/damage.h"

#include <sys/stat.h>

#include "watch_sources.h"

static void a_snapshot_is_read_back(void **state)
{
	struct fixture *f = *state;
	struct wh_source *model = make_model(1.0f);

	assert_ok(wh_commit(f->store, model, NULL, &f->result, &f->err),
		  &f->err);
	wh_source_close(model);
	assert_ok(watch_source_verify(f->store, f->result.snapshot, &f->err),
		  &f->err);
	assert_fails(watch_source_verify(f->store, "nonesuch", &f->err),
		     &f->err, WH_ENOTFOUND, "nonesuch");
	damage_store(f, "UPDATE tensor SET sha256 = zeroblob(32) "
			"WHERE dtype = 'float32'");
	assert_fails(watch_source_verify(f->store, f->result.snapshot, &f->err),
		     &f->err, WH_ECORRUPT, "");
}

static void write_file(const char *path, const char *text)
{
	FILE *file = fopen(path, "w");

	assert_non_null(file);
	fputs(text, file);
	assert_int_equal(fclose(file), 0);
}

static void a_file_goes_if_it_is_as_it_was(void **state)
{
	struct fixture *f = *state;
	struct watch_source source = {.reproducible = true};
	char path[160];

	snprintf(path, sizeof(path), "%s/epoch-1.h5", f->folder);
	source.path = path;
	assert_int_equal(watch_source_delete(&source), WATCH_NOT_AS_BEFORE);
	write_file(path, "one");
	checkpoint_look(path, &source.state, NULL, NULL);
	source.reproducible = false;
	assert_int_equal(watch_source_delete(&source), WATCH_NOT_REPRODUCIBLE);
	source.reproducible = true;
	write_file(path, "longer");
	assert_int_equal(watch_source_delete(&source), WATCH_NOT_AS_BEFORE);
	assert_int_equal(access(path, F_OK), 0);
	checkpoint_look(path, &source.state, NULL, NULL);
	assert_int_equal(watch_source_delete(&source), WATCH_DELETED);
	assert_int_equal(access(path, F_OK), -1);
	source.path = f->folder;
	assert_int_equal(watch_source_delete(&source), WATCH_NOT_FILES);
}

static void the_newest_stay_each_path_once(void **state)
{
	static char paths[][2] = {"a", "b", "a", "c"};
	struct watch_sources sources = {.wanted = true, .keep = 2};
	struct watch_source gone;
	size_t i;

	(void)state;
	for (i = 0; i < 4; i++)
		assert_true(watch_sources_add(
			&sources, &(struct watch_source){.path = paths[i]}));
	assert_int_equal(sources.n, 3);
	assert_true(watch_sources_next(&sources, &gone));
	assert_string_equal(gone.path, "b");
	free(gone.path);
	assert_false(watch_sources_next(&sources, &gone));
	watch_sources_free(&sources);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		with_store(a_snapshot_is_read_back),
		with_store(a_file_goes_if_it_is_as_it_was),
		cmocka_unit_test(the_newest_stay_each_path_once),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
