/* apart/: what comes from the child is what was in it; what the child can't do;
 * how its end is told. */
#include "support/assert.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include <weighhouse/weights.h>

#include "apart/apart.h"
#include "apart/wire.h"
#include "base/error.h"
#include "hdf5/hdf5.h"
#include "hdf5/keras3/open.h"
#include "support/golden.h"
#include "support/same_manifest.h"

#define AT_LEAST 50 /* golden files that are read */

static const struct wh_load_options here,
	apart = {.isolation = WH_APART},
	limited = {.isolation = WH_APART_LIMITED};

/* Of this process: pieces of memory, as the kernel lists them. */
static unsigned count_maps(const char *mode, const char *file)
{
	FILE *maps = fopen("/proc/self/maps", "re");
	unsigned n = 0;
	char line[1000];

	while (maps && fgets(line, sizeof(line), maps))
		n += strstr(line, mode) && strstr(line, file);
	if (maps)
		fclose(maps);
	return n;
}

/* ---- The same source ------------------------------------------------------
 */

static void compare_bytes(struct wh_source *a, struct wh_source *b)
{
	uint32_t i, n = a->manifest.n_tensors + a->manifest.n_hidden;
	struct wh_error err;

	for (i = 0; i < n; i++) {
		size_t size = (size_t)a->manifest.tensors[i].nbytes;
		uint8_t *x = malloc(size + 1), *y = malloc(size + 1);

		assert_ok(wh_source_read(a, i, 0, x, size, &err), &err);
		assert_ok(wh_source_read(b, i, 0, y, size, &err), &err);
		assert_memory_equal(x, y, size);
		free(x);
		free(y);
	}
}

/* Whether the file was read; refused ones are refused in the same words. */
static bool compare(const struct wh_format *format, const char *path,
		    const struct wh_load_options *options)
{
	struct wh_source *a, *b;
	struct wh_error why, err;

	if (format->load(path, &here, &a, &why)) {
		assert_int_equal(format->load(path, options, &b, &err),
				 why.status);
		assert_string_equal(err.message, why.message);
		return false;
	}
	assert_ok(format->load(path, options, &b, &err), &err);
	if (!same_manifest(&a->manifest, &b->manifest))
		fail_msg("%s: another manifest", path);
	compare_bytes(a, b);
	assert_ok(b->ops->unchanged(b, &err), &err);
	wh_source_close(a);
	wh_source_close(b);
	return true;
}

static size_t compare_folder(const struct wh_format *format, const char *folder,
			     const char *suffix,
			     const struct wh_load_options *options)
{
	struct golden_names names = {0};
	char path[800];
	size_t i, read = 0;

	golden_list(&names, folder, suffix);
	for (i = 0; i < names.n; i++) {
		snprintf(path, sizeof(path), "%s/%s%s", folder, names.list[i],
			 suffix);
		read += compare(format, path, options);
	}
	return read;
}

static void golden_files_are_the_same_from_a_child(void **state)
{
	const struct wh_load_options *const ways[] = {&apart, &limited};
	size_t i, read;

	(void)state;
	for (i = 0; i < 2; i++) {
		read = compare_folder(&hdf5_format, GOLDEN "/h5", ".h5",
				      ways[i]) +
		       compare_folder(&keras3_format, GOLDEN "/keras3", ".h5",
				      ways[i]) +
		       compare_folder(&keras3_format, GOLDEN "/keras3",
				      ".keras", ways[i]) +
		       compare_folder(&keras3_format, GOLDEN "/keras3",
				      ".weights.json", ways[i]) +
		       compare_folder(&hdf5_format, GOLDEN "/keras3/hostile",
				      ".h5", ways[i]);
		if (read < AT_LEAST)
			fail_msg("only %zu files were read", read);
	}
}

/* ---- What the child can't do ----------------------------------------------
 */

static int outside = -1; /* a descriptor of the parent */

