/* Writing a plan: complete under its names, or not there. */
#include "support/assert.h"
#include "support/one_weight.h"

#include <errno.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/temporary.h"
#include "engine.h"
#include "engine/folder.h"
#include "plan_internal.h"

/* ".a" and then ".b", which commits: "head", the kernel, "tail". */
static struct wh_plan *plan_two(struct folder *f)
{
	struct wh_image *image;
	struct wh_plan *plan;
	int i;

	assert_ok(wh_plan_new(f->source, &plan, &f->err), &f->err);
	for (i = 0; i < 2; i++) {
		assert_ok(wh_plan_add_image(plan, i ? ".b" : ".a", i == 1,
					    &image, &f->err),
			  &f->err);
		assert_ok(wh_image_literal(image, i ? "B" : "A", 1, &f->err),
			  &f->err);
		assert_ok(wh_image_payload(image, 0, 0, 24, &f->err), &f->err);
	}
	return plan;
}

static enum wh_status write_two(struct folder *f, const char *path,
				bool makes_folders,
				const struct wh_save_options *given)
{
	static const struct wh_save_options defaults;
	struct wh_plan *plan = plan_two(f);
	enum wh_status status =
		write_files(plan, path, makes_folders,
			    given ? given : &defaults, NULL, &f->err);

	wh_plan_free(plan);
	return status;
}

static void assert_written(const char *path, char first)
{
	char bytes[4096];

	assert_int_equal(get(path, bytes), 25);
	assert_int_equal(bytes[0], first);
}

static void files_are_whole_and_nothing_else_is_left(void **state)
{
	struct folder *f = *state;

	assert_ok(write_two(f, "w", false, NULL), &f->err);
	assert_written("w.a", 'A');
	assert_written("w.b", 'B');
	assert_holds(".", "w.a w.b");
}

static void a_replaced_file_keeps_its_mode(void **state)
{
	struct folder *f = *state;
	struct stat at;

	put("w.a", "old");
	assert_int_equal(chmod("w.a", 0640), 0);
	assert_ok(write_two(f, "w", false, NULL), &f->err);
	assert_written("w.a", 'A');
	assert_int_equal(stat("w.a", &at), 0);
	assert_int_equal(at.st_mode & 07777, 0640);
}

static void a_read_only_file_is_not_replaced(void **state)
{
	struct folder *f = *state;
	int status;
	pid_t child;

	put("w.a", "kept");
	assert_int_equal(chmod("w.a", 0444), 0);
	assert_int_equal(chmod(".", 0777), 0);
	child = fork();
	if (child == 0) { /* root may write anything: be somebody else */
		if (geteuid() == 0 && setuid(65534))
			_exit(2);
		status = write_two(f, "w", false, NULL) == WH_EIO &&
					 f->err.sys_errno == EACCES
				 ? 0
				 : 3;
		_exit(status);
	}
	assert_int_equal(waitpid(child, &status, 0), child);
	assert_true(WIFEXITED(status));
	assert_int_equal(WEXITSTATUS(status), 0);
	assert_holds(".", "w.a");
}

static void a_new_file_has_the_mode_that_umask_leaves(void **state)
{
	struct folder *f = *state;
	mode_t before = umask(027);
	struct stat at;

	assert_ok(write_two(f, "w", false, NULL), &f->err);
	umask(before);
	assert_int_equal(stat("w.a", &at), 0);
	assert_int_equal(at.st_mode & 07777, 0640);
}

static void assert_link(const char *path, const char *wanted)
{
	char said[128] = "";

	assert_true(readlink(path, said, sizeof(said) - 1) > 0);
	assert_string_equal(said, wanted);
}

static void a_symlink_is_followed(void **state)
{
	struct folder *f = *state;

	assert_int_equal(mkdir("there", 0777), 0);
	put("there/real", "old");
	assert_int_equal(symlink("there/real", "w.a"), 0);
	assert_ok(write_two(f, "w", false, NULL), &f->err);
	assert_link("w.a", "there/real");
	assert_written("there/real", 'A');
	assert_holds("there", "real");
}

