/* Proving files whose small tensors were weighed before: their bytes in the
 * file are held against the sums, and what was weighed is what is proved. */
#include "support/assert.h"

#include <fcntl.h>
#include <unistd.h>

#include "core/weigh.h"
#include "engine/folder.h"
#include <weighhouse/weights.h>

/* As Keras writes them; then what is laid out as its template says. */
static const struct {
	const char *path;
	bool canonical;
} files[] = {
	{GOLDEN "/h5/gru.h5", true},
	{GOLDEN "/h5/h5py-big-endian.h5", false},
	{GOLDEN "/h5/h5py-compact.h5", false},
	{GOLDEN "/safetensors/hand-order.safetensors", false},
};

#define N_FILES (sizeof(files) / sizeof(files[0]))

static void copy_file(const char *from, const char *to)
{
	char command[512];

	snprintf(command, sizeof(command), "cp '%s' '%s'", from, to);
	assert_int_equal(system(command), 0);
}

static struct wh_source *open_copy(struct folder *f, const char *path)
{
	struct wh_source *source;

	copy_file(path, "copy");
	assert_ok(wh_checkpoint_open("copy", NULL, NULL, &source, &f->err),
		  &f->err);
	return source;
}

/* The first payload that lies as it is, and where. */
static const struct wh_extent *find_payload(const struct wh_source *source)
{
	const struct wh_template *made = source->manifest.template_;
	uint32_t i;

	assert_non_null(made);
	for (i = 0; i < made->files[0].n_extents; i++) {
		const struct wh_extent *at = &made->files[0].extents[i];

		if (at->tensor < source->manifest.n_tensors && at->swap <= 1)
			return at;
	}
	return NULL;
}

static bool prove(struct folder *f, struct wh_source *source)
{
	bool proved;

	assert_ok(wh_checkpoint_prove(source, "copy", NULL, &proved, &f->err),
		  &f->err);
	return proved;
}

static void weigh(struct folder *f, struct wh_source *source)
{
	assert_ok(weigh_small(source, 1, NULL, NULL, &f->err), &f->err);
}

static void a_proof_is_the_same_with_sums_and_without(void **state)
{
	struct folder *f = *state;
	size_t i;
	int weighs;

	for (i = 0; i < N_FILES; i++)
		for (weighs = 0; weighs < 2; weighs++) {
			struct wh_source *source = open_copy(f, files[i].path);
			bool flat = source->manifest.template_ != NULL;

			if (weighs)
				weigh(f, source);
			if (prove(f, source) != flat)
				fail_msg("%s, weighed: %d", files[i].path,
					 weighs);
			if (flat)
				assert_int_equal(
					source->manifest.template_->files[0]
						.canonical,
					files[i].canonical);
			wh_source_close(source);
		}
}

static void hidden_and_large_tensors_are_not_weighed(void **state)
{
	struct folder *f = *state;
	struct wh_source *source = open_copy(f, files[1].path);
	const struct wh_manifest *manifest = &source->manifest;
	uint32_t i;

	weigh(f, source);
	assert_true(manifest->n_hidden > 0);
	for (i = 0; i < manifest->n_tensors + manifest->n_hidden; i++) {
		const struct wh_tensor *tensor = &manifest->tensors[i];
		bool small =
			i < manifest->n_tensors && tensor->nbytes < WEIGH_SMALL;

		assert_int_equal(tensor->weighed, small ? WEIGH_COMMITTED : 0);
	}
	wh_source_close(source);
}

static void what_changed_after_it_was_weighed_is_not_proved(void **state)
{
	struct folder *f = *state;
	size_t i;

	for (i = 0; i < N_FILES; i++) {
		struct wh_source *source = open_copy(f, files[i].path);
		const struct wh_extent *at = source->manifest.template_
						     ? find_payload(source)
						     : NULL;
		int fd = open("copy", O_RDWR);
		char byte;

		if (at) {
			weigh(f, source);
			assert_int_equal(pread(fd, &byte, 1, (off_t)at->offset),
					 1);
			byte ^= 1;
			assert_int_equal(
				pwrite(fd, &byte, 1, (off_t)at->offset), 1);
			if (prove(f, source))
				fail_msg("%s is proved", files[i].path);
			assert_null(source->manifest.template_);
		}
		close(fd);
		wh_source_close(source);
	}
}

static void another_sum_is_another_tensor(void **state)
{
	struct folder *f = *state;
	struct wh_source *source = open_copy(f, files[0].path);
	const struct wh_extent *at = find_payload(source);

	weigh(f, source);
	assert_non_null(at);
	source->manifest.tensors[at->tensor].crc32c ^= 1;
	assert_false(prove(f, source));
	wh_source_close(source);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		in_folder(a_proof_is_the_same_with_sums_and_without),
		in_folder(hidden_and_large_tensors_are_not_weighed),
		in_folder(what_changed_after_it_was_weighed_is_not_proved),
		in_folder(another_sum_is_another_tensor),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