static enum wh_status try_everything(const char *path,
				     const struct wh_load_options *options,
				     struct wh_source **source,
				     struct wh_error *err)
{
	(void)options, (void)source;
	apart_close_doors();
	if (open(path, O_RDONLY | O_CLOEXEC) >= 0 ||
	    open("/dev/null", O_WRONLY | O_CLOEXEC) >= 0)
		return wh_fail(err, WH_EIO, "it opened a file");
	if (socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0) >= 0)
		return wh_fail(err, WH_EIO, "it made a socket");
	if (fcntl(outside, F_GETFD) >= 0 || write(outside, "x", 1) == 1)
		return wh_fail(err, WH_EIO, "it has our descriptors");
	return wh_fail(err, WH_EEXISTS, "all was refused");
}

static enum wh_status try_the_rest(const char *path,
				   const struct wh_load_options *options,
				   struct wh_source **source,
				   struct wh_error *err)
{
	(void)path, (void)options, (void)source;
	apart_close_doors();
	if (fork() >= 0)
		return wh_fail(err, WH_EIO, "it forked");
	if (kill(getppid(), 0) == 0)
		return wh_fail(err, WH_EIO, "it sent a signal");
	if (mmap(NULL, 4096, PROT_READ | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS,
		 -1, 0) != MAP_FAILED)
		return wh_fail(err, WH_EIO, "it made code");
	if (unlink("/dev/shm/nothing") == 0 || errno != EPERM)
		return wh_fail(err, WH_EIO, "it could unlink");
	if (write(STDOUT_FILENO, "x", 1) == 1)
		return wh_fail(err, WH_EIO, "it wrote on stdout");
	return wh_fail(err, WH_EEXISTS, "all was refused");
}

/* Where our own code can't tell what a file is, and libhdf5 can. */
static void libhdf5_is_in_no_process_but_the_child(void **state)
{
	static const enum wh_isolation ways[] = {WH_APART, WH_APART_LIMITED};
	unsigned linked = count_maps("", "libhdf5"); /* -Dlate=disabled */
	size_t i;

	(void)state;
	for (i = 0; i < sizeof(ways) / sizeof(ways[0]); i++) {
		struct wh_load_options options = {.isolation = ways[i]};
		struct wh_source *source;
		struct wh_error err;

		assert_ok(wh_checkpoint_open(GOLDEN "/h5/h5py-latest.h5", NULL,
					     &options, &source, &err),
			  &err);
		wh_source_close(source);
	}
	assert_int_equal(count_maps("", "libhdf5"), linked);
}

static void a_child_can_open_nothing(void **state)
{
	struct wh_source *source;
	struct wh_error err;

	(void)state;
	/* Where the child has nothing of its own. */
	outside = fcntl(STDERR_FILENO, F_DUPFD_CLOEXEC, 100);
	assert_true(outside >= 100);
	assert_fails(apart_load(try_everything, "it", GOLDEN "/h5", 0, &apart,
				&source, &err),
		     &err, WH_EEXISTS, "all was refused");
	close(outside);
}

/* Where the kernel filters calls, which it says in the child. */
static void a_child_can_do_nothing_else(void **state)
{
	struct wh_source *source;
	struct wh_error err;

	(void)state;
#if defined(__x86_64__) || defined(__aarch64__)
	assert_fails(
		apart_load(try_the_rest, "it", "", 0, &apart, &source, &err),
		&err, WH_EEXISTS, "all was refused");
#else
	(void)try_the_rest, (void)source, (void)err;
#endif
}

/* ---- What it has of ours --------------------------------------------------
 */

static enum wh_status look_around(const char *path,
				  const struct wh_load_options *options,
				  struct wh_source **source,
				  struct wh_error *err)
{
	struct sigaction action;
	struct rlimit time;

	(void)path, (void)source;
	sigaction(SIGUSR1, NULL, &action);
	if (action.sa_handler != SIG_DFL)
		return wh_fail(err, WH_EIO, "it has our handlers");
	getrlimit(RLIMIT_CPU, &time);
	if (time.rlim_cur != 12 ||
	    (time.rlim_max == 13) != (options->isolation == WH_APART_LIMITED))
		return wh_fail(err, WH_EIO, "it has %llu s, or %llu",
			       (unsigned long long)time.rlim_cur,
			       (unsigned long long)time.rlim_max);
	return wh_fail(err, WH_EEXISTS, "all is well");
}