static void a_symlink_to_nothing_is_followed_too(void **state)
{
	struct folder *f = *state;

	assert_int_equal(mkdir("there", 0777), 0);
	assert_int_equal(symlink("there/first", "w.a"), 0);
	assert_int_equal(symlink("second", "there/first"), 0);
	assert_ok(write_two(f, "w", false, NULL), &f->err);
	assert_link("w.a", "there/first");
	assert_written("there/second", 'A');
	/* A circle ends nowhere: it is replaced. */
	assert_int_equal(symlink("x.a", "x.a"), 0);
	assert_ok(write_two(f, "x", false, NULL), &f->err);
	assert_written("x.a", 'A');
}

static void folders_are_made_where_the_format_says_so(void **state)
{
	struct folder *f = *state;

	assert_fails(write_two(f, "new/er/w", false, NULL), &f->err,
		     WH_ENOTFOUND, "'new/er/w.a'");
	assert_holds(".", "");
	assert_ok(write_two(f, "new/er/w", true, NULL), &f->err);
	assert_holds("new/er", "w.a w.b");
	assert_ok(write_two(f, "new//er/w", true, NULL), &f->err);
}

static void a_folder_in_the_way_is_an_error(void **state)
{
	struct folder *f = *state;

	assert_int_equal(mkdir("w.b", 0777), 0);
	put("w.a", "old");
	assert_true(write_two(f, "w", false, NULL) != WH_OK);
	assert_non_null(strstr(f->err.message, "'w.b'"));
	assert_text("w.a", "old");
	assert_holds(".", "w.a w.b");
}

static void a_file_where_a_folder_must_be_is_an_error(void **state)
{
	struct folder *f = *state;

	put("new", "old");
	assert_true(write_two(f, "new/w", true, NULL) != WH_OK);
	assert_text("new", "old");
}

static bool cancel(void *arg, const char *what, uint64_t done, uint64_t total)
{
	assert_string_equal(what, "writing");
	assert_true(done <= total);
	++*(int *)arg;
	return false;
}

static void a_cancelled_write_leaves_what_was_there(void **state)
{
	struct folder *f = *state;
	int calls = 0;
	struct wh_save_options options = {.progress = cancel, .arg = &calls};

	put("w.a", "old");
	put("w.b", "older");
	assert_int_equal(write_two(f, "w", false, &options), WH_ECANCELLED);
	assert_int_equal(calls, 1);
	assert_text("w.a", "old");
	assert_text("w.b", "older");
	assert_holds(".", "w.a w.b");
}

/* The kernel as it was weighed, and as it is. */
static void a_payload_that_changed_is_never_published(void **state)
{
	struct folder *f = *state;

	assert_ok(wh_source_weigh(f->source, WH_CRC32C, 1, NULL, NULL, &f->err),
		  &f->err);
	wh_source_close(make_model(2)); /* its arrays are the same memory */
	put("w.a", "old");
	assert_fails(write_two(f, "w", false, NULL), &f->err, WH_EMISMATCH,
		     "changed while it was read");
	assert_text("w.a", "old");
	assert_holds(".", "w.a");
}

static void temporaries_of_the_dead_are_removed(void **state)
{
	struct folder *f = *state;
	char own[64], dead[64], other[64];
	uint32_t host = temporary_host();

	/* No process has this number; one has that of this one. */
	snprintf(dead, sizeof(dead), ".w.a.wh-h%08x-999999999-0", host);
	snprintf(other, sizeof(other), ".w.ab.wh-h%08x-999999999-0", host);
	put(dead, "partial");
	put(other, "of another file");
	snprintf(own, sizeof(own), ".w.a.wh-h%08x-%ld-0", host, (long)getpid());
	put(own, "another thread is at it");
	assert_ok(write_two(f, "w", false, NULL), &f->err);
	assert_written("w.a", 'A');
	assert_text(own, "another thread is at it");
	assert_int_equal(unlink(own), 0);
	assert_int_equal(unlink(other), 0);
	assert_holds(".", "w.a w.b");
}

