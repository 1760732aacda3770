#include "support/assert.h"

#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include <weighhouse/store.h>

#include "support/store.h"

static void a_model_comes_back_as_it_was_committed(void **state)
{
	struct fixture *f = *state;
	struct wh_commit_options options = {
		.message = "first\nof many", .has_step = true, .step = 7};
	struct wh_source *source = make_model(1.0f);
	struct wh_source *back = NULL;
	uint32_t i;

	assert_ok(wh_commit(f->store, source, &options, &f->result, &f->err),
		  &f->err);
	assert_int_equal(f->result.n_tensors, 3);
	assert_int_equal(f->result.n_new_tensors, 3);
	assert_ok(wh_snapshot_open(f->store, "HEAD", &back, &f->err), &f->err);
	assert_int_equal(back->manifest.n_layers, source->manifest.n_layers);
	for (i = 0; i < source->manifest.n_tensors; i++)
		assert_same_tensor(source, back, i);
	wh_source_close(back);
	wh_source_close(source);
}

static void an_unchanged_model_costs_a_row(void **state)
{
	struct fixture *f = *state;
	struct wh_source *source = make_model(2.0f);
	char tree[WH_ID_SIZE];

	assert_ok(wh_commit(f->store, source, NULL, &f->result, &f->err),
		  &f->err);
	strcpy(tree, f->result.tree);
	assert_ok(wh_commit(f->store, source, NULL, &f->result, &f->err),
		  &f->err);
	assert_string_equal(f->result.tree, tree);
	assert_int_equal(f->result.n_new_tensors, 0);
	assert_int_equal(f->result.stored_bytes, 0);
	wh_source_close(source);
}

static void the_id_is_the_hash_of_the_text(void **state)
{
	struct fixture *f = *state;
	struct wh_source *source = make_model(3.0f);
	char command[512], id[WH_ID_SIZE], *text;
	FILE *pipe;
	size_t size;

	assert_ok(wh_commit(f->store, source, NULL, &f->result, &f->err),
		  &f->err);
	assert_ok(wh_snapshot_text(f->store, "HEAD", &text, &size, &f->err),
		  &f->err);
	snprintf(command, sizeof(command), "sha256sum > %s/sum", f->folder);
	pipe = popen(command, "w");
	assert_int_equal(fwrite(text, 1, size, pipe), size);
	assert_int_equal(pclose(pipe), 0);
	snprintf(command, sizeof(command), "%s/sum", f->folder);
	pipe = fopen(command, "r");
	assert_int_equal(fread(id, 1, 64, pipe), 64);
	fclose(pipe);
	unlink(command);
	assert_memory_equal(id, f->result.snapshot, 64);
	free(text);
	wh_source_close(source);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		with_store(a_model_comes_back_as_it_was_committed),
		with_store(an_unchanged_model_costs_a_row),
		with_store(the_id_is_the_hash_of_the_text),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