static void a_child_has_its_own_signals_and_time(void **state)
{
	const uint64_t two_more = UINT64_C(9) << 20;
	struct wh_source *source;
	struct wh_error err;

	(void)state;
	signal(SIGUSR1, SIG_IGN);
	assert_fails(apart_load(look_around, "it", "", two_more, &apart,
				&source, &err),
		     &err, WH_EEXISTS, "all is well");
	assert_fails(apart_load(look_around, "it", "", two_more, &limited,
				&source, &err),
		     &err, WH_EEXISTS, "all is well");
	signal(SIGUSR1, SIG_DFL);
}

static enum wh_status load_golden(const char *path,
				  const struct wh_load_options *options,
				  struct wh_source **source,
				  struct wh_error *err)
{
	(void)options;
	return hdf5_format.load(path, &here, source, err);
}

static const char *golden_path(void)
{
	static char path[800];
	struct golden_names names = {0};

	golden_list(&names, GOLDEN "/h5", ".h5");
	snprintf(path, sizeof(path), GOLDEN "/h5/%s.h5", names.list[0]);
	return path;
}

/* Memory that is shared with nobody but the parent: so the kernel shows it. */
static enum wh_status count_shared(const char *path,
				   const struct wh_load_options *options,
				   struct wh_source **source,
				   struct wh_error *err)
{
	(void)path, (void)options, (void)source;
	return wh_fail(err, WH_EEXISTS, "%u pieces",
		       count_maps(" rw-s ", "/dev/zero"));
}

static void a_child_has_no_payloads_of_another(void **state)
{
	struct wh_source *first, *source;
	struct wh_error err;

	(void)state;
	assert_ok(apart_load(load_golden, "it", golden_path(), 0, &apart,
			     &first, &err),
		  &err);
	assert_fails(
		apart_load(count_shared, "it", "", 0, &apart, &source, &err),
		&err, WH_EEXISTS, "1 pieces");
	wh_source_close(first);
}

static uint64_t size_of(const char *path)
{
	struct stat at = {0};

	stat(path, &at);
	return (uint64_t)at.st_size;
}

static void a_sharded_checkpoint_has_the_time_of_all_shards(void **state)
{
	static const char base[] = GOLDEN "/keras3/sharded-nested";
	char path[800];
	uint64_t size;
	int i;

	(void)state;
	snprintf(path, sizeof(path), "%s.weights.json", base);
	size = size_of(path);
	for (i = 0; i < 5; i++) {
		snprintf(path, sizeof(path), "%s_%05d.weights.h5", base, i);
		size += size_of(path);
		assert_int_equal(keras3_size(path), size_of(path));
	}
	snprintf(path, sizeof(path), "%s.weights.json", base);
	assert_int_equal(keras3_size(path), size);
}

/* ---- Who starts it --------------------------------------------------------
 */

struct loading {
	struct wh_source *source;
	enum wh_status status;
	struct wh_error err;
};

static void *load_in_thread(void *arg)
{
	struct loading *loading = arg;

	loading->status = apart_load(load_golden, "it", golden_path(), 0,
				     &apart, &loading->source, &loading->err);
	return NULL;
}

static void a_child_outlives_the_thread_that_started_it(void **state)
{
	struct loading loading = {0};
	pthread_t thread;
	struct wh_error err;
	char byte;

	(void)state;
	assert_int_equal(
		pthread_create(&thread, NULL, load_in_thread, &loading), 0);
	pthread_join(thread, NULL);
	assert_ok(loading.status, &loading.err);
	assert_ok(wh_source_read(loading.source, 0, 0, &byte, 1, &err), &err);
	wh_source_close(loading.source);
}