static void an_unsound_plan_writes_nothing(void **state)
{
	static const struct wh_save_options options;
	struct folder *f = *state;
	struct wh_plan *plan = plan_two(f);

	wh_plan_image(plan, 1)->extents[1].length = 99;
	assert_fails(write_files(plan, "d/w", true, &options, NULL, &f->err),
		     &f->err, WH_EINVAL, "not sound");
	assert_holds(".", "");
	wh_plan_free(plan);
}

static void what_was_written_is_listed_with_its_digest(void **state)
{
	const struct wh_save_options options = {.digests = true,
						.verify = true};
	struct folder *f = *state;
	struct wh_plan *plan = plan_two(f);
	struct wh_saved saved = {0};

	assert_ok(write_files(plan, "w", false, &options, &saved, &f->err),
		  &f->err);
	assert_int_equal(saved.n_files, 2);
	assert_string_equal(saved.files[1].path, "w.b");
	assert_int_equal(saved.files[1].size, 25);
	assert_int_equal(strlen(saved.files[1].sha256), 64);
	assert_string_not_equal(saved.files[0].sha256, saved.files[1].sha256);
	wh_saved_free(&saved);
	wh_plan_free(plan);
}

/* 9 MiB of one tensor after a short literal: cut into pieces, by as many
 * threads as are asked for. */
static void pieces_and_threads_make_the_same_file(void **state)
{
	struct folder *f = *state;
	const size_t n = (9 << 20) + 5;
	const uint64_t shape[] = {n};
	uint8_t *bytes = malloc(n), *got = malloc(n + 3);
	struct wh_array array = {.name = "w",
				 .dtype = WH_UINT8,
				 .rank = 1,
				 .shape = shape,
				 .data = bytes};
	struct wh_source *source;
	struct wh_image *image;
	struct wh_plan *plan;
	unsigned threads;
	uint64_t i;

	for (i = 0; i < n; i++)
		bytes[i] = (uint8_t)(i * 2654435761u >> 13);
	source = one_weight("l", NULL, &array);
	assert_ok(wh_source_weigh(source, WH_CRC32C, 1, NULL, NULL, &f->err),
		  &f->err);
	assert_ok(wh_plan_new(source, &plan, &f->err), &f->err);
	assert_ok(wh_plan_add_image(plan, "", true, &image, &f->err), &f->err);
	assert_ok(wh_image_literal(image, "abc", 3, &f->err), &f->err);
	assert_ok(wh_image_payload(image, 0, 0, n, &f->err), &f->err);
	for (threads = 1; threads <= 4; threads++) {
		const struct wh_save_options options = {.threads = threads};
		FILE *file;

		assert_ok(
			write_files(plan, "w", false, &options, NULL, &f->err),
			&f->err);
		file = fopen("w", "rb");
		assert_int_equal(fread(got, 1, n + 3, file), n + 3);
		assert_int_equal(fgetc(file), EOF);
		fclose(file);
		assert_memory_equal(got, "abc", 3);
		assert_memory_equal(got + 3, bytes, n);
	}
	wh_plan_free(plan);
	wh_source_close(source);
	free(bytes);
	free(got);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		in_folder(files_are_whole_and_nothing_else_is_left),
		in_folder(a_replaced_file_keeps_its_mode),
		in_folder(a_read_only_file_is_not_replaced),
		in_folder(a_new_file_has_the_mode_that_umask_leaves),
		in_folder(a_symlink_is_followed),
		in_folder(a_symlink_to_nothing_is_followed_too),
		in_folder(folders_are_made_where_the_format_says_so),
		in_folder(a_folder_in_the_way_is_an_error),
		in_folder(a_file_where_a_folder_must_be_is_an_error),
		in_folder(a_cancelled_write_leaves_what_was_there),
		in_folder(a_payload_that_changed_is_never_published),
		in_folder(temporaries_of_the_dead_are_removed),
		in_folder(an_unsound_plan_writes_nothing),
		in_folder(what_was_written_is_listed_with_its_digest),
		in_folder(pieces_and_threads_make_the_same_file),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
