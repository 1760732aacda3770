/* apart/: what comes from the child is what was in it; what the child can't do;
 * how its end is told. */
#include "support/assert.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include "apart/apart.h"
#include "apart/wire.h"
#include "base/error.h"
#include "hdf5/hdf5.h"
#include "support/golden.h"
#include "support/same_manifest.h"

#define AT_LEAST 50 /* golden files that are read */

static const struct wh_load_options here,
	apart = {.isolation = WH_APART},
	limited = {.isolation = WH_APART_LIMITED};

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

static void a_child_can_open_nothing(void **state)
{
	struct wh_source *source;
	struct wh_error err;

	(void)state;
	/* Where the child has nothing of its own. */
	outside = fcntl(STDERR_FILENO, F_DUPFD_CLOEXEC, 100);
	assert_true(outside >= 100);
	assert_fails(apart_load(try_everything, "it", GOLDEN "/h5", &apart,
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
	assert_fails(apart_load(try_the_rest, "it", "", &apart, &source, &err),
		     &err, WH_EEXISTS, "all was refused");
#else
	(void)try_the_rest, (void)source, (void)err;
#endif
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
	const struct rlimit second = {1, RLIM_INFINITY};
	volatile unsigned n = 0;

	(void)path, (void)options, (void)source, (void)err;
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
	assert_fails(apart_load(crash, "libhdf5", "", &apart, &source, &err),
		     &err, WH_ECORRUPT,
		     "a damaged file: libhdf5 crashed on it (Segmentation "
		     "fault)");
	assert_fails(
		apart_load(be_interrupted, "it", "", &apart, &source, &err),
		&err, WH_ECANCELLED, "interrupted");
	assert_fails(apart_load(work_for_ever, "libhdf5", GOLDEN, &limited,
				&source, &err),
		     &err, WH_ECORRUPT,
		     "libhdf5 worked on it for more than 10 seconds");
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
	struct golden_names names = {0};
	struct wh_source *source;
	struct wh_error err;
	char path[800], byte;

	(void)state;
	golden_list(&names, GOLDEN "/h5", ".h5");
	snprintf(path, sizeof(path), GOLDEN "/h5/%s.h5", names.list[0]);
	assert_ok(apart_load(load_and_crash_later, "libhdf5", path, &apart,
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
	struct golden_names names = {0};
	struct wh_buf bytes = {0};
	struct wh_source *source;
	struct wh_error err;
	char path[800];
	size_t i;

	(void)state;
	golden_list(&names, GOLDEN "/h5", ".h5");
	snprintf(path, sizeof(path), GOLDEN "/h5/%s.h5", names.list[0]);
	assert_ok(hdf5_format.load(path, &here, &source, &err), &err);
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

int main(void)
{
	const struct CMUnitTest alone[] = {
		cmocka_unit_test(a_manifest_that_is_cut_is_refused),
	};
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(golden_files_are_the_same_from_a_child),
		cmocka_unit_test(a_child_can_open_nothing),
		cmocka_unit_test(a_child_can_do_nothing_else),
		cmocka_unit_test(a_crash_is_an_error),
		cmocka_unit_test(a_crash_at_a_payload_is_an_error),
		cmocka_unit_test(a_manifest_that_is_cut_is_refused),
	};

	/* valgrind's own calls are behind the doors, too. */
	if (getenv("WH_UNDER_VALGRIND"))
		return cmocka_run_group_tests(alone, NULL, NULL);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