/* Its socket is one of the first three then. */
static void a_program_may_have_closed_its_streams(void **state)
{
	struct loading loading = {0};
	enum wh_status read;
	struct wh_error err;
	int kept[3], i;
	char byte;

	(void)state;
	for (i = 0; i < 3; i++) {
		kept[i] = fcntl(i, F_DUPFD_CLOEXEC, 100);
		close(i);
	}
	load_in_thread(&loading);
	read = loading.status
		       ? loading.status
		       : wh_source_read(loading.source, 0, 0, &byte, 1, &err);
	wh_source_close(loading.source);
	for (i = 0; i < 3; i++) {
		dup2(kept[i], i);
		close(kept[i]);
	}
	assert_ok(loading.status, &loading.err);
	assert_ok(read, &err);
}

/* ---- How it ends ----------------------------------------------------------
 */

/* Also under a sanitizer, which would tell of it instead. */
static enum wh_status end_by(int signal_)
{
	signal(signal_, SIG_DFL);
	raise(signal_);
	return WH_OK;
}

static enum wh_status crash(const char *path,
			    const struct wh_load_options *options,
			    struct wh_source **source, struct wh_error *err)
{
	(void)path, (void)options, (void)source, (void)err;
	return end_by(SIGSEGV);
}

static enum wh_status be_interrupted(const char *path,
				     const struct wh_load_options *options,
				     struct wh_source **source,
				     struct wh_error *err)
{
	(void)path, (void)options, (void)source, (void)err;
	return end_by(SIGINT);
}

static enum wh_status work_for_ever(const char *path,
				    const struct wh_load_options *options,
				    struct wh_source **source,
				    struct wh_error *err)
{
	struct rlimit second;
	volatile unsigned n = 0;

	(void)path, (void)options, (void)source, (void)err;
	getrlimit(RLIMIT_CPU, &second);
	second.rlim_cur = 1;
	setrlimit(RLIMIT_CPU, &second);
	for (;;)
		n++;
	return WH_OK;
}

static void a_crash_is_an_error(void **state)
{
	struct wh_source *source;
	struct wh_error err;

	(void)state;
	assert_fails(apart_load(crash, "libhdf5", "", 0, &apart, &source, &err),
		     &err, WH_ECORRUPT,
		     "a damaged file: libhdf5 crashed on it (Segmentation "
		     "fault)");
	assert_fails(
		apart_load(be_interrupted, "it", "", 0, &apart, &source, &err),
		&err, WH_ECANCELLED, "interrupted");
	assert_fails(apart_load(work_for_ever, "libhdf5", GOLDEN, 0, &limited,
				&source, &err),
		     &err, WH_ECORRUPT,
		     "libhdf5 worked on it for more than 10 seconds");
}

/* One that was taken over may stay, and say nothing more. */
static enum wh_status hang_up(const char *path,
			      const struct wh_load_options *options,
			      struct wh_source **source, struct wh_error *err)
{
	(void)path, (void)options, (void)source, (void)err;
	alarm(60); /* else it would be waited for without end */
	close(3);
	for (;;)
		pause();
	return WH_OK;
}

static void one_that_hangs_up_is_killed(void **state)
{
	struct wh_source *source;
	struct wh_error err;

	(void)state;
	assert_fails(apart_load(hang_up, "it", "", 0, &apart, &source, &err),
		     &err, WH_ECORRUPT, "it crashed on it (Killed)");
}

static struct wh_source *inner; /* in the child */

static enum wh_status crash_on_read(struct wh_source *source, uint32_t index,
				    uint64_t offset, void *buf, size_t len,
				    struct wh_error *err)
{
	(void)source, (void)index, (void)offset, (void)buf, (void)len,
		(void)err;
	/* Behind closed doors there is no raise. */
	signal(SIGILL, SIG_DFL);
	signal(SIGTRAP, SIG_DFL);
	__builtin_trap();
	return WH_OK;
}

static enum wh_status
load_and_crash_later(const char *path, const struct wh_load_options *options,
		     struct wh_source **source, struct wh_error *err)
{
	static struct wh_source_ops ops;

	(void)options;
	WH_TRY(hdf5_format.load(path, &here, &inner, err));
	ops = *inner->ops;
	ops.read = crash_on_read;
	inner->ops = &ops;
	*source = inner;
	return WH_OK;
}

static void a_crash_at_a_payload_is_an_error(void **state)
{
	const char *path = golden_path();
	struct wh_source *source;
	struct wh_error err;
	char byte;

	(void)state;
	assert_ok(apart_load(load_and_crash_later, "libhdf5", path, 0, &apart,
			     &source, &err),
		  &err);
	assert_fails(wh_source_read(source, 0, 0, &byte, 1, &err), &err,
		     WH_ECORRUPT, "libhdf5 crashed on it (");
	assert_fails(wh_source_read(source, 0, 0, &byte, 1, &err), &err,
		     WH_ECORRUPT, "libhdf5 has crashed on the file");
	wh_source_close(source);
}

/* ---- The manifest as bytes ------------------------------------------------
 */

static enum wh_status decode(const uint8_t *bytes, size_t size,
			     struct wh_error *err)
{
	struct wh_manifest manifest = {0};
	struct arena arena = {0};
	enum wh_status status =
		wire_decode(bytes, size, &arena, &manifest, err);

	arena_free(&arena);
	return status;
}

static void a_manifest_that_is_cut_is_refused(void **state)
{
	struct wh_buf bytes = {0};
	struct wh_source *source;
	struct wh_error err;
	size_t i;

	(void)state;
	assert_ok(hdf5_format.load(golden_path(), &here, &source, &err), &err);
	assert_ok(wire_encode(&source->manifest, &bytes, &err), &err);
	assert_ok(decode(bytes.data, bytes.size, &err), &err);
	for (i = 0; i < bytes.size; i++) {
		uint8_t *cut = malloc(i + 1);

		memcpy(cut, bytes.data, i);
		assert_int_equal(decode(cut, i, &err), WH_ECORRUPT);
		free(cut);
	}
	/* Any byte may be any other: no crash, whatever it means then. */
	for (i = 0; i < bytes.size; i++) {
		bytes.data[i] ^= 0xff;
		decode(bytes.data, bytes.size, &err);
		bytes.data[i] ^= 0xff;
	}
	wh_buf_free(&bytes);
	wh_source_close(source);
}

static void an_extent_lies_within_its_tensor(void **state)
{
	struct wh_buf bytes = {0};
	struct wh_source *source;
	struct wh_extent *extent;
	struct wh_error err;

	(void)state;
	assert_ok(hdf5_format.load(golden_path(), &here, &source, &err), &err);
	extent = &source->manifest.template_->files[0].extents[0];
	extent->start = source->manifest.tensors[extent->tensor].nbytes;
	assert_ok(wire_encode(&source->manifest, &bytes, &err), &err);
	assert_int_equal(decode(bytes.data, bytes.size, &err), WH_ECORRUPT);
	wh_buf_free(&bytes);
	wh_source_close(source);
}

int main(void)
{
	const struct CMUnitTest alone[] = {
		cmocka_unit_test(a_manifest_that_is_cut_is_refused),
		cmocka_unit_test(an_extent_lies_within_its_tensor),
	};
	const struct CMUnitTest tests[] = {
		/* First: others load it. */
		cmocka_unit_test(libhdf5_is_in_no_process_but_the_child),
		cmocka_unit_test(golden_files_are_the_same_from_a_child),
		cmocka_unit_test(a_child_can_open_nothing),
		cmocka_unit_test(a_child_can_do_nothing_else),
		cmocka_unit_test(a_child_has_its_own_signals_and_time),
		cmocka_unit_test(a_child_has_no_payloads_of_another),
		cmocka_unit_test(
			a_sharded_checkpoint_has_the_time_of_all_shards),
		cmocka_unit_test(a_child_outlives_the_thread_that_started_it),
		cmocka_unit_test(a_program_may_have_closed_its_streams),
		cmocka_unit_test(a_crash_is_an_error),
		cmocka_unit_test(one_that_hangs_up_is_killed),
		cmocka_unit_test(a_crash_at_a_payload_is_an_error),
		cmocka_unit_test(a_manifest_that_is_cut_is_refused),
		cmocka_unit_test(an_extent_lies_within_its_tensor),
	};

	/* valgrind's own calls are behind the doors, too. */
	if (getenv("WH_UNDER_VALGRIND"))
		return cmocka_run_group_tests(alone, NULL, NULL);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
